// Checks the segments and finds the update of a rule.
#include "kernels/cuda/optimizer.h"

#include "kernels/base/text.h"
#include "kernels/cuda/optimizers/updates.h"

namespace millrace::kernels::cuda {

namespace {

Status check(std::span<const Segment> segments)
{
    std::uint64_t end = 0;
    for (const Segment& segment : segments) {
        if (segment.begin < end || segment.end < segment.begin)
            return makeError(Code::InvalidArgument, str("An update's segment is [", segment.begin, ", ", segment.end,
                                                        "), expected one that begins at ", end, " or later."));
        const bool matrix = segment.rows > 0 && segment.columns > 0;
        const auto size = static_cast<std::int64_t>(segment.end - segment.begin);
        if (matrix && size != segment.rows * segment.columns)
            return makeError(Code::InvalidArgument, str("An update's segment is a matrix of ", segment.rows, " by ",
                                                        segment.columns, " but has ", size, " elements."));
        end = segment.end;
    }
    return {};
}

} // namespace

Result<std::unique_ptr<Update>> makeUpdate(Context& context, const UpdateRule& rule, std::span<const Segment> segments)
{
    MR_CHECK(check(segments));
    return std::visit(
        [&](const auto& options) {
            using Options = std::decay_t<decltype(options)>;
            if constexpr (std::is_same_v<Options, Lamb>)
                return makeLamb(context, options, segments);
            else if constexpr (std::is_same_v<Options, Muon>)
                return makeMuon(context, options, segments);
            else
                return makeElementWise(context, options, segments);
        },
        rule);
}

} // namespace millrace::kernels::cuda
