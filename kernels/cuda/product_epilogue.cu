// Nothing is subtle: each thread takes a few neighbours of one row (16 bytes where rows are so aligned) and writes them
// where it read them. Arithmetic is f32.
#include "kernels/cuda/product_epilogue.h"

#include "kernels/cuda/gelu.h"
#include "kernels/cuda/values.h"

namespace millrace::kernels::cuda {

namespace {

/// n groups of N elements.
template <class T, int N>
__global__ void applyKernel(T* d, const T* bias, T* z, Epilogue epilogue, std::int64_t n, std::int64_t columns)
{
    const std::int64_t group = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (group >= n) return;
    auto values = Values<T, N>::load(d + group * N);
    if (bias) {
        const auto added = Values<T, N>::load(bias + group * N % columns);
        for (int i = 0; i < N; ++i) values.at[i] += added.at[i];
    }
    if (z) values.store(z + group * N);
    for (int i = 0; i < N; ++i) {
        const float value = values.at[i];
        if (epilogue == Epilogue::Relu)
            values.at[i] = value < 0 ? 0 : value; // NaN stays NaN
        else if (epilogue == Epilogue::GeluTanh)
            values.at[i] = geluTanh(value);
    }
    values.store(d + group * N);
}

template <class T, int N> __global__ void applyGradientKernel(T* d, const T* v, Epilogue epilogue, std::int64_t n)
{
    const std::int64_t group = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (group >= n) return;
    auto values = Values<T, N>::load(d + group * N);
    const auto inputs = Values<T, N>::load(v + group * N);
    for (int i = 0; i < N; ++i) {
        if (epilogue == Epilogue::Relu)
            values.at[i] = inputs.at[i] > 0 ? values.at[i] : 0;
        else
            values.at[i] *= geluTanhSlope(inputs.at[i]);
    }
    values.store(d + group * N);
}

constexpr int kThreads = 256;

} // namespace

void applyEpilogue(Context& context, DType type, Epilogue epilogue, void* d, const void* bias, void* z,
                   std::int64_t rows, std::int64_t columns)
{
    byTypeAndColumns(type, columns, [&](auto element, auto count) {
        using T = decltype(element);
        const std::int64_t n = rows * columns / count;
        launch(context, applyKernel<T, count>, blocksFor(n, kThreads), dim3(kThreads), 0, static_cast<T*>(d),
               static_cast<const T*>(bias), static_cast<T*>(z), epilogue, n, columns);
    });
}

void applyEpilogueGradient(Context& context, DType type, Epilogue epilogue, void* d, const void* v,
                           std::int64_t elements)
{
    byTypeAndColumns(type, elements, [&](auto element, auto count) {
        using T = decltype(element);
        const std::int64_t n = elements / count;
        launch(context, applyGradientKernel<T, count>, blocksFor(n, kThreads), dim3(kThreads), 0, static_cast<T*>(d),
               static_cast<const T*>(v), epilogue, n);
    });
}

} // namespace millrace::kernels::cuda
