// Products whose factors are rounded to bfloat16: both are packed in pairs once, then multiplied; where the machine has
// no bfloat16 instruction, the rounded factors are multiplied as f32.
#include "kernels/cpu/bf16_block.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/product.h"
#include "kernels/cpu/vector_math.h"

#include <algorithm>

namespace millrace::kernels::cpu {

namespace {

/// Multiplied at once: so many pairs of the inner dimension, and columns of c.
constexpr std::int64_t kPairs = 384, kWidth = 384;

std::int64_t pairsOf(std::int64_t k)
{
    return (k + 1) / 2;
}

std::int64_t roundedUp(std::int64_t count, std::int64_t multiple)
{
    return (count + multiple - 1) / multiple * multiple;
}

MR_VECTORISED void roundRow(const float* from, std::int64_t count, float* to)
{
    for (std::int64_t i = 0; i < count; ++i) to[i] = roundedToBf16(from[i]);
}

} // namespace

const Bf16Code* bf16Code()
{
#if defined(MILLRACE_X86_BLOCKS)
    static const bool known = __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512bw") &&
                              __builtin_cpu_supports("avx512vl");
    return known ? &kAvx512Bf16 : nullptr;
#else
    return nullptr;
#endif
}

void roundToBf16(const float* from, std::int64_t count, float* to, int threads)
{
    parallelFor(threads, count, 0.3,
                [&](std::int64_t begin, std::int64_t end) { roundRow(from + begin, end - begin, to + begin); });
}

/// Where the packed factors lie in scratch memory, in floats.
struct Product::PackedPairs
{
    std::int64_t pairs, a, b, rows, rowsEach; ///< rows: of transposed factors, a panel's in pairs for each thread

    explicit PackedPairs(const Size& size)
        : pairs(pairsOf(size.k)), a(0), b(roundedUp(size.m, kAvx512Rows) * pairs), rows(b), rowsEach(0)
    {
        rows += roundedUp(size.n, kPanel) * pairs;
        if (size.bTransposed) rowsEach = kPanel * pairs;
    }
    static constexpr std::int64_t kAvx512Rows = 6, kPanel = 64;
};

std::uint64_t Product::bf16Bytes() const
{
    const PackedPairs packed(m_size);
    if (bf16Code()) return static_cast<std::uint64_t>(packed.rows + m_threads * packed.rowsEach) * sizeof(float);
    return static_cast<std::uint64_t>((m_size.m + m_size.n) * m_size.k) * sizeof(float) + 64;
}

/// The groups of rows of a from first to last, and the panels of b, in pairs.
void Product::packPairs(const Call& call, float* scratch, int thread) const
{
    const Bf16Code& code = *bf16Code();
    const std::int64_t rows = code.blocks->rows, columns = code.blocks->columns, k = m_size.k;
    const PackedPairs packed(m_size);
    const auto part = [&](std::int64_t count, int at) { return count * at / m_threads; };
    const std::int64_t groups = (m_size.m + rows - 1) / rows, panels = (m_size.n + columns - 1) / columns;
    for (std::int64_t g = part(groups, thread); g < part(groups, thread + 1); ++g) {
        const std::int64_t i = g * rows, count = std::min(rows, m_size.m - i);
        float* to = scratch + packed.a + i * packed.pairs;
        if (m_size.aTransposed)
            code.pairColumns(call.a.values + i, call.a.columns, k, count, to, rows);
        else
            code.pairRows(call.a.values + i * call.a.columns, call.a.columns, count, k, to, packed.pairs);
    }
    for (std::int64_t panel = part(panels, thread); panel < part(panels, thread + 1); ++panel) {
        const std::int64_t j = panel * columns, count = std::min(columns, m_size.n - j);
        float* to = scratch + packed.b + j * packed.pairs;
        if (!m_size.bTransposed) {
            code.pairColumns(call.b.values + j, call.b.columns, k, count, to, columns);
            continue;
        }
        float* inRows = scratch + packed.rows + thread * packed.rowsEach;
        code.pairRows(call.b.values + j * call.b.columns, call.b.columns, count, k, inRows, packed.pairs);
        code.blocks->transpose(inRows, packed.pairs, to, columns, count, packed.pairs);
    }
}

/// The rows first to last of c, which begin with a group.
void Product::multiplyPairs(const Call& call, const float* scratch, std::int64_t first, std::int64_t last) const
{
    const BlockCode& code = *bf16Code()->blocks;
    const PackedPairs packed(m_size);
    const std::int64_t aColumn = m_size.aTransposed ? code.rows : 1;
    for (std::int64_t j = 0; j < m_size.n; j += kWidth) {
        for (std::int64_t p = 0; p < packed.pairs; p += kPairs) {
            Block block{.m = last - first,
                        .n = std::min(kWidth, m_size.n - j),
                        .k = std::min(kPairs, packed.pairs - p),
                        .a = scratch + packed.a + first * packed.pairs + p * aColumn,
                        .aRow = m_size.aTransposed ? 1 : packed.pairs,
                        .aColumn = aColumn,
                        .b = scratch + packed.b + j * packed.pairs + p * code.columns,
                        .bRow = code.columns,
                        .bPanel = packed.pairs * code.columns,
                        .c = call.c + first * m_size.n + j,
                        .cRow = m_size.n,
                        .start = p == 0 ? call.start : Block::Start::Accumulate,
                        .bias = call.bias ? call.bias + j : nullptr};
            if (m_size.aTransposed) block.aGroup = packed.pairs * code.rows;
            code.multiply(block);
        }
    }
}

void Product::runRounded(const Call& call, std::byte* scratch) const
{
    auto* copies = reinterpret_cast<float*>(scratch);
    const auto copy = [this](Matrix from, bool transposed, std::int64_t rows, std::int64_t columns, float* to) {
        if (transposed) std::swap(rows, columns);
        for (std::int64_t r = 0; r < rows; ++r)
            roundToBf16(from.values + r * from.columns, columns, to + r * columns, m_threads);
        return Matrix{to, columns};
    };
    Call rounded = call;
    rounded.a = copy(call.a, m_size.aTransposed, m_size.m, m_size.k, copies);
    rounded.b = copy(call.b, m_size.bTransposed, m_size.k, m_size.n, copies + m_size.m * m_size.k);
    const std::uint64_t used = (static_cast<std::uint64_t>((m_size.m + m_size.n) * m_size.k) * sizeof(float) + 63) / 64;
    runF32(rounded, scratch + used * 64);
}

void Product::runBf16(const Call& call, std::byte* scratch) const
{
    if (!bf16Code()) return runRounded(call, scratch);
    auto* memory = reinterpret_cast<float*>(scratch);
    const std::int64_t rows = bf16Code()->blocks->rows, groups = (m_size.m + rows - 1) / rows;
    const auto multiply = [&](int thread) {
        const std::int64_t first = groups * thread / m_threads * rows;
        const std::int64_t last = std::min(m_size.m, groups * (thread + 1) / m_threads * rows);
        if (first < last) multiplyPairs(call, memory, first, last);
    };
    if (m_threads == 1) {
        packPairs(call, memory, 0);
        return multiply(0);
    }
#pragma omp parallel num_threads(m_threads)
    {
#pragma omp for schedule(static, 1)
        for (int thread = 0; thread < m_threads; ++thread) packPairs(call, memory, thread);
#pragma omp for schedule(static, 1)
        for (int thread = 0; thread < m_threads; ++thread) multiply(thread);
    }
}

} // namespace millrace::kernels::cpu
