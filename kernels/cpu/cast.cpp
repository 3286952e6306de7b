// Conversions between types of elements.
#include "kernels/ops/cast.h"

#include "kernels/base/half.h"
#include "kernels/cpu/make_kernel.h"
#include "kernels/cpu/parallel.h"

namespace millrace::kernels::cpu {

namespace {

constexpr double kNanosecondsPerElement = 1;

float read(const void* values, DType type, std::int64_t i)
{
    if (type == DType::F32) return static_cast<const float*>(values)[i];
    const std::uint16_t bits = static_cast<const std::uint16_t*>(values)[i];
    return type == DType::BF16 ? fromBf16(bits) : fromF16(bits);
}

void write(void* values, DType type, std::int64_t i, float value)
{
    if (type == DType::F32)
        static_cast<float*>(values)[i] = value;
    else
        static_cast<std::uint16_t*>(values)[i] = type == DType::BF16 ? toBf16(value) : toF16(value);
}

bool isFloating(DType type)
{
    return type == DType::F32 || type == DType::BF16 || type == DType::F16;
}

} // namespace

KernelResult makeCast(const Cast& cast, int threads)
{
    MR_CHECK(requirePositive("cast", {{"elements", cast.elements}}));
    if (!isFloating(cast.from) || !isFloating(cast.to) || cast.from == cast.to)
        return makeError(Code::InvalidArgument, str("cast: from ", name(cast.from), " to ", name(cast.to),
                                                    ", expected two of f32, bf16 and f16."));
    return makeKernel([cast, threads](const Arguments& arguments) {
        parallelFor(threads, cast.elements, kNanosecondsPerElement, [&](std::int64_t begin, std::int64_t end) {
            for (std::int64_t i = begin; i < end; ++i)
                write(arguments.outputs[0], cast.to, i, read(arguments.inputs[0], cast.from, i));
        });
    });
}

} // namespace millrace::kernels::cpu
