#include "kernels/cpu/product.h"

#include "kernels/cpu/parallel.h"
#include "kernels/cpu/vector_math.h"

#include <algorithm>
#include <vector>

namespace millrace::kernels::cpu {

namespace {

/// Packed at once: so much of b that it stays in the second-level cache (590 kB), and so many rows of a transposed a.
constexpr std::int64_t kDepth = 384, kWidth = 384, kHeight = 96;
/// Up to so many rows, products with a b that lies transposed are taken row by row: packing b would cost more.
constexpr std::int64_t kFewRows = 3;

std::int64_t roundedUp(std::int64_t count, std::int64_t multiple)
{
    return (count + multiple - 1) / multiple * multiple;
}

std::int64_t share(std::int64_t count, std::int64_t parts, std::int64_t part)
{
    return count * part / parts;
}

MR_VECTORISED float dot(const float* a, const float* b, std::int64_t k)
{
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::int64_t p = 0; p < k; ++p) sum += a[p] * b[p];
    return sum;
}

} // namespace

std::span<const BlockCode* const> runnableBlockCodes()
{
    static const std::vector<const BlockCode*> all = [] {
        std::vector<const BlockCode*> runnable;
#if defined(MILLRACE_X86_BLOCKS)
        if (__builtin_cpu_supports("avx512f")) runnable.push_back(&kAvx512Blocks);
        if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) runnable.push_back(&kAvx2Blocks);
#endif
        runnable.push_back(&kBaselineBlocks);
        return runnable;
    }();
    return all;
}

const BlockCode& blockCode()
{
    static const BlockCode& best = *runnableBlockCodes().front();
    return best;
}

std::int64_t packedElements(std::int64_t k, std::int64_t n)
{
    return k * roundedUp(n, blockCode().columns);
}

void packPanels(Matrix b, bool transposed, std::int64_t k, std::int64_t n, float* packed)
{
    const BlockCode& code = blockCode();
    for (std::int64_t j = 0; j < n; j += code.columns, packed += k * code.columns) {
        const std::int64_t columns = std::min(code.columns, n - j);
        if (transposed) {
            code.transpose(b.values + j * b.columns, b.columns, packed, code.columns, columns, k);
        } else {
            for (std::int64_t p = 0; p < k; ++p)
                std::copy_n(b.values + p * b.columns + j, columns, packed + p * code.columns);
        }
        for (std::int64_t p = 0; columns < code.columns && p < k; ++p)
            std::fill(packed + p * code.columns + columns, packed + (p + 1) * code.columns, 0.0F);
    }
}

/// The rectangle of c that a thread computes.
struct Product::Part
{
    std::int64_t firstRow, rows, firstColumn, columns;
};

Product::Product(Size size, int threads) : m_size(size)
{
    const auto& [m, n, k, aTransposed, bTransposed, precision] = size;
    m_threads = threadsFor(2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k), threads);
    m_fewRows = bTransposed && !aTransposed && m <= kFewRows;
    const BlockCode& code = blockCode();
    const std::int64_t panels = (n + code.columns - 1) / code.columns, groups = (m + code.rows - 1) / code.rows;
    // the largest part of the product that one thread gets, and what it packs that another packs too
    const auto cost = [&](std::int64_t largest, std::int64_t twice) { return largest / 16 + twice / 3; };
    const std::int64_t byColumns =
        cost((panels + m_threads - 1) / m_threads * code.columns * m * k, aTransposed ? m * k : 0);
    const std::int64_t byRows = cost((groups + m_threads - 1) / m_threads * code.rows * n * k, n * k);
    m_splitColumns = m_fewRows || byColumns <= byRows;

    const std::int64_t depths = (k + kDepth - 1) / kDepth;
    m_depth = (k + depths - 1) / depths;
    const std::int64_t widest = m_splitColumns ? (panels + m_threads - 1) / m_threads * code.columns : n;
    m_width = std::min(roundedUp(kWidth, code.columns), roundedUp(widest, code.columns));
    const std::int64_t height = aTransposed ? roundedUp(std::min(m, kHeight), code.rows) : 0;
    if (!m_fewRows)
        m_threadBytes = static_cast<std::uint64_t>(roundedUp((m_depth * (m_width + height)) * 4, 4096)) + 64;
}

