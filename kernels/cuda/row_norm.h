// What layer and RMS normalisation share on a GPU.
//
// Forward, a team of threads takes a row: a warp takes a narrow one, a block a wide one. Each thread keeps its own
// elements of the row in shared memory between the passes (mean, squares about it, result), so that memory is read
// once; a row that does not fit is read again. Backward, a block takes a tile of rows into shared memory, a row to each
// team. The teams give dx; for the sums over rows (dscale, dbias) the block turns round, and each thread adds up
// columns over the tile. Each block leaves its sums in scratch memory, and sumPartials adds those in their order.
#pragma once

#include "kernels/cuda/column_sums.h"
#include "kernels/cuda/kernel.h"
#include "kernels/cuda/values.h"

#include <algorithm>

namespace millrace::kernels::cuda::row_norm {

constexpr int kRows = 4;                        ///< rows of a block whose teams are warps
constexpr std::int64_t kSharedBytes = 48 << 10; ///< what a block has without asking for more

/// The threads for rows of so many columns: x a row's, y rows.
inline dim3 blockFor(std::int64_t columns)
{
    if (columns <= 1024) return dim3(kWarp, kRows);
    return dim3(columns <= 8192 ? 256 : 1024);
}

/// Sum over the threads of a row. The threads of a block with one row must all call it.
inline __device__ float rowSum(float value)
{
    return blockDim.x == kWarp ? warpSum(value) : blockSum(value);
}

template <class T> struct ForwardOperands
{
    const T *a, *b;            ///< x = a, or a + b rounded to T
    const float *scale, *bias; ///< bias may be null
    T *sum, *y;                ///< sum: where a + b goes
    float *mean, *rstd;        ///< may be null
};

template <class T, int N, bool kCentred, bool kAdd>
__global__ void forward(ForwardOperands<T> o, std::int64_t rows, std::int64_t columns, float epsilon, bool staged)
{
    using Row = Values<T, N>;
    T* own = dynamicShared<T>() + threadIdx.y * columns;
    const std::int64_t begin = static_cast<std::int64_t>(threadIdx.x) * N,
                       stride = static_cast<std::int64_t>(blockDim.x) * N;
    const float factor = 1.0F / static_cast<float>(columns);
    for (std::int64_t r = static_cast<std::int64_t>(blockIdx.x) * blockDim.y + threadIdx.y; r < rows;
         r += static_cast<std::int64_t>(gridDim.x) * blockDim.y) {
        const std::int64_t at = r * columns;
        float sum = 0;
        for (std::int64_t c = begin; c < columns; c += stride) {
            Row x = Row::load(o.a + at + c);
            if constexpr (kAdd) {
                const Row b = Row::load(o.b + at + c);
                for (int i = 0; i < N; ++i) x.at[i] = toFloat(fromFloat<T>(x.at[i] + b.at[i]));
                x.store(o.sum + at + c);
            }
            if (staged) x.store(own + c);
            for (int i = 0; i < N; ++i) sum += kCentred ? x.at[i] : x.at[i] * x.at[i];
        }
        const T* again = staged ? own : kAdd ? o.sum + at : o.a + at;
        float mean = 0, square = rowSum(sum) * factor;
        if constexpr (kCentred) {
            mean = square;
            sum = 0;
            for (std::int64_t c = begin; c < columns; c += stride) {
                const Row x = Row::load(again + c);
                for (int i = 0; i < N; ++i) sum += (x.at[i] - mean) * (x.at[i] - mean);
            }
            square = rowSum(sum) * factor;
        }
        const float rstd = 1.0F / sqrtf(square + epsilon);
        if (threadIdx.x == 0) {
            if (kCentred && o.mean) o.mean[r] = mean;
            if (o.rstd) o.rstd[r] = rstd;
        }
        for (std::int64_t c = begin; c < columns; c += stride) {
            Row x = Row::load(again + c);
            const auto scale = Values<float, N>::load(o.scale + c);
            for (int i = 0; i < N; ++i) x.at[i] = (x.at[i] - mean) * rstd * scale.at[i];
            if (o.bias) {
                const auto bias = Values<float, N>::load(o.bias + c);
                for (int i = 0; i < N; ++i) x.at[i] += bias.at[i];
            }
            x.store(o.y + at + c);
        }
    }
}

template <class T> struct BackwardOperands
{
    const T *x, *dy, *dresidual;      ///< dresidual may be null
    const float *scale, *mean, *rstd; ///< mean is not read where rows are not centred
    T* dx;                            ///< may be null
    float* partials;                  ///< (blocks, 1 or 2, C); null where sums over rows are not wanted
};

template <class T, int N, bool kCentred>
__global__ void backward(BackwardOperands<T> o, std::int64_t rows, std::int64_t columns, bool staged)
{
    using Row = Values<T, N>;
    __shared__ float means[kRows], rstds[kRows];
    constexpr int kSums = kCentred ? 2 : 1;
    const std::int64_t tileRows = blockDim.y, team = threadIdx.y;
    T* tile = dynamicShared<T>(); // x, then dy
    float* partial = o.partials ? o.partials + static_cast<std::int64_t>(blockIdx.x) * kSums * columns : nullptr;
    float* sums = staged ? reinterpret_cast<float*>(tile + 2 * tileRows * columns) : partial;
    const std::int64_t begin = static_cast<std::int64_t>(threadIdx.x) * N,
                       stride = static_cast<std::int64_t>(blockDim.x) * N;
    const std::int64_t thread = team * blockDim.x + threadIdx.x, threads = blockDim.x * blockDim.y;
    const float factor = 1.0F / static_cast<float>(columns);
    if (o.partials) {
        for (std::int64_t c = thread; c < kSums * columns; c += threads) sums[c] = 0;
    }
    for (std::int64_t first = blockIdx.x * tileRows; first < rows; first += gridDim.x * tileRows) {
        const std::int64_t r = first + team, at = r * columns,
                           count = rows - first < tileRows ? rows - first : tileRows;
        const T *x = staged ? tile + team * columns : o.x + at,
                *dy = staged ? tile + (tileRows + team) * columns : o.dy + at;
        float mean = 0, rstd = 0, sum = 0, product = 0;
        if (team < count) { // the same for all threads that share a row
            if (kCentred) mean = o.mean[r];
            rstd = o.rstd[r];
            for (std::int64_t c = begin; c < columns; c += stride) {
                const Row xs = Row::load(o.x + at + c), dys = Row::load(o.dy + at + c);
                if (staged) {
                    xs.store(tile + team * columns + c);
                    dys.store(tile + (tileRows + team) * columns + c);
                }
                const auto scale = Values<float, N>::load(o.scale + c);
                for (int i = 0; i < N; ++i) {
                    const float g = dys.at[i] * scale.at[i];
                    if (kCentred) sum += g;
                    product += g * ((xs.at[i] - mean) * rstd);
                }
            }
            if (kCentred) sum = rowSum(sum) * factor;
            product = rowSum(product) * factor;
            if (threadIdx.x == 0) means[team] = mean, rstds[team] = rstd;
        }
        if (o.partials) {
            __syncthreads(); // the tile and its statistics are whole
            for (std::int64_t c = thread; c < columns; c += threads) {
                float scaleSum = 0, biasSum = 0;
                for (std::int64_t i = 0; i < count; ++i) {
                    const std::int64_t from = staged ? i * columns + c : (first + i) * columns + c;
                    const float d = toFloat(staged ? tile[tileRows * columns + from] : o.dy[from]);
                    const float value = toFloat(staged ? tile[from] : o.x[from]);
                    scaleSum += d * ((value - means[i]) * rstds[i]);
                    biasSum += d;
                }
                sums[c] += scaleSum;
                if (kCentred) sums[columns + c] += biasSum;
            }
            __syncthreads(); // dx may lie where dy does, and the next tile where this one does
        }
        if (!o.dx || team >= count) continue;
        for (std::int64_t c = begin; c < columns; c += stride) {
            const Row xs = Row::load(x + c), dys = Row::load(dy + c);
            const auto scale = Values<float, N>::load(o.scale + c);
            Row dx;
            for (int i = 0; i < N; ++i)
                dx.at[i] = rstd * (dys.at[i] * scale.at[i] - sum - (xs.at[i] - mean) * rstd * product);
            if (o.dresidual) {
                const Row residual = Row::load(o.dresidual + at + c);
                for (int i = 0; i < N; ++i) dx.at[i] += residual.at[i];
            }
            dx.store(o.dx + at + c);
        }
    }
    if (!o.partials || !staged) return;
    for (std::int64_t c = thread; c < columns; c += threads) { // each thread's own columns
        partial[c] = sums[c];
        if (kCentred) partial[columns + c] = sums[columns + c];
    }
}

/// Rows and how blocks take them.
struct Shape
{
    std::int64_t rows = 0, columns = 0;
    float epsilon = 0;

