// Rows of a matrix on which a block of threads, or one thread, works: loops over their elements by vectors of 16 bytes,
// and the sums of a softmax. A row may start anywhere between two such vectors, for its length need not divide by their
// size; it is then a few single elements, whole vectors, and a few single elements.
// Only .cu files include this.
#pragma once

#include "kernels/cuda/device_code.h"
#include "kernels/ops/check.h"

#include <cfloat>
#include <cstdint>
#include <limits>

namespace millrace::kernels::cuda {

/// Unsupported for more than 2^31 - 1 rows, which no grid takes, or as many columns, which no i32 label names.
inline Status requireRows(std::string_view operation, std::int64_t rows, std::int64_t columns)
{
    MR_CHECK(requirePositive(operation, {{"rows", rows}, {"columns", columns}}));
    constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();
    if (rows <= kMost && columns <= kMost) return {};
    return makeError(Code::Unsupported,
                     str(operation, ": ", rows, " rows of ", columns, ", expected at most ", kMost, " of each."));
}

/// The threads of a block for a row: enough that each has a vector, at least a warp, at most `most`.
template <class T> int rowThreads(std::int64_t columns, int most)
{
    const std::int64_t warps = (columns / Packed<T>::kSize + kWarp - 1) / kWarp;
    return static_cast<int>(warps < 1 ? kWarp : warps * kWarp > most ? most : warps * kWarp);
}

/// A block that works on a row, and one thread that does: who am I, of how many, and sums over all.
struct BlockOfRow
{
    __device__ int rank() const { return static_cast<int>(threadIdx.x); }
    __device__ int threads() const { return static_cast<int>(blockDim.x); }
    template <class T> __device__ T sum(T value) const { return blockSum(value); }
    template <class T> __device__ T max(T value, T lowest) const { return blockMax(value, lowest); }
};

struct ThreadOfRow
{
    __device__ int rank() const { return 0; }
    __device__ int threads() const { return 1; }
    template <class T> __device__ T sum(T value) const { return value; }
    template <class T> __device__ T max(T value, T) const { return value; }
};

/// How many elements a piece of a row has: one, or a vector's.
template <int count> using Piece = std::integral_constant<int, count>;

/// How a row lies: elements to the first boundary between vectors, whole vectors, elements after them.
struct RowPieces
{
    int past;              ///< elements from the boundary before it
    int head, packs, tail; ///< elements before the first whole vector, whole vectors, the column after them
};

template <class T> __device__ RowPieces piecesOf(const T* row, int columns)
{
    constexpr int kSize = Packed<T>::kSize;
    const int past = static_cast<int>(reinterpret_cast<std::uintptr_t>(row) / sizeof(T) % kSize);
    const int toBoundary = past == 0 ? 0 : kSize - past;
    const int head = columns < toBoundary ? columns : toBoundary, packs = (columns - head) / kSize;
    return {past, head, packs, head + packs * kSize};
}

/// Calls visit(column, piece) for this thread's pieces of a row, columns ascending. Rows of the same elements of other
/// tensors lie the same way.
template <class T, class Group, class Visit>
__device__ void forEachPiece(const Group& group, const T* row, int columns, const Visit& visit)
{
    constexpr int kSize = Packed<T>::kSize;
    const RowPieces pieces = piecesOf(row, columns);
    const int rank = group.rank(), threads = group.threads();
    for (int c = rank; c < pieces.head; c += threads) visit(c, Piece<1>{});
    for (int p = rank; p < pieces.packs; p += threads) visit(pieces.head + p * kSize, Piece<kSize>{});
    for (int c = pieces.tail + rank; c < columns; c += threads) visit(c, Piece<1>{});
}

template <int count, class T> __device__ void loadPiece(const T* from, float (&values)[count])
{
    if constexpr (count == 1) {
        values[0] = toFloat(*from);
    } else {
        const Packed<T> pack = Packed<T>::load(from);
        for (int k = 0; k < count; ++k) values[k] = pack.get(k);
    }
}

template <int count, class T> __device__ void storePiece(T* to, const float (&values)[count])
{
    if constexpr (count == 1) {
        *to = fromFloat<T>(values[0]);
    } else {
        Packed<T> pack;
        for (int k = 0; k < count; ++k) pack.set(k, values[k]);
        pack.store(to);
    }
}

/// The maximum and the sum of exponentials of a row in one reading: where a larger value turns up, what was summed so
/// far is scaled down. The maximum starts finite, so that -infinity counts as exp(-infinity) = 0.
/// Source: Milakov, Gimelshein 2018, arXiv:1805.02867.
struct OnlineSoftmax
{
    float maximum = -FLT_MAX, sum = 0;

    /// Returns whether the maximum is new.
    template <int count> __device__ bool add(const float (&values)[count])
    {
        float highest = values[0];
        for (int k = 1; k < count; ++k) highest = values[k] > highest ? values[k] : highest;
        const bool isNew = highest > maximum;
        if (isNew) {
            sum *= expf(maximum - highest);
            maximum = highest;
        }
        for (int k = 0; k < count; ++k) sum += expf(values[k] - maximum);
        return isNew;
    }

    /// Makes both those of the whole row.
    template <class Group> __device__ void merge(const Group& group)
    {
        const float own = maximum;
        maximum = group.max(own, -FLT_MAX);
        sum = group.sum(sum * expf(own - maximum));
    }
};

} // namespace millrace::kernels::cuda
