// Joining along an axis and cutting along one: for each part its rows are copied, or zeros written, in the largest
// units of 16, 4 or 2 bytes that its place in the rows allows.
#include "kernels/cuda/device_code.h"
#include "kernels/cuda/kernel.h"
#include "kernels/ops/check.h"

namespace millrace::kernels::cuda {

namespace {

constexpr int kThreads = 256;

/// Rows of `size` units that begin fromStride and toStride apart.
struct Rows
{
    std::int64_t count, size, fromStride, toStride;
};

// kernels

/// from: null for zeros.
template <class Unit> __global__ void __launch_bounds__(kThreads) copyRows(Rows rows, const Unit* from, Unit* to)
{
    const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
    if (i >= rows.count * rows.size) return;
    const std::int64_t row = i / rows.size, place = i % rows.size;
    to[row * rows.toStride + place] = from ? from[row * rows.fromStride + place] : Unit{};
}

// launchers

template <class Unit> void copyBytes(Context& context, const Rows& bytes, const std::byte* from, std::byte* to)
{
    constexpr auto kUnit = static_cast<std::int64_t>(sizeof(Unit));
    launch(context, copyRows<Unit>, blocksFor(bytes.count * bytes.size / kUnit, kThreads), kThreads, 0,
           Rows{bytes.count, bytes.size / kUnit, bytes.fromStride / kUnit, bytes.toStride / kUnit},
           reinterpret_cast<const Unit*>(from), reinterpret_cast<Unit*>(to));
}

/// Sizes and strides in bytes; `offset` bytes into its row is where the part begins on one of the sides.
void copy(Context& context, const Rows& bytes, std::int64_t offset, const std::byte* from, std::byte* to)
{
    if (bytes.size == 0) return;
    const auto divides = [&](std::int64_t unit) {
        return (bytes.size | bytes.fromStride | bytes.toStride | offset) % unit == 0; // a power of two
    };
    if (divides(16))
        copyBytes<uint4>(context, bytes, from, to);
    else if (divides(4))
        copyBytes<std::uint32_t>(context, bytes, from, to);
    else
        copyBytes<std::uint16_t>(context, bytes, from, to);
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

} // namespace

KernelResult makeConcatenate(Context& context, const Concatenate& join, DType type)
{
    MR_CHECK(check(join));
    return makeKernel([&context, join, unit = static_cast<std::int64_t>(sizeBytes(type))](const Arguments& arguments) {
        const std::int64_t stride = join.rowSize() * unit;
        auto* y = static_cast<std::byte*>(arguments.outputs[0]);
        std::int64_t offset = 0;
        std::size_t input = 0;
        for (const auto& [size, there] : join.parts) {
            const auto* part = there ? static_cast<const std::byte*>(arguments.inputs[input++]) : nullptr;
            copy(context, {join.outer, size * unit, size * unit, stride}, offset, part, y + offset);
            offset += size * unit;
        }
    });
}

KernelResult makeConcatenateBackward(Context& context, const Concatenate& join, DType type)
{
    MR_CHECK(check(join));
    return makeKernel([&context, join, unit = static_cast<std::int64_t>(sizeBytes(type))](const Arguments& arguments) {
        const std::int64_t stride = join.rowSize() * unit;
        const auto* y = static_cast<const std::byte*>(arguments.inputs[0]);
        std::int64_t offset = 0;
        std::size_t output = 0;
        for (const auto& [size, there] : join.parts) {
            auto* part = there ? static_cast<std::byte*>(arguments.outputs[output++]) : nullptr;
            if (part) copy(context, {join.outer, size * unit, stride, size * unit}, offset, y + offset, part);
            offset += size * unit;
        }
    });
}

} // namespace millrace::kernels::cuda
