// Group normalisation on a GPU: a block takes a group of a sample. Its threads stand in a rectangle, some channels
// wide, so that neighbours read neighbouring channels of a position; each keeps to its channels and walks down the
// positions. Backward, a block's sums over positions give dx and are left, channel by channel, as its sample's share of
// dscale and dbias. A group is read two or three times; it mostly stays in the second cache.
#include "kernels/ops/group_norm.h"

#include "kernels/cuda/column_sums.h"
#include "kernels/cuda/kernel.h"
#include "kernels/cuda/values.h"
#include "kernels/ops/check.h"

#include <algorithm>

namespace millrace::kernels::cuda {

namespace {

constexpr int kThreads = 256;

struct Shape
{
    std::int64_t batch, positions, channels, groups;
    float epsilon;

    __device__ std::int64_t width() const { return channels / groups; }
};

/// The place of a thread: it takes the channels `channel` to channel + N of its group, then those `channelStep` further
/// on, at the positions from `position` on in steps of `positionStep`.
template <int N> struct Place
{
    std::int64_t sample, group, channel, channelStep, position, positionStep;
    std::int64_t origin; ///< of the sample's elements

    __device__ Place(const Shape& shape, std::int64_t index, int lanes)
        : sample(index / shape.groups), group(index % shape.groups),
          channel(static_cast<std::int64_t>(static_cast<int>(threadIdx.x) % lanes) * N),
          channelStep(static_cast<std::int64_t>(lanes) * N), position(static_cast<int>(threadIdx.x) / lanes),
          positionStep(kThreads / lanes), origin(sample * shape.positions * shape.channels)
    {
    }
    /// Calls with the place of each of the thread's pieces in memory, and its first channel.
    template <class Call> __device__ void forEach(const Shape& shape, const Call& call) const
    {
        for (std::int64_t c = channel; c < shape.width(); c += channelStep) {
            const std::int64_t inAll = group * shape.width() + c;
            for (std::int64_t p = position; p < shape.positions; p += positionStep)
                call(origin + p * shape.channels + inAll, inAll);
        }
    }
};

template <class T, int N>
__global__ void forward(const T* x, const float* scale, const float* bias, T* y, float* mean, float* rstd, Shape shape,
                        int lanes)
{
    using Piece = Values<T, N>;
    const float factor = 1.0F / static_cast<float>(shape.positions * shape.width());
    for (std::int64_t index = blockIdx.x; index < shape.batch * shape.groups; index += gridDim.x) {
        const Place<N> place(shape, index, lanes);
        float sum = 0, square = 0;
        place.forEach(shape, [&](std::int64_t at, std::int64_t) {
            const Piece piece = Piece::load(x + at);
            for (int i = 0; i < N; ++i) sum += piece.at[i];
        });
        const float groupMean = blockSum(sum) * factor;
        place.forEach(shape, [&](std::int64_t at, std::int64_t) {
            const Piece piece = Piece::load(x + at);
            for (int i = 0; i < N; ++i) square += (piece.at[i] - groupMean) * (piece.at[i] - groupMean);
        });
        const float groupRstd = 1.0F / sqrtf(blockSum(square) * factor + shape.epsilon);
        if (threadIdx.x == 0) {
            if (mean) mean[index] = groupMean;
            if (rstd) rstd[index] = groupRstd;
        }
        place.forEach(shape, [&](std::int64_t at, std::int64_t channel) {
            Piece piece = Piece::load(x + at);
            const auto scales = Values<float, N>::load(scale + channel),
                       biases = Values<float, N>::load(bias + channel);
            for (int i = 0; i < N; ++i)
                piece.at[i] = (piece.at[i] - groupMean) * groupRstd * scales.at[i] + biases.at[i];
            piece.store(y + at);
        });
    }
}

template <class T> struct BackwardOperands
{
    const T *x, *dy;
    const float *scale, *mean, *rstd;
    T* dx;           ///< may be null
    float* partials; ///< (B,2,C): each sample's share of dscale and dbias
};

template <class T, int N> __global__ void backward(BackwardOperands<T> o, Shape shape, int lanes)
{
    using Piece = Values<T, N>;
    float* shared = dynamicShared<float>(); // (kThreads / lanes) rows of (lanes,2,N)
    const int rowSize = lanes * 2 * N, rows = kThreads / lanes, thread = static_cast<int>(threadIdx.x);
    const float factor = 1.0F / static_cast<float>(shape.positions * shape.width());
    for (std::int64_t index = blockIdx.x; index < shape.batch * shape.groups; index += gridDim.x) {
        const Place<N> place(shape, index, lanes);
        const float mean = o.mean[index], rstd = o.rstd[index];
        float* partials = o.partials + place.sample * 2 * shape.channels + place.group * shape.width();
        const float* scale = o.scale + place.group * shape.width();
        float sum = 0, product = 0;
        for (std::int64_t block = 0; block < shape.width(); block += place.channelStep) {
            const std::int64_t c = block + place.channel;
            float values[2][N] = {};
            for (std::int64_t p = place.position; c < shape.width() && p < shape.positions; p += place.positionStep) {
                const std::int64_t at = place.origin + p * shape.channels + place.group * shape.width() + c;
                const Piece x = Piece::load(o.x + at), dy = Piece::load(o.dy + at);
                for (int i = 0; i < N; ++i) {
                    values[0][i] += dy.at[i] * ((x.at[i] - mean) * rstd);
                    values[1][i] += dy.at[i];
                }
            }
            for (int i = 0; i < 2 * N; ++i) shared[thread * 2 * N + i] = values[i / N][i % N];
            __syncthreads();
            for (int i = thread; i < rowSize; i += kThreads) { // a column of the rectangle each
                const std::int64_t channel = block + i / (2 * N) * N + i % N;
                if (channel >= shape.width()) continue;
                float all = 0;
                for (int row = 0; row < rows; ++row) all += shared[row * rowSize + i];
                const bool isBias = i / N % 2 == 1;
                partials[(isBias ? shape.channels : 0) + channel] = all;
                (isBias ? sum : product) += all * scale[channel];
            }
            __syncthreads(); // before the next channels
        }
        sum = blockSum(sum) * factor;
        product = blockSum(product) * factor;
        if (!o.dx) continue;
        place.forEach(shape, [&](std::int64_t at, std::int64_t channel) {
            Piece piece = Piece::load(o.x + at);
            const Piece dy = Piece::load(o.dy + at);
            const auto scales = Values<float, N>::load(o.scale + channel);
            for (int i = 0; i < N; ++i)
                piece.at[i] = rstd * (dy.at[i] * scales.at[i] - sum - (piece.at[i] - mean) * rstd * product);
            piece.store(o.dx + at);
        });
    }
}

Status check(const GroupNorm& n)
{
    MR_CHECK(requirePositive(
        "group_norm",
        {{"batch", n.batch}, {"positions", n.positions}, {"channels", n.channels}, {"groups", n.groups}}));
    if (n.channels % n.groups == 0) return {};
    return makeError(Code::InvalidArgument,
                     str("group_norm: ", n.channels, " channels cannot be split into ", n.groups, " groups."));
}

/// How many threads stand side by side: a power of two that a group's channels keep busy, at most a warp.
int lanesFor(std::int64_t pieces)
{
    int lanes = 1;
    while (lanes < kWarp && lanes < pieces) lanes *= 2;
    return lanes;
}

Shape shapeOf(const GroupNorm& n)
{
    return {n.batch, n.positions, n.channels, n.groups, static_cast<float>(n.epsilon)};
}

} // namespace

KernelResult makeGroupNorm(Context& context, const GroupNorm& norm, DType type)
{
    MR_CHECK(check(norm));
    return byTypeAndColumns(type, norm.channels / norm.groups, [&](auto element, auto count) {
        using T = decltype(element);
        constexpr int N = decltype(count)::value;
        const Shape shape = shapeOf(norm);
        const int lanes = lanesFor(norm.channels / norm.groups / N);
        return makeKernel([&context, shape, lanes](const Arguments& a) {
            launch(context, forward<T, N>, blocksFor(shape.batch * shape.groups, 1), dim3(kThreads), 0,
                   static_cast<const T*>(a.inputs[0]), a.input(1), a.input(2), static_cast<T*>(a.outputs[0]),
                   a.output(1), a.output(2), shape, lanes);
        });
    });
}

KernelResult makeGroupNormBackward(Context& context, const GroupNorm& norm, DType type)
{
    MR_CHECK(check(norm));
    return byTypeAndColumns(type, norm.channels / norm.groups, [&](auto element, auto count) {
        using T = decltype(element);
        constexpr int N = decltype(count)::value;
        const Shape shape = shapeOf(norm);
        const int lanes = lanesFor(norm.channels / norm.groups / N);
        const auto run = [&context, shape, lanes](const Arguments& a) {
            auto* partials = reinterpret_cast<float*>(a.scratch);
            const BackwardOperands<T> operands{.x = static_cast<const T*>(a.inputs[0]),
                                               .dy = static_cast<const T*>(a.inputs[4]),
                                               .scale = a.input(1),
                                               .mean = a.input(2),
                                               .rstd = a.input(3),
                                               .dx = static_cast<T*>(a.outputs[0]),
                                               .partials = partials};
            launch(context, backward<T, N>, blocksFor(shape.batch * shape.groups, 1), dim3(kThreads),
                   sizeof(float) * kThreads * 2 * N, operands, shape, lanes);
            if (a.output(1) || a.output(2))
                sumPartials(context, partials, shape.batch, 2 * shape.channels, shape.channels, a.output(1),
                            a.output(2));
        };
        return makeKernel(run, static_cast<std::uint64_t>(norm.batch * 2 * norm.channels) * sizeof(float));
    });
}

} // namespace millrace::kernels::cuda
