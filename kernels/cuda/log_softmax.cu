// Logarithm of the softmax over rows: a block for each row, which reads it twice; the second time it comes from a
// cache.
#include "kernels/cuda/kernel.h"
#include "kernels/cuda/rows.h"

namespace millrace::kernels::cuda {

namespace {

constexpr int kMostThreads = 512;

// kernels

template <class T> __global__ void __launch_bounds__(kMostThreads) logSoftmax(const T* x, T* y, int columns)
{
    const std::int64_t first = static_cast<std::int64_t>(blockIdx.x) * columns;
    const BlockOfRow block;
    OnlineSoftmax row;
    forEachPiece(block, x + first, columns, [&](int c, auto piece) {
        float values[piece.value];
        loadPiece(x + first + c, values);
        row.add(values);
    });
    row.merge(block);
    const float logarithm = logf(row.sum);
    forEachPiece(block, x + first, columns, [&](int c, auto piece) {
        float values[piece.value];
        loadPiece(x + first + c, values);
        for (float& value : values) value = value - row.maximum - logarithm;
        storePiece(y + first + c, values);
    });
}

template <class T>
__global__ void __launch_bounds__(kMostThreads) logSoftmaxBackward(const T* y, const T* dy, T* dx, int columns)
{
    const std::int64_t first = static_cast<std::int64_t>(blockIdx.x) * columns;
    const BlockOfRow block;
    float sum = 0;
    forEachPiece(block, dy + first, columns, [&](int c, auto piece) {
        float gradients[piece.value];
        loadPiece(dy + first + c, gradients);
        for (const float gradient : gradients) sum += gradient;
    });
    sum = blockSum(sum);
    forEachPiece(block, dy + first, columns, [&](int c, auto piece) {
        float values[piece.value], gradients[piece.value];
        loadPiece(y + first + c, values);
        loadPiece(dy + first + c, gradients);
        for (int k = 0; k < piece.value; ++k) gradients[k] -= expf(values[k]) * sum;
        storePiece(dx + first + c, gradients);
    });
}

} // namespace

// launchers

KernelResult makeLogSoftmax(Context& context, const LogSoftmax& dimensions, DType type)
{
    MR_CHECK(requireRows("log_softmax", dimensions.rows, dimensions.columns));
    return byType(type, [&](auto element) {
        using T = decltype(element);
        return makeKernel([&context, dimensions](const Arguments& arguments) {
            launch(context, logSoftmax<T>, blocksFor(dimensions.rows, 1),
                   rowThreads<T>(dimensions.columns, kMostThreads), 0, static_cast<const T*>(arguments.inputs[0]),
                   static_cast<T*>(arguments.outputs[0]), dimensions.columns);
        });
    });
}

KernelResult makeLogSoftmaxBackward(Context& context, const LogSoftmax& dimensions, DType type)
{
    MR_CHECK(requireRows("log_softmax", dimensions.rows, dimensions.columns));
    return byType(type, [&](auto element) {
        using T = decltype(element);
        return makeKernel([&context, dimensions](const Arguments& arguments) {
            launch(context, logSoftmaxBackward<T>, blocksFor(dimensions.rows, 1),
                   rowThreads<T>(dimensions.columns, kMostThreads), 0, static_cast<const T*>(arguments.inputs[0]),
                   static_cast<const T*>(arguments.inputs[1]), static_cast<T*>(arguments.outputs[0]),
                   dimensions.columns);
        });
    });
}

} // namespace millrace::kernels::cuda