void Product::runPart(const Call& call, Part part, float* scratch) const
{
    const BlockCode& code = blockCode();
    const std::int64_t n = m_size.n;
    float *packedB = scratch, *packedA = scratch + m_depth * m_width;
    const std::int64_t height = m_size.aTransposed ? kHeight : part.rows;
    for (std::int64_t j = part.firstColumn; j < part.firstColumn + part.columns; j += m_width) {
        const std::int64_t columns = std::min(m_width, part.firstColumn + part.columns - j);
        for (std::int64_t p = 0; p < m_size.k; p += m_depth) {
            const std::int64_t depth = std::min(m_depth, m_size.k - p);
            const float* b = call.b.values + (m_size.bTransposed ? j * call.b.columns + p : p * call.b.columns + j);
            packPanels({b, call.b.columns}, m_size.bTransposed, depth, columns, packedB);
            Block block{.m = part.rows,
                        .n = columns,
                        .k = depth,
                        .a = nullptr,
                        .aRow = call.a.columns,
                        .aColumn = 1,
                        .b = packedB,
                        .bRow = code.columns,
                        .bPanel = depth * code.columns,
                        .c = nullptr,
                        .cRow = n,
                        .start = p == 0 ? call.start : Block::Start::Accumulate,
                        .bias = call.bias ? call.bias + j : nullptr};
            for (std::int64_t i = part.firstRow; i < part.firstRow + part.rows; i += height) {
                block.m = std::min(height, part.firstRow + part.rows - i);
                block.c = call.c + i * n + j;
                if (!m_size.aTransposed) {
                    block.a = call.a.values + i * call.a.columns + p;
                    code.multiply(block);
                    continue;
                }
                code.packGroups(call.a.values + p * call.a.columns + i, call.a.columns, depth, block.m, packedA);
                block.a = packedA;
                block.aRow = 1;
                block.aColumn = code.rows;
                block.aGroup = depth * code.rows;
                code.multiply(block);
            }
        }
    }
}

/// Every element as the product of a row of a and a row of the transposed b.
void Product::runRows(const Call& call) const
{
    const std::int64_t m = m_size.m, n = m_size.n, k = m_size.k;
    parallelFor(m_threads, n, 0.02 * static_cast<double>(m * k), [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t j = begin; j < end; ++j) {
            for (std::int64_t i = 0; i < m; ++i) {
                float* c = call.c + i * n + j;
                const float before = call.start == Block::Start::Zero   ? 0.0F
                                     : call.start == Block::Start::Bias ? call.bias[j]
                                                                        : *c;
                *c = before + dot(call.a.values + i * call.a.columns, call.b.values + j * call.b.columns, k);
            }
        }
    });
}

std::uint64_t Product::scratchBytes() const
{
    const std::uint64_t f32Bytes = static_cast<std::uint64_t>(m_threads) * m_threadBytes;
    return m_size.precision == Precision::Bf16 ? bf16Bytes() + f32Bytes : f32Bytes;
}

void Product::run(Matrix a, Matrix b, Block::Start start, const float* bias, float* c, std::byte* scratch) const
{
    const Call call{a, b, start, bias, c};
    return m_size.precision == Precision::Bf16 ? runBf16(call, scratch) : runF32(call, scratch);
}

void Product::runF32(const Call& call, std::byte* scratch) const
{
    if (m_fewRows) return runRows(call);
    const BlockCode& code = blockCode();
    const std::int64_t unit = m_splitColumns ? code.columns : code.rows;
    const std::int64_t size = m_splitColumns ? m_size.n : m_size.m, units = (size + unit - 1) / unit;
    const auto one = [&](int thread) {
        const std::int64_t begin = std::min(size, share(units, m_threads, thread) * unit);
        const std::int64_t end = std::min(size, share(units, m_threads, thread + 1) * unit);
        const Part part =
            m_splitColumns ? Part{0, m_size.m, begin, end - begin} : Part{begin, end - begin, 0, m_size.n};
        if (begin < end)
            runPart(call, part, reinterpret_cast<float*>(scratch + static_cast<std::uint64_t>(thread) * m_threadBytes));
    };
    if (m_threads == 1) return one(0);
#pragma omp parallel for num_threads(m_threads) schedule(static, 1)
    for (int thread = 0; thread < m_threads; ++thread) one(thread);
}

} // namespace millrace::kernels::cpu
