// Softmax over rows: a block for each row, which reads it twice; the second time it comes from a cache.
#include "kernels/cuda/kernel.h"
#include "kernels/cuda/rows.h"

namespace millrace::kernels::cuda {

namespace {

constexpr int kMostThreads = 512;

// kernels

template <class T> __global__ void __launch_bounds__(kMostThreads) softmax(const T* x, T* y, int columns)
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
    const float factor = 1.0F / row.sum;
    forEachPiece(block, x + first, columns, [&](int c, auto piece) {
        float values[piece.value];
        loadPiece(x + first + c, values);
        for (float& value : values) value = expf(value - row.maximum) * factor;
        storePiece(y + first + c, values);
    });
}

template <class T>
__global__ void __launch_bounds__(kMostThreads) softmaxBackward(const T* y, const T* dy, T* dx, int columns)
{
    const std::int64_t first = static_cast<std::int64_t>(blockIdx.x) * columns;
    const BlockOfRow block;
    float dot = 0;
    forEachPiece(block, y + first, columns, [&](int c, auto piece) {
        float values[piece.value], gradients[piece.value];
        loadPiece(y + first + c, values);
        loadPiece(dy + first + c, gradients);
        for (int k = 0; k < piece.value; ++k) dot += values[k] * gradients[k];
    });
    dot = blockSum(dot);
    forEachPiece(block, y + first, columns, [&](int c, auto piece) {
        float values[piece.value], gradients[piece.value];
        loadPiece(y + first + c, values);
        loadPiece(dy + first + c, gradients);
        for (int k = 0; k < piece.value; ++k) gradients[k] = values[k] * (gradients[k] - dot);
        storePiece(dx + first + c, gradients);
    });
}

} // namespace

// launchers

KernelResult makeSoftmax(Context& context, const Softmax& dimensions, DType type)
{
    MR_CHECK(requireRows("softmax", dimensions.rows, dimensions.columns));
    return byType(type, [&](auto element) {
        using T = decltype(element);
        return makeKernel([&context, dimensions](const Arguments& arguments) {
            launch(context, softmax<T>, blocksFor(dimensions.rows, 1), rowThreads<T>(dimensions.columns, kMostThreads),
                   0, static_cast<const T*>(arguments.inputs[0]), static_cast<T*>(arguments.outputs[0]),
                   dimensions.columns);
        });
    });
}

KernelResult makeSoftmaxBackward(Context& context, const Softmax& dimensions, DType type)
{
    MR_CHECK(requireRows("softmax", dimensions.rows, dimensions.columns));
    return byType(type, [&](auto element) {
        using T = decltype(element);
        return makeKernel([&context, dimensions](const Arguments& arguments) {
            launch(context, softmaxBackward<T>, blocksFor(dimensions.rows, 1),
                   rowThreads<T>(dimensions.columns, kMostThreads), 0, static_cast<const T*>(arguments.inputs[0]),
                   static_cast<const T*>(arguments.inputs[1]), static_cast<T*>(arguments.outputs[0]),
                   dimensions.columns);
        });
    });
}

} // namespace millrace::kernels::cuda
