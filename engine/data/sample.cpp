#include "engine/data/sample.h"

#include "engine/data/choose.h"
#include "engine/data/fit.h"
#include "kernels/base/text.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace millrace::data {

namespace {
std::int64_t part(std::int64_t rows, double fraction)
{
    return std::max<std::int64_t>(1, std::llround(fraction * static_cast<double>(rows)));
}

/// As many of each class that occurs.
std::vector<std::int64_t> balanced(const std::vector<std::int64_t>& sizes, double fraction)
{
    std::int64_t smallest = std::numeric_limits<std::int64_t>::max();
    for (const std::int64_t size : sizes)
        if (size > 0) smallest = std::min(smallest, size);
    std::vector<std::int64_t> wanted;
    for (const std::int64_t size : sizes) wanted.push_back(size > 0 ? part(smallest, fraction) : 0);
    return wanted;
}
} // namespace

std::optional<SampleMethod> sampleMethod(std::string_view name)
{
    if (name == "random") return SampleMethod::Random;
    if (name == "stratified") return SampleMethod::Stratified;
    if (name == "balanced") return SampleMethod::Balanced;
    return std::nullopt;
}

Result<Dataset> sample(const Dataset& rows, double fraction, SampleMethod method, std::uint64_t seed,
                       std::stop_token stop)
{
    if (!(fraction > 0 && fraction <= 1))
        return makeError(Code::InvalidArgument, str("The fraction is ", fraction, "; over 0 and up to 1 is needed."));
    if (rows.rows() < 1) return makeError(Code::InvalidArgument, "There are no rows to take a sample of.");
    const bool classes = rows.schema.target == pipeline::TargetKind::Classes;
    if (method == SampleMethod::Balanced && !classes)
        return makeError(Code::InvalidArgument, "The rows have no classes to balance.")
            .advise("Take the method random, or a target of classes.");
    std::vector<std::int64_t> sizes{rows.rows()};
    if (method != SampleMethod::Random && classes) {
        MR_TRY(sizes, countClasses(rows, stop));
    }
    auto wanted =
        method == SampleMethod::Balanced ? balanced(sizes, fraction) : proportional(sizes, part(rows.rows(), fraction));
    MR_TRY(const auto chosen, choose(rows, std::move(sizes), std::move(wanted), seed, "data.sample", stop));
    return select(rows, chosen);
}

} // namespace millrace::data
