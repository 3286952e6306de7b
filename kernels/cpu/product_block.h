// A product of two small matrices in memory near the core, on one thread: what larger products, attention and recurrent
// layers are made of.
#pragma once

#include <cstdint>
#include <span>

namespace millrace::kernels::cpu {

/// c (m,n) = start + a (m,k) b (k,n). Element (i,p) of a is at a[i aRow + p aColumn]; where aGroup is not 0, each group
/// of blockCode().rows rows starts aGroup behind the one before it. b is cut into panels of
/// blockCode().columns columns, the first of each at b, b + bPanel, b + 2 bPanel, …; the rows of a panel are bRow
/// apart. A plain row-major b has bPanel = blockCode().columns.
struct Block
{
    enum class Start
    {
        Zero,
        Bias,      ///< bias[j] in column j
        Accumulate ///< what c holds
    };
    std::int64_t m, n, k;
    const float* a;
    std::int64_t aRow, aColumn;
    const float* b;
    std::int64_t bRow, bPanel;
    float* c;
    std::int64_t cRow;
    Start start = Start::Zero;
    const float* bias = nullptr;
    std::int64_t aGroup = 0;
};

/// The code for one instruction set.
struct BlockCode
{
    std::int64_t rows, columns; ///< of c that are computed at once
    void (*multiply)(const Block&);
    /// to (columns,rows) = from (rows,columns) transposed; the rows of each are fromRow and toRow apart.
    void (*transpose)(const float* from, std::int64_t fromRow, float* to, std::int64_t toRow, std::int64_t rows,
                      std::int64_t columns);
    /// Columns of `from` (k,m), whose rows are fromRow apart, in groups of `rows`: group g as (k,rows) at to + g k
    /// rows.
    void (*packGroups)(const float* from, std::int64_t fromRow, std::int64_t k, std::int64_t m, float* to);
};

extern const BlockCode kBaselineBlocks, kAvx2Blocks, kAvx512Blocks;

/// Those that this machine can run, its best instruction set first.
std::span<const BlockCode* const> runnableBlockCodes();
/// The first of them.
const BlockCode& blockCode();

} // namespace millrace::kernels::cpu
