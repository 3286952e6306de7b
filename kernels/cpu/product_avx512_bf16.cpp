// Small products of bfloat16 for AVX-512 with its bf16 instructions.
#define MR_BF16_PAIRS
#include "kernels/cpu/bf16_block.h"
#include "kernels/cpu/product_tile.h"

namespace millrace::kernels::cpu {

namespace {

using Lanes = std::uint32_t __attribute__((vector_size(64)));

/// 16 floats as bfloat16 in the low halves of 16 lanes.
MR_TILE Lanes lowHalves(__m512 values)
{
    const auto halves = reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(values));
    return reinterpret_cast<Lanes>(_mm512_maskz_cvtepu16_epi32(0xFFFF, halves));
}

MR_TILE __mmask16 firstLanes(std::int64_t count)
{
    return static_cast<__mmask16>(count >= 16 ? 0xFFFFU : (1U << count) - 1U);
}

void pairRows(const float* from, std::int64_t fromRow, std::int64_t rows, std::int64_t k, float* to, std::int64_t toRow)
{
    for (std::int64_t r = 0; r < rows; ++r) {
        const float* row = from + r * fromRow;
        for (std::int64_t p = 0; p < k; p += 32) {
            const std::int64_t left = k - p, second = left > 16 ? left - 16 : 0;
            const __m512 low = _mm512_maskz_loadu_ps(firstLanes(left), row + p);
            const __m512 high = _mm512_maskz_loadu_ps(firstLanes(second), row + p + 16);
            const __m512i pairs = reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low));
            _mm512_mask_storeu_epi32(to + r * toRow + p / 2, firstLanes((left + 1) / 2), pairs);
        }
    }
}

void pairColumns(const float* from, std::int64_t fromRow, std::int64_t k, std::int64_t columns, float* to,
                 std::int64_t toRow)
{
    for (std::int64_t p = 0; p < k; p += 2) {
        const float* row = from + p * fromRow;
        for (std::int64_t c = 0; c < columns; c += 16) {
            const __mmask16 lanes = firstLanes(columns - c);
            Lanes pairs = lowHalves(_mm512_maskz_loadu_ps(lanes, row + c));
            if (p + 1 < k) pairs |= lowHalves(_mm512_maskz_loadu_ps(lanes, row + fromRow + c)) << 16;
            _mm512_mask_storeu_epi32(to + p / 2 * toRow + c, lanes, reinterpret_cast<__m512i>(pairs));
        }
    }
}

} // namespace

const Bf16Code kAvx512Bf16{&kCode, pairRows, pairColumns};

} // namespace millrace::kernels::cpu
