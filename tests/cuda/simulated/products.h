// cuBLASLt on host loops: column-major products with their epilogues as its manual describes them, and a refusal of
// what it does not support. Each function does what the library's of the same meaning does.
#pragma once

#include <cublasLt.h>

#include <cstddef>
#include <cstdint>

namespace millrace::kernels::cuda::simulated {

cublasStatus_t productsCreate(cublasLtHandle_t*);
cublasStatus_t productsDestroy(cublasLtHandle_t);
std::size_t productsVersion();

cublasStatus_t operationCreate(cublasLtMatmulDesc_t*, cublasComputeType_t, cudaDataType_t scaleType);
cublasStatus_t operationDestroy(cublasLtMatmulDesc_t);
cublasStatus_t operationSetAttribute(cublasLtMatmulDesc_t, cublasLtMatmulDescAttributes_t, const void*, std::size_t);
cublasStatus_t layoutCreate(cublasLtMatrixLayout_t*, cudaDataType, std::uint64_t rows, std::uint64_t columns,
                            std::int64_t leading);
cublasStatus_t layoutDestroy(cublasLtMatrixLayout_t);
cublasStatus_t layoutSetAttribute(cublasLtMatrixLayout_t, cublasLtMatrixLayoutAttribute_t, const void*, std::size_t);
cublasStatus_t preferenceCreate(cublasLtMatmulPreference_t*);
cublasStatus_t preferenceDestroy(cublasLtMatmulPreference_t);
cublasStatus_t preferenceSetAttribute(cublasLtMatmulPreference_t, cublasLtMatmulPreferenceAttributes_t, const void*,
                                      std::size_t);
cublasStatus_t algorithmHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t, cublasLtMatrixLayout_t a,
                                  cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                  cublasLtMatmulPreference_t, int requested, cublasLtMatmulHeuristicResult_t*,
                                  int* found);
cublasStatus_t algorithmGetAttribute(const cublasLtMatmulAlgo_t*, cublasLtMatmulAlgoConfigAttributes_t, void*,
                                     std::size_t sizeInBytes, std::size_t* written);
cublasStatus_t algorithmCheck(cublasLtHandle_t, cublasLtMatmulDesc_t, cublasLtMatrixLayout_t a,
                              cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                              const cublasLtMatmulAlgo_t*, cublasLtMatmulHeuristicResult_t*);
cublasStatus_t multiply(cublasLtHandle_t, cublasLtMatmulDesc_t, const void* alpha, const void* a,
                        cublasLtMatrixLayout_t, const void* b, cublasLtMatrixLayout_t, const void* beta, const void* c,
                        cublasLtMatrixLayout_t, void* d, cublasLtMatrixLayout_t, const cublasLtMatmulAlgo_t*,
                        void* workspace, std::size_t workspaceBytes, cudaStream_t);

} // namespace millrace::kernels::cuda::simulated
