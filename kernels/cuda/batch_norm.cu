// Batch normalisation over rows of channels. What is subtle: statistics are those of deviations, so that a mean far
// from zero costs no digits. Each thread sums deviations from the first value it meets and squares of them, and then
// has a mean and a sum of squared deviations of its rows; these are merged in a fixed order, of groups within a block,
// then of blocks in f64 (Chan, Golub, LeVeque 1983). Backward first sums over rows what every element then needs; where
// the addend's gradient is wanted, it is written in that pass and read in the second instead of dy and y. Source:
// Ioffe, Szegedy 2015, arXiv:1502.03167, algorithm 1; derivatives as in kernels/ops/batch_norm.h.
#include "kernels/ops/batch_norm.h"

#include "kernels/cuda/kernel.h"
#include "kernels/cuda/row_blocks.h"
#include "kernels/ops/check.h"

namespace millrace::kernels::cuda {

namespace {

constexpr int kMergeGroups = 32; // of a block that merges parts: it has so many warps

/// n values with a mean, and the sum of their squared deviations from it.
template <class Number> struct Moments
{
    Number count = 0, mean = 0, squares = 0;

    __device__ void merge(const Moments& other)
    {
        if (other.count == 0) return;
        const Number all = count + other.count, difference = other.mean - mean;
        mean += difference * (other.count / all);
        squares += other.squares + difference * difference * (count * other.count / all);
        count = all;
    }
};

// kernels

/// partial[part,0,c] and [part,1,c]: mean and squared deviations of the part's rows.
template <class T, int N>
__global__ void momentsOfParts(const T* x, std::int64_t rows, std::int64_t columns, std::int64_t rowsPerPart,
                               float* partial)
{
    __shared__ float means[kRowBlockThreads * N], squares[kRowBlockThreads * N];
    const RowPlace place(rows, columns, rowsPerPart, N);
    const std::int64_t first = place.begin + place.group;
    float origin[N] = {}, sum[N] = {}, square[N] = {};
    float count = 0;
    if (place.inside && first < place.end) {
        const auto values = Values<T, N>::load(x + first * columns + place.column);
        for (int i = 0; i < N; ++i) origin[i] = values.at[i];
        count = 1;
        for (std::int64_t row = first + place.groups; row < place.end; row += place.groups) {
            const auto next = Values<T, N>::load(x + row * columns + place.column);
            for (int i = 0; i < N; ++i) {
                const float deviation = next.at[i] - origin[i];
                sum[i] += deviation;
                square[i] += deviation * deviation;
            }
            count += 1;
        }
    }
    for (int i = 0; i < N; ++i) {
        const float mean = count > 0 ? sum[i] / count : 0;
        means[place.slot(place.group, i, N)] = origin[i] + mean;
        const float rest = square[i] - sum[i] * mean;
        squares[place.slot(place.group, i, N)] = rest < 0 ? 0 : rest;
    }
    __syncthreads();
    if (place.group > 0 || !place.inside) return;
    const std::int64_t inPart = place.end - place.begin;
    for (int i = 0; i < N; ++i) {
        Moments<float> all;
        for (int group = 0; group < place.groups && group < inPart; ++group)
            all.merge({static_cast<float>((inPart - group + place.groups - 1) / place.groups),
                       means[place.slot(group, i, N)], squares[place.slot(group, i, N)]});
        partial[(blockIdx.y * 2) * columns + place.column + i] = all.mean;
        partial[(blockIdx.y * 2 + 1) * columns + place.column + i] = all.squares;
    }
}

struct RunningStatistics
{
    const float *mean, *variance;
    float *newMean, *newVariance;
    double momentum, epsilon;
};

/// Of the parts' moments those of all rows: mean and rstd, and the running ones.
__global__ void mergeMoments(const float* partial, std::int64_t rows, std::int64_t columns, std::int64_t parts,
                             std::int64_t rowsPerPart, RunningStatistics running, float* meanOut, float* rstdOut)
{
    __shared__ double means[kMergeGroups][kWarp], squares[kMergeGroups][kWarp], counts[kMergeGroups][kWarp];
    const int lane = static_cast<int>(threadIdx.x), group = static_cast<int>(threadIdx.y);
    const std::int64_t c = static_cast<std::int64_t>(blockIdx.x) * kWarp + lane;
    Moments<double> all;
    for (std::int64_t part = group; c < columns && part < parts; part += kMergeGroups) {
        const std::int64_t left = rows - part * rowsPerPart;
        all.merge({static_cast<double>(left < rowsPerPart ? left : rowsPerPart),
                   static_cast<double>(partial[part * 2 * columns + c]),
                   static_cast<double>(partial[(part * 2 + 1) * columns + c])});
    }
    means[group][lane] = all.mean, squares[group][lane] = all.squares, counts[group][lane] = all.count;
    __syncthreads();
    if (group > 0 || c >= columns) return;
    for (int other = 1; other < kMergeGroups; ++other)
        all.merge({counts[other][lane], means[other][lane], squares[other][lane]});
    const double variance = all.squares / all.count;
    const double unbiased = all.count > 1 ? all.squares / (all.count - 1) : variance;
    meanOut[c] = static_cast<float>(all.mean);
    rstdOut[c] = static_cast<float>(1 / sqrt(variance + running.epsilon));
    const double kept = 1 - running.momentum, taken = running.momentum;
    running.newMean[c] = static_cast<float>(kept * static_cast<double>(running.mean[c]) + taken * all.mean);
    running.newVariance[c] = static_cast<float>(kept * static_cast<double>(running.variance[c]) + taken * unbiased);
}

__global__ void rstdOfVariance(const float* variance, double epsilon, std::int64_t columns, float* rstd)
{
    const std::int64_t c = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (c < columns) rstd[c] = static_cast<float>(1 / sqrt(static_cast<double>(variance[c]) + epsilon));
}

/// addend may be null. y may be x or the addend.
template <class T, int N>
__global__ void normalise(const T* x, const float* weight, const float* bias, const float* mean, const float* rstd,
                          const T* addend, bool relu, std::int64_t rows, std::int64_t columns, std::int64_t rowsPerPart,
                          T* y)
{
    const RowPlace place(rows, columns, rowsPerPart, N);
    if (!place.inside) return;
    float factor[N], origin[N], shift[N];
    for (int i = 0; i < N; ++i) {
        const std::int64_t c = place.column + i;
        factor[i] = rstd[c] * weight[c], origin[i] = mean[c], shift[i] = bias[c];
    }
    for (std::int64_t row = place.begin + place.group; row < place.end; row += place.groups) {
        const std::int64_t at = row * columns + place.column;
        auto values = Values<T, N>::load(x + at);
        for (int i = 0; i < N; ++i) values.at[i] = (values.at[i] - origin[i]) * factor[i] + shift[i];
        if (addend) {
            const auto added = Values<T, N>::load(addend + at);
            for (int i = 0; i < N; ++i) values.at[i] += added.at[i];
        }
        if (relu) {
            for (int i = 0; i < N; ++i) values.at[i] = values.at[i] < 0 ? 0 : values.at[i]; // NaN stays NaN
        }
        values.store(y + at);
    }
}

/// partial[part,0,c]: the sum of dy; [part,1,c]: of dy (x - mean). dy counts where y > 0, or everywhere where y is
/// null; what counts is written to masked, unless that is null.
template <class T, int N>
__global__ void gradientSums(const T* x, const T* dy, const T* y, const float* mean, std::int64_t rows,
                             std::int64_t columns, std::int64_t rowsPerPart, T* masked, float* partial)
{
    __shared__ float sums[kRowBlockThreads * N], products[kRowBlockThreads * N];
    const RowPlace place(rows, columns, rowsPerPart, N);
    float origin[N] = {}, sum[N] = {}, product[N] = {};
    if (place.inside) {
        for (int i = 0; i < N; ++i) origin[i] = mean[place.column + i];
        for (std::int64_t row = place.begin + place.group; row < place.end; row += place.groups) {
            const std::int64_t at = row * columns + place.column;
            auto gradient = Values<T, N>::load(dy + at);
            if (y) {
                const auto result = Values<T, N>::load(y + at);
                for (int i = 0; i < N; ++i) gradient.at[i] = result.at[i] > 0 ? gradient.at[i] : 0;
            }
            if (masked) gradient.store(masked + at);
            const auto values = Values<T, N>::load(x + at);
            for (int i = 0; i < N; ++i) {
                sum[i] += gradient.at[i];
                product[i] += gradient.at[i] * (values.at[i] - origin[i]);
            }
        }
    }
    for (int i = 0; i < N; ++i) {
        sums[place.slot(place.group, i, N)] = sum[i];
        products[place.slot(place.group, i, N)] = product[i];
    }
    __syncthreads();
    if (place.group > 0 || !place.inside) return;
    for (int i = 0; i < N; ++i) {
        for (int group = 1; group < place.groups; ++group) {
            sum[i] += sums[place.slot(group, i, N)];
            product[i] += products[place.slot(group, i, N)];
        }
        partial[(blockIdx.y * 2) * columns + place.column + i] = sum[i];
        partial[(blockIdx.y * 2 + 1) * columns + place.column + i] = product[i];
    }
}

/// What dx = factor (dy - shift - (x - mean) slope) needs, and the parameters' gradients, which may be null.
struct GradientTerms
{
    float *factor, *shift, *slope;
    float *dweight, *dbias;
};

__global__ void mergeGradients(const float* partial, std::int64_t rows, std::int64_t columns, std::int64_t parts,
                               const float* weight, const float* rstd, GradientTerms terms)
{
    __shared__ double sums[kMergeGroups][kWarp], products[kMergeGroups][kWarp];
    const int lane = static_cast<int>(threadIdx.x), group = static_cast<int>(threadIdx.y);
    const std::int64_t c = static_cast<std::int64_t>(blockIdx.x) * kWarp + lane;
    double sum = 0, product = 0;
    for (std::int64_t part = group; c < columns && part < parts; part += kMergeGroups) {
        sum += static_cast<double>(partial[part * 2 * columns + c]);
        product += static_cast<double>(partial[(part * 2 + 1) * columns + c]);
    }
    sums[group][lane] = sum, products[group][lane] = product;
    __syncthreads();
    if (group > 0 || c >= columns) return;
    for (int other = 1; other < kMergeGroups; ++other) sum += sums[other][lane], product += products[other][lane];
    const double scale = static_cast<double>(rstd[c]), dweight = product * scale;
    const auto n = static_cast<double>(rows);
    terms.factor[c] = static_cast<float>(static_cast<double>(weight[c]) * scale);
    terms.shift[c] = static_cast<float>(sum / n);
    terms.slope[c] = static_cast<float>(scale * dweight / n);
    if (terms.dweight) terms.dweight[c] = static_cast<float>(dweight);
    if (terms.dbias) terms.dbias[c] = static_cast<float>(sum);
}

/// dx may be dy. y as in gradientSums.
template <class T, int N>
__global__ void dataGradient(const T* x, const T* dy, const T* y, const float* mean, GradientTerms terms,
                             std::int64_t rows, std::int64_t columns, std::int64_t rowsPerPart, T* dx)
{
    const RowPlace place(rows, columns, rowsPerPart, N);
    if (!place.inside) return;
    float origin[N], factor[N], shift[N], slope[N];
    for (int i = 0; i < N; ++i) {
        const std::int64_t c = place.column + i;
        origin[i] = mean[c], factor[i] = terms.factor[c], shift[i] = terms.shift[c], slope[i] = terms.slope[c];
    }
    for (std::int64_t row = place.begin + place.group; row < place.end; row += place.groups) {
        const std::int64_t at = row * columns + place.column;
        auto gradient = Values<T, N>::load(dy + at);
        if (y) {
            const auto result = Values<T, N>::load(y + at);
            for (int i = 0; i < N; ++i) gradient.at[i] = result.at[i] > 0 ? gradient.at[i] : 0;
        }
        const auto values = Values<T, N>::load(x + at);
        for (int i = 0; i < N; ++i)
            gradient.at[i] = factor[i] * (gradient.at[i] - shift[i] - (values.at[i] - origin[i]) * slope[i]);
        gradient.store(dx + at);
    }
}

// launchers

constexpr dim3 kMergeBlock(kWarp, kMergeGroups);

Status check(const BatchNorm& norm)
{
    return requirePositive("batch_norm", {{"rows", norm.rows}, {"channels", norm.channels}});
}

template <class T, int N> KernelResult makeForward(Context& context, const BatchNorm& norm)
{
    const RowBlocks blocks(context, norm.rows, norm.channels, N);
    const std::int64_t R = norm.rows, C = norm.channels;
    const std::uint64_t scratchBytes =
        static_cast<std::uint64_t>(norm.training ? blocks.parts() * 2 * C : C) * sizeof(float);
    return makeKernel(
        [&context, norm, blocks, R, C](const Arguments& arguments) {
            const auto* x = static_cast<const T*>(arguments.inputs[0]);
            const auto* addend = norm.addend ? static_cast<const T*>(arguments.inputs[5]) : nullptr;
            auto* scratch = reinterpret_cast<float*>(arguments.scratch);
            const float *mean = arguments.input(3), *rstd = scratch;
            if (norm.training) {
                launch(context, momentsOfParts<T, N>, blocks.grid, blocks.block, 0, x, R, C, blocks.rowsPerPart,
                       scratch);
                const RunningStatistics running{arguments.input(3),  arguments.input(4), arguments.output(3),
                                                arguments.output(4), norm.momentum,      norm.epsilon};
                launch(context, mergeMoments, blocksFor(C, kWarp), kMergeBlock, 0, scratch, R, C, blocks.parts(),
                       blocks.rowsPerPart, running, arguments.output(1), arguments.output(2));
                mean = arguments.output(1), rstd = arguments.output(2);
            } else {
                launch(context, rstdOfVariance, blocksFor(C, kRowBlockThreads), dim3(kRowBlockThreads), 0,
                       arguments.input(4), norm.epsilon, C, scratch);
            }
            launch(context, normalise<T, N>, blocks.grid, blocks.block, 0, x, arguments.input(1), arguments.input(2),
                   mean, rstd, addend, norm.relu, R, C, blocks.rowsPerPart, static_cast<T*>(arguments.outputs[0]));
        },
        scratchBytes);
}

template <class T, int N> KernelResult makeBackward(Context& context, const BatchNorm& norm)
{
    const RowBlocks blocks(context, norm.rows, norm.channels, N);
    const std::int64_t R = norm.rows, C = norm.channels;
    const std::uint64_t scratchBytes = static_cast<std::uint64_t>((blocks.parts() * 2 + 3) * C) * sizeof(float);
    return makeKernel(
        [&context, norm, blocks, R, C](const Arguments& arguments) {
            const auto *x = static_cast<const T*>(arguments.inputs[0]),
                       *dy = static_cast<const T*>(arguments.inputs[4]);
            const auto* y = norm.relu ? static_cast<const T*>(arguments.inputs[5]) : nullptr;
            auto* daddend = norm.addend ? static_cast<T*>(arguments.outputs[3]) : nullptr;
            const float *weight = arguments.input(1), *mean = arguments.input(2), *rstd = arguments.input(3);
            auto* terms = reinterpret_cast<float*>(arguments.scratch);
            float* partial = terms + 3 * C;
            const GradientTerms gradient{terms, terms + C, terms + 2 * C, arguments.output(1), arguments.output(2)};
            launch(context, gradientSums<T, N>, blocks.grid, blocks.block, 0, x, dy, y, mean, R, C, blocks.rowsPerPart,
                   daddend, partial);
            launch(context, mergeGradients, blocksFor(C, kWarp), kMergeBlock, 0, partial, R, C, blocks.parts(), weight,
                   rstd, gradient);
            auto* dx = static_cast<T*>(arguments.outputs[0]);
            if (!dx) return;
            const bool isMasked = daddend && y; // then the second pass reads what the first one wrote
            launch(context, dataGradient<T, N>, blocks.grid, blocks.block, 0, x, isMasked ? daddend : dy,
                   isMasked ? nullptr : y, mean, gradient, R, C, blocks.rowsPerPart, dx);
        },
        scratchBytes);
}

} // namespace

KernelResult makeBatchNorm(Context& context, const BatchNorm& norm, DType type)
{
    MR_CHECK(check(norm));
    return byTypeAndColumns(type, norm.channels, [&](auto element, auto count) {
        return makeForward<decltype(element), count>(context, norm);
    });
}

KernelResult makeBatchNormBackward(Context& context, const BatchNorm& norm, DType type)
{
    MR_CHECK(check(norm));
    return byTypeAndColumns(type, norm.channels, [&](auto element, auto count) {
        return makeBackward<decltype(element), count>(context, norm);
    });
}

} // namespace millrace::kernels::cuda
