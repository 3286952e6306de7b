// Every call of a CUDA library goes through this table: tests put a simulated device behind it, or a fault in its way.
#pragma once

#include <cuda_runtime_api.h>

#include <cublasLt.h>
#include <cudnn.h>

#include <cstddef>

namespace millrace::kernels::cuda {

/// The functions by their own names. Signatures are written out where CUDA's C++ header overloads the name.
struct Runtime
{
    // devices
    cudaError_t (*cudaGetDeviceCount)(int*);
    cudaError_t (*cudaSetDevice)(int);
    cudaError_t (*cudaGetDeviceProperties)(cudaDeviceProp*, int);
    cudaError_t (*cudaDriverGetVersion)(int*);
    cudaError_t (*cudaMemGetInfo)(std::size_t* free, std::size_t* total);
    // memory
    cudaError_t (*cudaMalloc)(void**, std::size_t);
    cudaError_t (*cudaFree)(void*);
    cudaError_t (*cudaHostAlloc)(void**, std::size_t, unsigned flags);
    cudaError_t (*cudaFreeHost)(void*);
    cudaError_t (*cudaMemcpyAsync)(void*, const void*, std::size_t, cudaMemcpyKind, cudaStream_t);
    cudaError_t (*cudaMemsetAsync)(void*, int value, std::size_t, cudaStream_t);
    // queues
    cudaError_t (*cudaStreamCreateWithFlags)(cudaStream_t*, unsigned flags);
    cudaError_t (*cudaStreamDestroy)(cudaStream_t);
    cudaError_t (*cudaStreamSynchronize)(cudaStream_t);
    cudaError_t (*cudaStreamWaitEvent)(cudaStream_t, cudaEvent_t, unsigned flags);
    cudaError_t (*cudaEventCreateWithFlags)(cudaEvent_t*, unsigned flags);
    cudaError_t (*cudaEventDestroy)(cudaEvent_t);
    cudaError_t (*cudaEventRecord)(cudaEvent_t, cudaStream_t);
    cudaError_t (*cudaEventQuery)(cudaEvent_t);
    cudaError_t (*cudaEventSynchronize)(cudaEvent_t);
    cudaError_t (*cudaEventElapsedTime)(float* milliseconds, cudaEvent_t, cudaEvent_t);
    // captured steps
    cudaError_t (*cudaStreamBeginCapture)(cudaStream_t, cudaStreamCaptureMode);
    cudaError_t (*cudaStreamEndCapture)(cudaStream_t, cudaGraph_t*);
    cudaError_t (*cudaGraphInstantiate)(cudaGraphExec_t*, cudaGraph_t, unsigned long long flags);
    cudaError_t (*cudaGraphDestroy)(cudaGraph_t);
    cudaError_t (*cudaGraphExecDestroy)(cudaGraphExec_t);
    cudaError_t (*cudaGraphLaunch)(cudaGraphExec_t, cudaStream_t);
    // kernels
    cudaError_t (*cudaLaunchKernel)(const void*, dim3 grid, dim3 block, void** arguments, std::size_t sharedBytes,
                                    cudaStream_t);
    cudaError_t (*cudaFuncSetAttribute)(const void*, cudaFuncAttribute, int);
    cudaError_t (*cudaGetLastError)();
    // cuBLASLt
    decltype(&::cublasLtCreate) cublasLtCreate;
    decltype(&::cublasLtDestroy) cublasLtDestroy;
    decltype(&::cublasLtGetVersion) cublasLtGetVersion;
    decltype(&::cublasLtMatmulDescCreate) cublasLtMatmulDescCreate;
    decltype(&::cublasLtMatmulDescDestroy) cublasLtMatmulDescDestroy;
    decltype(&::cublasLtMatmulDescSetAttribute) cublasLtMatmulDescSetAttribute;
    decltype(&::cublasLtMatrixLayoutCreate) cublasLtMatrixLayoutCreate;
    decltype(&::cublasLtMatrixLayoutDestroy) cublasLtMatrixLayoutDestroy;
    decltype(&::cublasLtMatrixLayoutSetAttribute) cublasLtMatrixLayoutSetAttribute;
    decltype(&::cublasLtMatmulPreferenceCreate) cublasLtMatmulPreferenceCreate;
    decltype(&::cublasLtMatmulPreferenceDestroy) cublasLtMatmulPreferenceDestroy;
    decltype(&::cublasLtMatmulPreferenceSetAttribute) cublasLtMatmulPreferenceSetAttribute;
    decltype(&::cublasLtMatmulAlgoGetHeuristic) cublasLtMatmulAlgoGetHeuristic;
    decltype(&::cublasLtMatmulAlgoConfigGetAttribute) cublasLtMatmulAlgoConfigGetAttribute;
    decltype(&::cublasLtMatmulAlgoCheck) cublasLtMatmulAlgoCheck;
    decltype(&::cublasLtMatmul) cublasLtMatmul;
    // cuDNN
    decltype(&::cudnnCreate) cudnnCreate;
    decltype(&::cudnnDestroy) cudnnDestroy;
    decltype(&::cudnnSetStream) cudnnSetStream;
    decltype(&::cudnnGetVersion) cudnnGetVersion;
    decltype(&::cudnnGetLastErrorString) cudnnGetLastErrorString;
    decltype(&::cudnnBackendCreateDescriptor) cudnnBackendCreateDescriptor;
    decltype(&::cudnnBackendDestroyDescriptor) cudnnBackendDestroyDescriptor;
    decltype(&::cudnnBackendSetAttribute) cudnnBackendSetAttribute;
    decltype(&::cudnnBackendGetAttribute) cudnnBackendGetAttribute;
    decltype(&::cudnnBackendFinalize) cudnnBackendFinalize;
    decltype(&::cudnnBackendExecute) cudnnBackendExecute;
};

/// The table in force: the linked libraries', or the simulated device's where tests link that in its place.
const Runtime& runtime();

} // namespace millrace::kernels::cuda
