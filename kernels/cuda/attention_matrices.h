// Attention by the GPU's matrix units, for elements of 16 bits and heads of whole 16 bytes up to 128 wide: what the
// kernels share, and the forward kernel.
//
// A block of four warps has a tile of 64 rows, 16 of them each warp. Tiles lie in shared memory as they are in memory,
// their rows padded by 16 bytes, so that the eight rows of a matrix of 8 x 8 meet no bank twice. Of a product's result
// (16,8) a lane has the rows g = lane / 4 and g + 8 and the columns 2 (lane % 4) and the next; the layout of two such
// results side by side is that of a left factor (16,16), so that probabilities go from one product into the next
// without leaving their registers. Exponentials are powers of two: scores are multiplied by log2(e) beforehand.
#pragma once

#include "kernels/cuda/attention_forward.h"

namespace millrace::kernels::cuda::attention {

constexpr int kWarps = 4;
constexpr int kWarpRows = 16; ///< of a tile
constexpr float kLog2E = 1.44269504F, kLn2 = 0.693147181F;
template <int W> constexpr int kMatrixRow = W + 8; ///< from one row of a tile to the next, in elements

template <class T, int W> constexpr std::size_t kTileBytes = sizeof(T) * kTile* kMatrixRow<W>;

/// Results (16, 8 n): of each of the n the two columns of row g, then those of row g + 8.
template <int N> using Results = float[N / 8][4];

/// Whether the kernels here take the heads, where elements have 16 bits.
inline bool fitsMatrices(const Attention& a)
{
    return a.headWidth() % 8 == 0 && a.headWidth() <= 128;
}

inline __device__ int lane()
{
    return static_cast<int>(threadIdx.x) % kWarp;
}
/// The first of the warp's rows in a tile.
inline __device__ int warpRow()
{
    return static_cast<int>(threadIdx.x) / kWarp * kWarpRows;
}
/// The lane's row of the warp's: of a result's elements 0 and 1 (half 0), or 2 and 3 (half 1).
inline __device__ int laneRow(int half)
{
    return lane() / 4 + 8 * half;
}
/// The lane's first column of a result's eight.
inline __device__ int laneColumn()
{
    return lane() % 4 * 2;
}

/// The rows from `begin` on, zero where there are none and behind the last column.
template <int W, int kRows, class T> __device__ void copyTile(const Rows<const T>& rows, std::int64_t begin, T* tile)
{
    constexpr int N = Packed<T>::kSize, kPieces = W / N;
    for (int i = static_cast<int>(threadIdx.x); i < kRows * kPieces; i += kWarps * kWarp) {
        const int r = i / kPieces, c = i % kPieces * N;
        Packed<T> piece;
        if (begin + r < rows.count && c < rows.columns) {
            piece = Packed<T>::load(rows.first + (begin + r) * rows.stride + c);
        } else {
            for (int k = 0; k < N; ++k) piece.set(k, 0);
        }
        piece.store(tile + r * kMatrixRow<W> + c);
    }
}

/// c += a b^T over W columns: a the warp's rows of a tile, b all N rows of a tile.
template <int W, int N, class T> __device__ void multiplyTiles(const T* a, const T* b, Results<N>& c)
{
    const int matrix = lane() / 8, row = lane() % 8;
    const T* left = a + (warpRow() + matrix % 2 * 8 + row) * kMatrixRow<W> + matrix / 2 * 8;
    const T* right = b + (matrix / 2 * 8 + row) * kMatrixRow<W> + matrix % 2 * 8;
    for (int k = 0; k < W; k += 16) {
        std::uint32_t x[4];
        loadMatrices(x, left + k);
        for (int n = 0; n < N; n += 16) {
            std::uint32_t y[4];
            loadMatrices(y, right + n * kMatrixRow<W> + k);
            multiplyMatrices(c[n / 8], x, y[0], y[1], T{});
            multiplyMatrices(c[n / 8 + 1], x, y[2], y[3], T{});
        }
    }
}

/// Two elements in a word, the first in its lower half.
template <class T> __device__ std::uint32_t pack(float first, float second)
{
    struct alignas(4) Pair
    {
        T first, second;
    };
    const Pair pair{fromFloat<T>(first), fromFloat<T>(second)};
    return *reinterpret_cast<const std::uint32_t*>(&pair);
}

/// sums += weights b: weights the warp's results for the N rows of the tile b.
template <int W, int N, class T> __device__ void addRows(const Results<N>& weights, const T* b, Results<W>& sums)
{
    const int matrix = lane() / 8, row = lane() % 8;
    const T* right = b + (matrix % 2 * 8 + row) * kMatrixRow<W> + matrix / 2 * 8;
    for (int k = 0; k < N; k += 16) {
        const float(&first)[4] = weights[k / 8], (&second)[4] = weights[k / 8 + 1];
        const std::uint32_t x[4] = {pack<T>(first[0], first[1]), pack<T>(first[2], first[3]),
                                    pack<T>(second[0], second[1]), pack<T>(second[2], second[3])};
        for (int n = 0; n < W; n += 16) {
            std::uint32_t y[4];
            loadTransposed(y, right + k * kMatrixRow<W> + n);
            multiplyMatrices(sums[n / 8], x, y[0], y[1], T{});
            multiplyMatrices(sums[n / 8 + 1], x, y[2], y[3], T{});
        }
    }
}

/// Writes the warp's rows, each times its half's factor.
template <int W, class T>
__device__ void storeResults(const Rows<T>& rows, std::int64_t begin, const Results<W>& sums, float factor0,
                             float factor1)
{
    for (int half = 0; half < 2; ++half) {
        const std::int64_t r = begin + warpRow() + laneRow(half);
        const float factor = half == 0 ? factor0 : factor1;
        if (r >= rows.count) continue;
        for (int n = 0; n < W / 8; ++n) {
            const int c = n * 8 + laneColumn();
            if (c < rows.columns)
                *reinterpret_cast<std::uint32_t*>(rows.first + r * rows.stride + c) =
                    pack<T>(sums[n][2 * half] * factor, sums[n][2 * half + 1] * factor);
        }
    }
}

/// Sum and maximum over the four lanes of a row.
inline __device__ float sumOfLanes(float value)
{
    value += __shfl_xor_sync(0xFFFFFFFFU, value, 1);
    return value + __shfl_xor_sync(0xFFFFFFFFU, value, 2);
}
inline __device__ float maximumOfLanes(float value)
{
    for (int bits = 1; bits <= 2; bits *= 2) {
        const float other = __shfl_xor_sync(0xFFFFFFFFU, value, bits);
        value = other > value ? other : value;
    }
    return value;
}

/// As `forward`, of 64 queries a block.
template <class T, int W> __global__ void forwardMatrices(ForwardOperands<T> o, Attention a)
{
    T* queryTile = dynamicShared<T>();
    T *keyTile = queryTile + kTile * kMatrixRow<W>, *valueTile = keyTile + kTile * kMatrixRow<W>;
    const std::int64_t D = a.width / a.heads, heads = a.batch * a.heads, tiles = (a.steps + kTile - 1) / kTile;
    const std::int64_t index = blockIdx.x % heads, b = index / a.heads, h = index % a.heads;
    const std::int64_t begin = (tiles - 1 - blockIdx.x / heads) * kTile; // those with most keys first
    const std::int64_t first = offsetOf(o.offset, o.places, a.steps), count = first + a.steps;
    const std::int64_t keyOrigin = b * o.places * o.keyStride + h * D;
    const Rows<const T> queries{o.q + b * a.steps * o.queryStride + h * D, o.queryStride, a.steps, D};
    const Rows<const T> keys{o.k + keyOrigin, o.keyStride, count, D}, values{o.v + keyOrigin, o.keyStride, count, D};
    const std::int64_t seen = a.causal && first + begin + kTile < count ? first + begin + kTile : count;
    const float scale = kLog2E / sqrtf(static_cast<float>(D));

    copyTile<W, kTile>(queries, begin, queryTile);
    Results<W> sums{};
    float maxima[2] = {kLowest, kLowest}, norms[2] = {};
    for (std::int64_t key = 0; key < seen; key += kTile) {
        __syncthreads(); // nobody reads the tiles any more
        copyTile<W, kTile>(keys, key, keyTile);
        copyTile<W, kTile>(values, key, valueTile);
        __syncthreads();
        Results<kTile> scores{};
        multiplyTiles<W, kTile>(queryTile, keyTile, scores);
        for (int half = 0; half < 2; ++half) {
            const std::int64_t own = first + begin + warpRow() + laneRow(half) + 1;
            const std::int64_t left = (a.causal && own < count ? own : count) - key;
            const int visible = left < kTile ? static_cast<int>(left) : kTile;
            float largest = maxima[half];
            for (int n = 0; n < kTile / 8; ++n) {
                for (int c = 0; c < 2; ++c) {
                    float& score = scores[n][2 * half + c];
                    score = n * 8 + laneColumn() + c < visible ? score * scale : kLowest;
                    largest = score > largest ? score : largest;
                }
            }
            largest = maximumOfLanes(largest);
            const float factor = exp2f(maxima[half] - largest); // 0 at the first keys
            maxima[half] = largest;
            norms[half] *= factor;
            for (int n = 0; n < kTile / 8; ++n) {
                for (int c = 0; c < 2; ++c) {
                    float& score = scores[n][2 * half + c];
                    score = exp2f(score - largest);
                    norms[half] += score;
                }
            }
            for (int n = 0; n < W / 8; ++n) {
                sums[n][2 * half] *= factor;
                sums[n][2 * half + 1] *= factor;
            }
        }
        addRows<W, kTile>(scores, valueTile, sums);
    }
    norms[0] = sumOfLanes(norms[0]);
    norms[1] = sumOfLanes(norms[1]);
    const Rows<T> y{o.y + b * a.steps * a.width + h * D, a.width, a.steps, D};
    storeResults<W>(y, begin, sums, 1.0F / norms[0], 1.0F / norms[1]);
    for (int half = 0; half < 2; ++half) {
        const std::int64_t query = begin + warpRow() + laneRow(half);
        if (o.logsumexp && lane() % 4 == 0 && query < a.steps)
            o.logsumexp[index * a.steps + query] = (maxima[half] + log2f(norms[half])) * kLn2;
    }
}

inline dim3 matrixGrid(const Attention& a)
{
    return blocksFor(a.batch * a.heads * tilesOf(a.steps), 1);
}

template <class T, int W>
void enqueueForwardMatrices(Context& context, const Attention& a, const ForwardOperands<T>& operands)
{
    launch(context, forwardMatrices<T, W>, matrixGrid(a), dim3(kWarps * kWarp), 3 * kTileBytes<T, W>, operands, a);
}

/// The gradient by matrix units. Errors as its factory's.
KernelResult makeBackwardMatrices(Context& context, const Attention& attention, DType type);

} // namespace millrace::kernels::cuda::attention
