// The innermost loops of matrix products, in vectors of the instruction set that the including file is compiled for.
// Included by product_baseline.cpp, product_avx2.cpp, product_avx512.cpp and product_avx512_bf16.cpp alone; everything
// is in an unnamed namespace, so that code for one instruction set is never taken for another's.
#pragma once

#include "kernels/cpu/product_block.h"

#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace millrace::kernels::cpu {

namespace {

#if defined(__AVX512F__)
constexpr int kLanes = 16, kVectors = 4, kRows = 6; // 24 sums, 4 vectors of b and one of a in 32 registers
#elif defined(__AVX2__)
constexpr int kLanes = 8, kVectors = 2, kRows = 6; // 12 sums, 2 vectors of b and one of a in 16 registers
#else
constexpr int kLanes = 4, kVectors = 2, kRows = 4;
#endif
constexpr int kColumns = kLanes * kVectors;

using Vector = float __attribute__((vector_size(kLanes * sizeof(float))));
using InMemory = float __attribute__((vector_size(kLanes * sizeof(float)), aligned(sizeof(float)), may_alias));

#define MR_TILE static inline __attribute__((always_inline))

MR_TILE Vector load(const float* from)
{
    return *reinterpret_cast<const InMemory*>(from);
}

#if defined(__AVX512F__)
/// The first `count` of a vector, zeros behind them.
MR_TILE Vector loadPart(const float* from, int count)
{
    return reinterpret_cast<Vector>(_mm512_maskz_loadu_ps(static_cast<__mmask16>((1U << count) - 1), from));
}
MR_TILE void storePart(float* to, Vector values, int count)
{
    _mm512_mask_storeu_ps(to, static_cast<__mmask16>((1U << count) - 1), reinterpret_cast<__m512>(values));
}
#elif defined(__AVX2__)
MR_TILE __m256i firstLanes(int count)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
MR_TILE Vector loadPart(const float* from, int count)
{
    return reinterpret_cast<Vector>(_mm256_maskload_ps(from, firstLanes(count)));
}
MR_TILE void storePart(float* to, Vector values, int count)
{
    _mm256_maskstore_ps(to, firstLanes(count), reinterpret_cast<__m256>(values));
}
#else
MR_TILE Vector loadPart(const float* from, int count)
{
    Vector result{};
    for (int i = 0; i < count; ++i) result[i] = from[i];
    return result;
}
MR_TILE void storePart(float* to, Vector values, int count)
{
    for (int i = 0; i < count; ++i) to[i] = values[i];
}
#endif

/// sum + factor row in every lane. Of bfloat16 pairs, both products of a lane are added.
MR_TILE Vector multiplyAdd(Vector sum, Vector factor, Vector row)
{
#if defined(MR_BF16_PAIRS)
    return reinterpret_cast<Vector>(_mm512_dpbf16_ps(reinterpret_cast<__m512>(sum), reinterpret_cast<__m512bh>(factor),
                                                     reinterpret_cast<__m512bh>(row)));
#else
    return sum + factor * row;
#endif
}

/// `rows` by `vectors` vectors of c; where `part`, only `last` columns of the last vector.
template <int rows, int vectors, bool part>
void tile(const Block& block, const float* a, const float* b, const float* bias, float* c, int last)
{
    Vector sums[rows][vectors];
#pragma GCC unroll 6
    for (int r = 0; r < rows; ++r) {
#pragma GCC unroll 4
        for (int v = 0; v < vectors; ++v) {
            const float* from = block.start == Block::Start::Accumulate ? c + r * block.cRow : bias;
            if (!from)
                sums[r][v] = Vector{};
            else if (part && v == vectors - 1)
                sums[r][v] = loadPart(from + v * kLanes, last);
            else
                sums[r][v] = load(from + v * kLanes);
        }
    }
    const std::int64_t k = block.k, aRow = block.aRow, aColumn = block.aColumn, bRow = block.bRow;
    for (std::int64_t p = 0; p < k; ++p) {
        Vector row[vectors];
#pragma GCC unroll 4
        for (int v = 0; v < vectors; ++v)
            row[v] = part && v == vectors - 1 ? loadPart(b + v * kLanes, last) : load(b + v * kLanes);
#pragma GCC unroll 6
        for (int r = 0; r < rows; ++r) {
            const Vector factor = a[r * aRow] - Vector{}; // in every lane
#pragma GCC unroll 4
            for (int v = 0; v < vectors; ++v) sums[r][v] = multiplyAdd(sums[r][v], factor, row[v]);
        }
        a += aColumn;
        b += bRow;
    }
#pragma GCC unroll 6
    for (int r = 0; r < rows; ++r) {
#pragma GCC unroll 4
        for (int v = 0; v < vectors; ++v) {
            float* to = c + r * block.cRow + v * kLanes;
            if (part && v == vectors - 1)
                storePart(to, sums[r][v], last);
            else
                *reinterpret_cast<InMemory*>(to) = sums[r][v];
        }
    }
}

using Tile = void (*)(const Block&, const float*, const float*, const float*, float*, int);

template <int rows, bool part> Tile tileOf(int vectors)
{
    if constexpr (kVectors == 4) {
        if (vectors == 4) return tile<rows, 4, part>;
        if (vectors == 3) return tile<rows, 3, part>;
    }
    return vectors == 2 ? tile<rows, 2, part> : tile<rows, 1, part>;
}

template <bool part> Tile tileOf(std::int64_t rows, int vectors)
{
    switch (rows) {
    case 1:
        return tileOf<1, part>(vectors);
    case 2:
        return tileOf<2, part>(vectors);
    case 3:
        return tileOf<3, part>(vectors);
    case 4:
        return tileOf<4, part>(vectors);
    case 5:
        return tileOf < kRows < 5 ? kRows : 5, part > (vectors);
    default:
        return tileOf<kRows, part>(vectors);
    }
}

void multiply(const Block& block)
{
    for (std::int64_t i = 0; i < block.m; i += kRows) {
        const std::int64_t rows = block.m - i < kRows ? block.m - i : kRows;
        const float* a = block.a + (block.aGroup ? i / kRows * block.aGroup : i * block.aRow);
        for (std::int64_t j = 0, panel = 0; j < block.n; j += kColumns, ++panel) {
            const int columns = static_cast<int>(block.n - j < kColumns ? block.n - j : kColumns);
            const int vectors = (columns + kLanes - 1) / kLanes, last = columns - (vectors - 1) * kLanes;
            const Tile compute = last == kLanes ? tileOf<false>(rows, vectors) : tileOf<true>(rows, vectors);
            compute(block, a, block.b + panel * block.bPanel,
                    block.start == Block::Start::Bias ? block.bias + j : nullptr, block.c + i * block.cRow + j, last);
        }
    }
}

#if defined(__AVX2__)
using Indices = std::int32_t __attribute__((vector_size(kLanes * sizeof(std::int32_t))));

/// One step of a transposition: the lanes whose number has the bit `step` change places between the rows of a pair.
template <int step> MR_TILE void exchange(Vector* rows)
{
    Indices low, high;
#pragma GCC unroll 16
    for (int i = 0; i < kLanes; ++i) {
        low[i] = i & step ? kLanes + (i ^ step) : i;
        high[i] = i & step ? kLanes + i : i ^ step;
    }
#pragma GCC unroll 16
    for (int i = 0; i < kLanes; ++i) {
        if (i & step) continue;
        const Vector upper = rows[i], lower = rows[i + step];
        rows[i] = __builtin_shuffle(upper, lower, low);
        rows[i + step] = __builtin_shuffle(upper, lower, high);
    }
}

/// kLanes by kLanes elements in registers.
MR_TILE void transposeSquare(const float* from, std::int64_t fromRow, float* to, std::int64_t toRow)
{
    Vector rows[kLanes];
#pragma GCC unroll 16
    for (int i = 0; i < kLanes; ++i) rows[i] = load(from + i * fromRow);
    if constexpr (kLanes > 8) exchange<8>(rows);
    if constexpr (kLanes > 4) exchange<4>(rows);
    exchange<2>(rows);
    exchange<1>(rows);
#pragma GCC unroll 16
    for (int i = 0; i < kLanes; ++i) *reinterpret_cast<InMemory*>(to + i * toRow) = rows[i];
}
#else
MR_TILE void transposeSquare(const float* from, std::int64_t fromRow, float* to, std::int64_t toRow)
{
    for (int r = 0; r < kLanes; ++r)
        for (int c = 0; c < kLanes; ++c) to[c * toRow + r] = from[r * fromRow + c];
}
#endif

void transpose(const float* from, std::int64_t fromRow, float* to, std::int64_t toRow, std::int64_t rows,
               std::int64_t columns)
{
    const std::int64_t wholeRows = rows / kLanes * kLanes, wholeColumns = columns / kLanes * kLanes;
    for (std::int64_t r = 0; r < wholeRows; r += kLanes)
        for (std::int64_t c = 0; c < wholeColumns; c += kLanes)
            transposeSquare(from + r * fromRow + c, fromRow, to + c * toRow + r, toRow);
    for (std::int64_t r = 0; r < rows; ++r)
        for (std::int64_t c = r < wholeRows ? wholeColumns : 0; c < columns; ++c)
            to[c * toRow + r] = from[r * fromRow + c];
}

void packGroups(const float* from, std::int64_t fromRow, std::int64_t k, std::int64_t m, float* to)
{
    const std::int64_t whole = m / kRows * kRows;
    for (std::int64_t p = 0; p < k; ++p) {
        const float* row = from + p * fromRow;
        for (std::int64_t i = 0; i < whole; i += kRows)
            __builtin_memcpy(to + i * k + p * kRows, row + i, kRows * sizeof(float));
        for (std::int64_t i = whole; i < m; ++i) to[whole * k + p * kRows + i - whole] = row[i];
    }
}

constexpr BlockCode kCode{kRows, kColumns, multiply, transpose, packGroups};

} // namespace

} // namespace millrace::kernels::cpu