    std::int64_t rowsPerBlock() const { return blockFor(columns).y; }
    std::int64_t blocks() const { return (rows + rowsPerBlock() - 1) / rowsPerBlock(); }
};

template <class T, int N, bool kCentred, bool kAdd>
void enqueueForward(Context& context, const Shape& shape, const ForwardOperands<T>& operands)
{
    const auto bytes = static_cast<std::int64_t>(sizeof(T)) * shape.rowsPerBlock() * shape.columns;
    const bool staged = bytes <= kSharedBytes;
    launch(context, forward<T, N, kCentred, kAdd>, blocksFor(shape.rows, shape.rowsPerBlock()), blockFor(shape.columns),
           static_cast<std::size_t>(staged ? bytes : 0), operands, shape.rows, shape.columns, shape.epsilon, staged);
}

/// How many blocks share the rows, and so how many sums there are of each column.
inline std::int64_t backwardBlocks(const Context& context, const Shape& shape)
{
    return std::min<std::int64_t>(shape.blocks(), 4 * std::max(1, context.info().multiprocessors));
}

/// Of the partial sums; `sums` is 2, or 1 where rows are not centred.
inline std::uint64_t scratchBytes(const Context& context, const Shape& shape, int sums)
{
    return static_cast<std::uint64_t>(backwardBlocks(context, shape) * sums * shape.columns) * sizeof(float);
}

template <class T, int N, bool kCentred>
void enqueueBackward(Context& context, const Shape& shape, BackwardOperands<T> operands, std::byte* scratch,
                     float* dscale, float* dbias)
{
    constexpr int kSums = kCentred ? 2 : 1;
    const std::int64_t blocks = backwardBlocks(context, shape);
    const auto sumBytes = static_cast<std::int64_t>(sizeof(float)) * kSums * shape.columns;
    const auto bytes = static_cast<std::int64_t>(sizeof(T)) * 2 * shape.rowsPerBlock() * shape.columns + sumBytes;
    const bool staged = bytes <= kSharedBytes;
    operands.partials = dscale || dbias ? reinterpret_cast<float*>(scratch) : nullptr;
    launch(context, backward<T, N, kCentred>, blocksFor(blocks, 1), blockFor(shape.columns),
           static_cast<std::size_t>(staged ? bytes : 0), operands, shape.rows, shape.columns, staged);
    if (operands.partials)
        sumPartials(context, operands.partials, blocks, kSums * shape.columns, shape.columns, dscale, dbias);
}

} // namespace millrace::kernels::cuda::row_norm
