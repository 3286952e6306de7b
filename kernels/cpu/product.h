// Matrix products of any size: operands are packed into panels for the small products (product_block.h).
#pragma once

#include "kernels/cpu/product_block.h"
#include "kernels/ops/precision.h"

#include <cstddef>
#include <cstdint>

namespace millrace::kernels::cpu {

/// A row-major matrix, or its transpose; `columns` is the distance of two rows in memory either way.
struct Matrix
{
    const float* values;
    std::int64_t columns;
};

/// Packs b (k,n), or a b that lies transposed as (n,k), into panels for Block: bRow = blockCode().columns, bPanel = k
/// times that. `packed` takes packedElements(k, n); columns behind n are zero.
void packPanels(Matrix b, bool transposed, std::int64_t k, std::int64_t n, float* packed);
std::int64_t packedElements(std::int64_t k, std::int64_t n);

/// The nearest bfloat16 of each value, as f32.
void roundToBf16(const float* from, std::int64_t count, float* to, int threads);

/// c (m,n) = start + a (m,k) b (k,n) with a fixed size and thread count; the bits do not depend on the threads.
class Product
{
public:
    struct Size
    {
        std::int64_t m, n, k;
        bool aTransposed = false, bTransposed = false; ///< a lies as (k,m), b as (n,k)
        Precision precision = Precision::F32;
    };
    Product(Size size, int threads);

    std::uint64_t scratchBytes() const;
    /// `bias` (n) for Start::Bias. The rows of c are n apart.
    void run(Matrix a, Matrix b, Block::Start start, const float* bias, float* c, std::byte* scratch) const;

private:
    struct Part;
    struct Call
    {
        Matrix a, b;
        Block::Start start;
        const float* bias;
        float* c;
    };
    void runF32(const Call& call, std::byte* scratch) const;
    void runPart(const Call& call, Part part, float* scratch) const;
    void runRows(const Call& call) const;

    // product_bf16.cpp
    struct PackedPairs;
    std::uint64_t bf16Bytes() const; ///< beside the scratch memory for f32
    void runBf16(const Call& call, std::byte* scratch) const;
    void runRounded(const Call& call, std::byte* scratch) const;
    void packPairs(const Call& call, float* scratch, int thread) const;
    void multiplyPairs(const Call& call, const float* scratch, std::int64_t first, std::int64_t last) const;

    Size m_size;
    int m_threads;
    bool m_splitColumns = false;           ///< which side of c the threads share
    bool m_fewRows = false;                ///< too few for packing b to pay
    std::int64_t m_depth = 0, m_width = 0; ///< of what is packed of b at once
    std::uint64_t m_threadBytes = 0;
};

} // namespace millrace::kernels::cpu
