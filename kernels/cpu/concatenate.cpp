// Joining along an axis and cutting along one: rows of parts are copied, or zeros written, one part after the other.
#include "kernels/ops/concatenate.h"

#include "kernels/cpu/make_kernel.h"
#include "kernels/cpu/parallel.h"

#include <algorithm>
#include <cstring>

namespace millrace::kernels::cpu {

namespace {

std::size_t bytesOf(std::int64_t elements)
{
    return static_cast<std::size_t>(elements) * sizeof(float);
}

Status check(const Concatenate& join)
{
    MR_CHECK(requirePositive("concatenate", {{"rows", join.outer}, {"the size of all parts", join.rowSize()}}));
    for (const Concatenate::Part& part : join.parts)
        if (part.size < 0)
            return makeError(Code::InvalidArgument,
                             str("concatenate: a part's size is ", part.size, ", expected at least 0."));
    return {};
}

double rowNanoseconds(const Concatenate& join)
{
    return 20 * static_cast<double>(join.parts.size()) + 0.1 * static_cast<double>(join.rowSize());
}

/// The rows begin … end of y.
void joinRows(const Concatenate& join, const Arguments& arguments, std::int64_t begin, std::int64_t end)
{
    const std::int64_t rowSize = join.rowSize();
    for (std::int64_t o = begin; o < end; ++o) {
        float* y = arguments.output(0) + o * rowSize;
        std::size_t input = 0;
        for (const auto& [size, there] : join.parts) {
            if (there)
                std::memcpy(y, arguments.input(input++) + o * size, bytesOf(size));
            else
                std::fill_n(y, size, 0.0F);
            y += size;
        }
    }
}

void cutRows(const Concatenate& join, const Arguments& arguments, std::int64_t begin, std::int64_t end)
{
    const std::int64_t rowSize = join.rowSize();
    for (std::int64_t o = begin; o < end; ++o) {
        const float* y = arguments.input(0) + o * rowSize;
        std::size_t output = 0;
        for (const auto& [size, there] : join.parts) {
            float* part = there ? arguments.output(output++) : nullptr;
            if (part) std::memcpy(part + o * size, y, bytesOf(size));
            y += size;
        }
    }
}

} // namespace

KernelResult makeConcatenate(const Concatenate& join, int threads)
{
    MR_CHECK(check(join));
    return makeKernel([join, threads](const Arguments& arguments) {
        parallelFor(threads, join.outer, rowNanoseconds(join),
                    [&](std::int64_t begin, std::int64_t end) { joinRows(join, arguments, begin, end); });
    });
}

KernelResult makeConcatenateBackward(const Concatenate& join, int threads)
{
    MR_CHECK(check(join));
    return makeKernel([join, threads](const Arguments& arguments) {
        parallelFor(threads, join.outer, rowNanoseconds(join),
                    [&](std::int64_t begin, std::int64_t end) { cutRows(join, arguments, begin, end); });
    });
}

} // namespace millrace::kernels::cpu
