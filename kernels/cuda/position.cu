// Learned positions on a GPU: a few neighbouring channels of a row for each thread. The offset is read where it lies,
// in the device's memory, so that a captured step serves every place. Backward, a thread adds its place's rows of all
// sequences in their order.
#include "kernels/ops/position.h"

#include "kernels/cuda/kernel.h"
#include "kernels/cuda/values.h"
#include "kernels/ops/check.h"

namespace millrace::kernels::cuda {

namespace {

constexpr int kThreads = 256;

__device__ std::int64_t offsetOf(const Position& p, const std::int32_t* offset)
{
    const std::int64_t most = p.places - p.steps, asked = offset ? *offset : 0;
    return asked < 0 ? 0 : asked > most ? most : asked;
}

template <class T, int N>
__global__ void forward(const T* x, const T* table, const std::int32_t* offset, T* y, Position p)
{
    using Piece = Values<T, N>;
    const std::int64_t pieces = p.width / N, all = p.batch * p.steps * pieces, first = offsetOf(p, offset);
    for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x; i < all;
         i += static_cast<std::int64_t>(gridDim.x) * kThreads) {
        const std::int64_t place = first + i / pieces % p.steps, c = i % pieces * N;
        Piece value = Piece::load(x + i * N);
        const Piece added = Piece::load(table + place * p.width + c);
        for (int k = 0; k < N; ++k) value.at[k] += added.at[k];
        value.store(y + i * N);
    }
}

template <class T, int N> __global__ void backward(const T* dy, const std::int32_t* offset, float* dtable, Position p)
{
    const std::int64_t row = p.steps * p.width, all = p.places * p.width, first = offsetOf(p, offset) * p.width;
    for (std::int64_t i = (static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x) * N; i < all;
         i += static_cast<std::int64_t>(gridDim.x) * kThreads * N) {
        Values<float, N> sum{};
        for (std::int64_t b = 0; i >= first && i < first + row && b < p.batch; ++b) {
            const auto value = Values<T, N>::load(dy + b * row + i - first);
            for (int k = 0; k < N; ++k) sum.at[k] += value.at[k];
        }
        sum.store(dtable + i);
    }
}

Status check(const Position& p)
{
    MR_CHECK(requirePositive("position",
                             {{"batch", p.batch}, {"steps", p.steps}, {"width", p.width}, {"places", p.places}}));
    if (p.steps <= p.places) return {};
    return makeError(Code::InvalidArgument,
                     str("position: a sequence of ", p.steps, " does not fit a table of ", p.places, " places."));
}

} // namespace

KernelResult makePosition(Context& context, const Position& p, DType type)
{
    MR_CHECK(check(p));
    return byTypeAndColumns(type, p.width, [&](auto element, auto count) {
        using T = decltype(element);
        constexpr int N = decltype(count)::value;
        return makeKernel([&context, p](const Arguments& a) {
            launch(context, forward<T, N>, blocksFor(p.batch * p.steps * (p.width / N), kThreads), dim3(kThreads), 0,
                   static_cast<const T*>(a.inputs[0]), static_cast<const T*>(a.inputs[1]),
                   static_cast<const std::int32_t*>(a.inputs[2]), static_cast<T*>(a.outputs[0]), p);
        });
    });
}

KernelResult makePositionBackward(Context& context, const Position& p, DType type)
{
    MR_CHECK(check(p));
    return byTypeAndColumns(type, p.width, [&](auto element, auto count) {
        using T = decltype(element);
        constexpr int N = decltype(count)::value;
        return makeKernel([&context, p](const Arguments& a) {
            launch(context, backward<T, N>, blocksFor(p.places * (p.width / N), kThreads), dim3(kThreads), 0,
                   static_cast<const T*>(a.inputs[0]), static_cast<const std::int32_t*>(a.inputs[1]), a.output(0), p);
        });
    });
}

} // namespace millrace::kernels::cuda
