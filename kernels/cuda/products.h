// Matrix products by cuBLASLt, with what is done to the result before it is written.
#pragma once

#include "kernels/base/dtype.h"
#include "kernels/cuda/context.h"
#include "kernels/ops/epilogue.h"
#include "kernels/ops/precision.h"

#include <array>
#include <cstdint>
#include <memory>

namespace millrace::kernels::cuda {

/// D = op(A) op(B) for each of a batch, all row-major in memory: A is (rows, depth), or lies as (depth, rows) where
/// transposeA; B is (depth, columns), or lies as (columns, depth) where transposeB; D is (rows, columns). Sums are f32.
struct ProductShape
{
    enum class After
    {
        Nothing,
        Bias,        ///< D = f(D + bias), bias (columns), f the epilogue; with GeluTanh z = D + bias where it is wanted
        Gradient,    ///< D = D f'(v), v like D, f the epilogue
        BiasGradient ///< biasGradient[row] = sum of op(A)'s row, f32
    };

    std::int64_t rows = 0, columns = 0, depth = 0;
    bool transposeA = false, transposeB = false;
    DType type = DType::F32;       ///< of A, B, bias, z and v
    DType resultType = DType::F32; ///< of D: as `type`, or f32
    Precision precision = Precision::F32;
    std::int64_t batch = 1;
    /// From one row in memory to the next; 0: rows lie one after the other.
    std::int64_t strideA = 0, strideB = 0, strideD = 0;
    /// From one matrix of the batch to the next; 0: they lie one after the other.
    std::int64_t batchStrideA = 0, batchStrideB = 0, batchStrideD = 0;
    bool accumulate = false; ///< D += …; only After::Nothing
    After after = After::Nothing;
    Epilogue epilogue = Epilogue::None;
    bool keepInput = false; ///< of Bias with GeluTanh: z is wanted
};

struct ProductOperands
{
    const void *a = nullptr, *b = nullptr;
    void* d = nullptr;
    const void* bias = nullptr;
    void* z = nullptr;
    const void* v = nullptr;
    float* biasGradient = nullptr;
};

/// One prepared product. The algorithm is the fastest of cuBLASLt's own answers, among them those without the epilogue,
/// whose part is then done by a kernel of ours (which also stands in where cuBLASLt has no such epilogue).
/// Algorithms whose result depends on the order in which blocks finish are left out.
/// Types     A and B f32, bf16 or f16; D of the same type or f32.   Aliasing: D overlaps no other operand.
/// Errors    InvalidArgument for a dimension below 1, or a batch or accumulation with an epilogue; Unsupported where
///           cuBLASLt has no algorithm.
/// Source    cuBLASLt's documentation, cublasLtMatmul and cublasLtEpilogue_t.
class Product
{
public:
    static Result<Product> create(Context& context, const ProductShape& shape);
    ~Product();
    Product(Product&&) noexcept;
    Product& operator=(Product&&) noexcept;

    std::uint64_t scratchBytes() const; ///< at most 32 MiB, and for the sums of columns what those need
    /// Enqueues it. scratch: scratchBytes(), 64-byte aligned.
    void run(const ProductOperands& operands, std::byte* scratch);

private:
    struct State;
    explicit Product(std::unique_ptr<State> state);
    std::unique_ptr<State> m_state;
};

} // namespace millrace::kernels::cuda
