// What the tiled kernels of attention share: tiles of 64 rows in shared memory, and the two products that are made of
// them. Scores are computed again wherever they are needed, so that no (T,T) matrix is ever in memory.
//
// A block of 256 threads stands as 16 x 16 over a tile of (64,64) scores: thread (x,y) has the rows 4y … 4y+3 and the
// columns x, x+16, x+32, x+48. The 16 threads of a row are half a warp, so rows are reduced by shuffles. Rows in shared
// memory are padded by 16 bytes: eight threads that read 16 bytes of neighbouring rows then meet no bank twice.
// A head is W = 64 or 128 columns wide here, filled up with zeros; of a wider one the scores are summed piece by piece,
// and each piece of the result has a block of its own.
#pragma once

#include "kernels/cuda/kernel.h"
#include "kernels/cuda/values.h"
#include "kernels/ops/check.h"

namespace millrace::kernels::cuda::attention {

constexpr int kTile = 64;
constexpr int kSide = 16; ///< threads in a row of the block
constexpr int kThreads = kSide * kSide;
constexpr int kOwn = kTile / kSide; ///< rows of a thread, and columns
constexpr int kPadding = 4;
constexpr int kScoreRow = kTile + kPadding;
template <int W> constexpr int kRow = W + kPadding; ///< from one row of a tile to the next

/// Two tiles of rows and one of scores, in bytes.
template <int W> constexpr std::size_t kSharedBytes = sizeof(float) * kTile*(2 * kRow<W> + kScoreRow);

/// Rows of one head of one sequence.
template <class T> struct Rows
{
    T* first;             ///< of row 0, the head's first column
    std::int64_t stride;  ///< elements from a row to the next
    std::int64_t count;   ///< how many there are
    std::int64_t columns; ///< D
};

inline __device__ int column()
{
    return static_cast<int>(threadIdx.x) % kSide;
}
/// The first of the thread's rows.
inline __device__ int row()
{
    return static_cast<int>(threadIdx.x) / kSide * kOwn;
}

/// Sum over the threads of a row.
inline __device__ float sumOfRow(float value)
{
    for (int bits = kSide / 2; bits > 0; bits /= 2) value += __shfl_xor_sync(0xFFFFFFFFU, value, bits);
    return value;
}
inline __device__ float maximumOfRow(float value)
{
    for (int bits = kSide / 2; bits > 0; bits /= 2) {
        const float other = __shfl_xor_sync(0xFFFFFFFFU, value, bits);
        value = other > value ? other : value;
    }
    return value;
}

/// The columns `piece` to `piece` + W of the rows from `begin` on as f32; zero where there are none. `aligned`: each
/// row is made of whole 16 bytes.
template <int W, class T>
__device__ void loadTile(const Rows<const T>& rows, std::int64_t begin, std::int64_t piece, bool aligned, float* tile)
{
    constexpr int N = Packed<T>::kSize, kPieces = W / N;
    for (int i = static_cast<int>(threadIdx.x); i < kTile * kPieces; i += kThreads) {
        const int r = i / kPieces, c = i % kPieces * N;
        Values<float, N> values{};
        if (begin + r < rows.count) {
            const T* from = rows.first + (begin + r) * rows.stride + piece + c;
            if (!aligned) {
                for (int k = 0; k < N; ++k) values.at[k] = piece + c + k < rows.columns ? toFloat(from[k]) : 0.0F;
            } else if (piece + c < rows.columns) {
                const Packed<T> packed = Packed<T>::load(from);
                for (int k = 0; k < N; ++k) values.at[k] = packed.get(k);
            }
        }
        values.store(tile + r * kRow<W> + c);
    }
}

using Scores = float[kOwn][kOwn];
template <int W> using Sums = float[kOwn][W / kSide];

/// scores[i][j] += a[row() + i] b[column() + 16 j]
template <int W> __device__ void multiplyRows(const float* a, const float* b, Scores& scores)
{
    using Four = Packed<float>;
    for (int d = 0; d < W; d += Four::kSize) {
        Four x[kOwn], y[kOwn];
        for (int i = 0; i < kOwn; ++i) x[i] = Four::load(a + (row() + i) * kRow<W> + d);
        for (int j = 0; j < kOwn; ++j) y[j] = Four::load(b + (column() + kSide * j) * kRow<W> + d);
        for (int i = 0; i < kOwn; ++i) {
            for (int j = 0; j < kOwn; ++j) {
                for (int k = 0; k < Four::kSize; ++k) scores[i][j] += x[i].values[k] * y[j].values[k];
            }
        }
    }
}

/// scores += a b^T over all of the heads' columns, piece by piece; `tileA` and `tileB` are free before and hold the
/// last piece after it. `keepA`: tileA holds a already.
template <int W, class T>
__device__ void addScores(const Rows<const T>& a, std::int64_t beginA, bool keepA, const Rows<const T>& b,
                          std::int64_t beginB, bool aligned, float* tileA, float* tileB, Scores& scores)
{
    for (std::int64_t piece = 0; piece < a.columns; piece += W) {
        __syncthreads(); // nobody reads the tiles any more
        if (!keepA || a.columns > W) loadTile<W>(a, beginA, piece, aligned, tileA);
        loadTile<W>(b, beginB, piece, aligned, tileB);
        __syncthreads();
        multiplyRows<W>(tileA, tileB, scores);
    }
}

/// Puts the thread's weights where the threads of its rows find them.
inline __device__ void shareWeights(const Scores& own, float* weights)
{
    __syncwarp(); // those of the last tile have been read
    for (int i = 0; i < kOwn; ++i) {
        for (int j = 0; j < kOwn; ++j) weights[(row() + i) * kScoreRow + column() + kSide * j] = own[i][j];
    }
    __syncwarp();
}

/// sums[i][4 g + k] += sum_j weights[row() + i, j] b[j, 64 g + 4 column() + k]
template <int W> __device__ void addWeighted(const float* weights, const float* b, Sums<W>& sums)
{
    using Four = Packed<float>;
    for (int j = 0; j < kTile; j += Four::kSize) {
        Four weight[kOwn];
        for (int i = 0; i < kOwn; ++i) weight[i] = Four::load(weights + (row() + i) * kScoreRow + j);
        for (int k = 0; k < Four::kSize; ++k) {
            for (int g = 0; g < W / kTile; ++g) {
                const Four value = Four::load(b + (j + k) * kRow<W> + g * kTile + column() * kOwn);
                for (int i = 0; i < kOwn; ++i) {
                    for (int c = 0; c < kOwn; ++c) sums[i][g * kOwn + c] += weight[i].values[k] * value.values[c];
                }
            }
        }
    }
}

/// Writes the thread's part of the tile's sums, each row times its factor.
template <int W, class T>
__device__ void storeSums(const Rows<T>& rows, std::int64_t begin, std::int64_t piece, const Sums<W>& sums,
                          const float (&factors)[kOwn])
{
    for (int i = 0; i < kOwn; ++i) {
        const std::int64_t r = begin + row() + i;
        for (int k = 0; r < rows.count && k < W / kSide; ++k) {
            const std::int64_t c = piece + k / kOwn * kTile + column() * kOwn + k % kOwn;
            if (c < rows.columns) rows.first[r * rows.stride + c] = fromFloat<T>(sums[i][k] * factors[i]);
        }
    }
}

/// Whether the rows of all operands are made of whole 16 bytes.
template <class T> bool isAligned(const Attention& a)
{
    return a.headWidth() % Packed<T>::kSize == 0;
}

inline std::int64_t tilesOf(std::int64_t rows)
{
    return (rows + kTile - 1) / kTile;
}

/// Blocks: x the tiles of all heads of all sequences, y the pieces of a head.
inline dim3 gridFor(const Attention& a, std::int64_t tiles, int W)
{
    return dim3(blocksFor(a.batch * a.heads * tiles, 1).x, static_cast<unsigned>((a.headWidth() + W - 1) / W));
}

/// Calls make with the width of tiles that a head takes, a constant.
template <class Make> auto byWidth(const Attention& a, const Make& make)
{
    if (a.headWidth() <= 64) return make(std::integral_constant<int, 64>{});
    return make(std::integral_constant<int, 128>{});
}

/// The same for the kernels of ordinary arithmetic: of 16-bit elements they get only the heads that matrix units do not
/// take, which need not be fast.
template <class T, class Make> auto byTileWidth(const Attention& a, const Make& make)
{
    if constexpr (sizeof(T) == 4)
        return byWidth(a, make);
    else
        return make(std::integral_constant<int, 128>{});
}

/// Lets a kernel have that much dynamic shared memory. Errors: Unsupported where a block cannot have it.
template <class... Parameters>
Status reserveShared(Context& context, void (*kernel)(Parameters...), std::size_t sizeBytes)
{
    if (sizeBytes > static_cast<std::size_t>(context.sharedBytesPerBlock()))
        return makeError(Code::Unsupported, str("attention: a block needs ", sizeBytes,
                                                " bytes of shared memory, but this GPU gives it only ",
                                                context.sharedBytesPerBlock(), "."));
    return context.asStatus(context.runtime().cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel),
                                                                   cudaFuncAttributeMaxDynamicSharedMemorySize,
                                                                   static_cast<int>(sizeBytes)),
                            "reserving shared memory");
}

inline Status check(const Attention& a)
{
    MR_CHECK(
        requirePositive("attention", {{"batch", a.batch}, {"steps", a.steps}, {"width", a.width}, {"heads", a.heads}}));
    if (a.width % a.heads == 0) return {};
    return makeError(Code::InvalidArgument,
                     str("attention: a width of ", a.width, " cannot be split into ", a.heads, " heads."));
}

} // namespace millrace::kernels::cuda::attention
