// One product of the simulated cuBLASLt: what its descriptors say, checked, and the arithmetic.
#pragma once

#include "kernels/base/dtype.h"

#include <cublasLt.h>

#include <cstdint>
#include <optional>
#include <string>

namespace millrace::kernels::cuda::simulated {

struct Layout
{
    cudaDataType type = CUDA_R_32F;
    std::uint64_t rows = 0, columns = 0;
    std::int64_t leading = 0;
    std::int32_t order = CUBLASLT_ORDER_COL, batch = 1;
    std::int64_t batchStride = 0;

    /// Elements from the first to the last of all matrices.
    std::int64_t span() const
    {
        return (batch - 1) * batchStride + (static_cast<std::int64_t>(columns) - 1) * leading +
               static_cast<std::int64_t>(rows);
    }
};

/// A matmul descriptor; the types of the fields are those of the attributes.
struct Operation
{
    std::int32_t computeType = CUBLAS_COMPUTE_32F, scaleType = CUDA_R_32F;
    std::int32_t pointerMode = CUBLASLT_POINTER_MODE_HOST;
    std::int32_t transposeA = CUBLAS_OP_N, transposeB = CUBLAS_OP_N;
    std::uint32_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
    void* bias = nullptr;
    std::int64_t biasBatchStride = 0;
    void* auxiliary = nullptr;
    std::int64_t auxiliaryLeading = 0, auxiliaryBatchStride = 0;
    std::int32_t auxiliaryType = -1, biasType = -1, smCount = 0;

    // parts of the epilogue
    bool addsBias() const { return (epilogue & CUBLASLT_EPILOGUE_BIAS) != 0; }
    bool isRelu() const { return (epilogue & CUBLASLT_EPILOGUE_RELU) != 0; }
    bool isGelu() const { return (epilogue & CUBLASLT_EPILOGUE_GELU) != 0; }
    bool isReluGradient() const { return (epilogue & 8U) != 0; }
    bool isGeluGradient() const { return (epilogue & 64U) != 0; }
    bool hasAuxiliary() const { return (epilogue & 128U) != 0; }
    bool sumsGradient() const { return (epilogue & 16U) != 0; }
    bool sumsFactor() const { return epilogue == CUBLASLT_EPILOGUE_BGRADA || epilogue == CUBLASLT_EPILOGUE_BGRADB; }
};

struct ProductCall
{
    Operation operation;
    Layout a, b, c, d;
    const void *aData = nullptr, *bData = nullptr, *cData = nullptr;
    void* dData = nullptr;
    float alpha = 1, beta = 0;
    int parts = 1; ///< the depth is cut into so many, summed one after the other

    std::int64_t rows() const { return static_cast<std::int64_t>(d.rows); }
    std::int64_t columns() const { return static_cast<std::int64_t>(d.columns); }
    std::int64_t depth() const
    {
        return static_cast<std::int64_t>(operation.transposeA == CUBLAS_OP_N ? a.columns : a.rows);
    }
    std::int64_t biasLength() const { return operation.epilogue == CUBLASLT_EPILOGUE_BGRADB ? columns() : rows(); }
};

/// F32, BF16 or F16.
std::optional<DType> elementType(std::int32_t type);

/// What cuBLASLt's manual says that it does not do; the reason is in `why`.
cublasStatus_t checkProduct(const ProductCall& call, std::string& why);
/// D = epilogue(alpha op(A) op(B) + beta C)
void computeProduct(const ProductCall& call);

} // namespace millrace::kernels::cuda::simulated
