// The table that kernels/cuda calls, filled with the simulated GPU: this file in place of kernels/cuda/runtime.cpp.
#include "kernels/cuda/runtime.h"

#include "kernels/base/text.h"
#include "tests/cuda/simulated/block.h"
#include "tests/cuda/simulated/gpu.h"
#include "tests/cuda/simulated/networks.h"
#include "tests/cuda/simulated/products.h"
#include "tests/cuda/simulated/queues.h"

#include <algorithm>
#include <cstring>

namespace millrace::kernels::cuda {

namespace simulated {

namespace {

constexpr int kMostThreads = 1024, kMostSharedBytes = 227 * 1024, kSharedBytesWithoutAsking = 48 * 1024;

cudaError_t getDeviceCount(int* count)
{
    *count = gpu().properties.devices;
    return *count > 0 ? cudaSuccess : gpu().refuse(cudaErrorNoDevice, "");
}

cudaError_t setDevice(int index)
{
    if (index >= 0 && index < gpu().properties.devices) return cudaSuccess;
    return gpu().refuse(cudaErrorInvalidDevice, str("there is no device ", index));
}

cudaError_t getDeviceProperties(cudaDeviceProp* result, int index)
{
    if (const cudaError_t error = setDevice(index); error != cudaSuccess) return error;
    const Properties& properties = gpu().properties;
    *result = {};
    properties.name.copy(result->name, sizeof result->name - 1);
    properties.uuid.copy(result->uuid.bytes, sizeof result->uuid.bytes);
    result->uuid.bytes[15] = static_cast<char>(result->uuid.bytes[15] + index);
    result->major = properties.capabilityMajor;
    result->minor = properties.capabilityMinor;
    result->multiProcessorCount = properties.multiprocessors;
    result->totalGlobalMem = properties.memoryBytes;
    result->warpSize = 32;
    result->maxThreadsPerBlock = kMostThreads;
    result->maxThreadsPerMultiProcessor = 2048;
    result->maxThreadsDim[0] = result->maxThreadsDim[1] = 1024;
    result->maxThreadsDim[2] = 64;
    result->maxGridSize[0] = 0x7FFFFFFF;
    result->maxGridSize[1] = result->maxGridSize[2] = 0xFFFF;
    result->sharedMemPerBlock = kSharedBytesWithoutAsking;
    result->sharedMemPerBlockOptin = kMostSharedBytes;
    result->sharedMemPerMultiprocessor = kMostSharedBytes + 1024;
    result->regsPerBlock = 65536;
    result->l2CacheSize = 50 << 20;
    result->unifiedAddressing = 1;
    result->concurrentKernels = 1;
    result->asyncEngineCount = 2;
    return cudaSuccess;
}

cudaError_t driverGetVersion(int* version)
{
    *version = CUDART_VERSION;
    return cudaSuccess;
}

cudaError_t memGetInfo(std::size_t* free, std::size_t* total)
{
    *free = gpu().memory.freeBytes();
    *total = gpu().memory.totalBytes();
    return cudaSuccess;
}

cudaError_t allocate(void** result, std::size_t sizeBytes)
{
    *result = nullptr;
    if (spoilsCapture()) return gpu().refuse(cudaErrorStreamCaptureUnsupported, "cudaMalloc during a capture");
    if (sizeBytes == 0) return cudaSuccess;
    *result = gpu().memory.allocate(sizeBytes);
    return *result != nullptr ? cudaSuccess : gpu().refuse(cudaErrorMemoryAllocation, "");
}

cudaError_t hostAlloc(void** result, std::size_t sizeBytes, unsigned)
{
    *result = nullptr;
    if (spoilsCapture()) return gpu().refuse(cudaErrorStreamCaptureUnsupported, "cudaHostAlloc during a capture");
    if (sizeBytes > 0) *result = gpu().memory.allocateHost(sizeBytes);
    return cudaSuccess;
}

cudaError_t release(void* memory, bool host)
{
    if (memory == nullptr) return cudaSuccess;
    if (spoilsCapture()) return gpu().refuse(cudaErrorStreamCaptureUnsupported, "cudaFree during a capture");
    finishQueues();
    if (std::string broken = gpu().memory.brokenGuard(); !broken.empty())
        return gpu().refuse(cudaErrorIllegalAddress, broken);
    return gpu().memory.free(memory, host) ? gpu().sticky
                                           : gpu().refuse(cudaErrorInvalidValue, "frees what was not allocated");
}

cudaError_t freeDevice(void* memory)
{
    return release(memory, false);
}

cudaError_t freeHost(void* memory)
{
    return release(memory, true);
}

cudaError_t memcpyAsync(void* to, const void* from, std::size_t sizeBytes, cudaMemcpyKind kind, cudaStream_t stream)
{
    using Place = Memory::Place;
    if (sizeBytes == 0) return cudaSuccess;
    const Place source = gpu().memory.placeOf(from, sizeBytes), target = gpu().memory.placeOf(to, sizeBytes);
    if (source == Place::Nowhere || target == Place::Nowhere)
        return gpu().refuse(cudaErrorInvalidValue,
                            str("copies ", sizeBytes, " bytes ", source == Place::Nowhere ? "from" : "to",
                                " what is neither memory of the device nor pinned memory"));
    const bool fits = kind == cudaMemcpyDefault ||
                      (source == Place::Host) == (kind == cudaMemcpyHostToDevice || kind == cudaMemcpyHostToHost);
    const bool fitsTarget = kind == cudaMemcpyDefault ||
                            (target == Place::Host) == (kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyHostToHost);
    if (!fits || !fitsTarget)
        return gpu().refuse(cudaErrorInvalidMemcpyDirection, "copies in another direction than it says");
    return enqueue(stream, [=] {
        const Memory::Access access(gpu().memory);
        std::memmove(to, from, sizeBytes);
    });
}

cudaError_t memsetAsync(void* to, int value, std::size_t sizeBytes, cudaStream_t stream)
{
    if (sizeBytes == 0) return cudaSuccess;
    if (gpu().memory.placeOf(to, sizeBytes) != Memory::Place::Device)
        return gpu().refuse(cudaErrorInvalidValue, "sets what is not memory of the device");
    return enqueue(stream, [=] {
        const Memory::Access access(gpu().memory);
        std::memset(to, value, sizeBytes);
    });
}

/// An empty text, or what a GPU would refuse in the launch.
std::string checkLaunch(const void* function, dim3 grid, dim3 block, std::size_t sharedBytes)
{
    const std::uint64_t threads = std::uint64_t{block.x} * block.y * block.z;
    if (threads == 0 || threads > kMostThreads || block.z > 64) return str("blocks of ", threads, " threads");
    if (grid.x == 0 || grid.y == 0 || grid.z == 0 || grid.x > 0x7FFFFFFFU || grid.y > 0xFFFF || grid.z > 0xFFFF)
        return "a grid that is empty or too large";
    const auto allowed = gpu().sharedBytes.find(function);
    const std::size_t most = allowed != gpu().sharedBytes.end()
                                 ? static_cast<std::size_t>(std::max(allowed->second, kSharedBytesWithoutAsking))
                                 : kSharedBytesWithoutAsking;
    if (sharedBytes > most) return str(sharedBytes, " bytes of shared memory where ", most, " are allowed");
    return {};
}

cudaError_t launchKernel(const void* function, dim3 grid, dim3 block, void** arguments, std::size_t sharedBytes,
                         cudaStream_t stream)
{
    const std::string name = str("grid ", grid.x, "x", grid.y, "x", grid.z, " of blocks ", block.x, "x", block.y, "x",
                                 block.z, " with ", sharedBytes, " bytes of shared memory");
    if (const std::string wrong = checkLaunch(function, grid, block, sharedBytes); !wrong.empty())
        return gpu().refuse(cudaErrorInvalidConfiguration, str(name, ": ", wrong));
    const auto& launch = *static_cast<const Launch*>(*arguments);
    std::vector<const void*> pointers = launch.reads;
    pointers.insert(pointers.end(), launch.writes.begin(), launch.writes.end());
    for (const void* pointer : pointers) {
        if (pointer != nullptr && gpu().memory.placeOf(pointer, 0) == Memory::Place::Nowhere)
            return gpu().refuse(cudaErrorIllegalAddress, str(name, ": gets a pointer into the host's memory"));
    }
    void* written = launch.writes.empty() ? nullptr : launch.writes.front();
    return enqueueKernel(
        stream,
        [=, kernel = launch] {
            const std::string fault = runGrid(kernel, grid, block, sharedBytes, gpu().nextSeed());
            return fault.empty() ? fault : str(name, ", ", fault);
        },
        written);
}

cudaError_t setFunctionAttribute(const void* function, cudaFuncAttribute attribute, int value)
{
    if (attribute == cudaFuncAttributeMaxDynamicSharedMemorySize) {
        if (value > kMostSharedBytes)
            return gpu().refuse(cudaErrorInvalidValue, str(value, " bytes of shared memory in a block"));
        gpu().sharedBytes[function] = value;
    }
    return cudaSuccess;
}

cudaError_t getLastError()
{
    if (gpu().sticky != cudaSuccess) return gpu().sticky;
    return std::exchange(gpu().last, cudaSuccess);
}

/// The name of a function as a template's argument.
template <std::size_t N> struct Name
{
    constexpr Name(const char (&text)[N]) { std::copy_n(text, N, value); }
    char value[N];
};

/// What every error type says when the device is gone.
cudaError_t whenLost(cudaError_t)
{
    return gpu().sticky;
}
cublasStatus_t whenLost(cublasStatus_t)
{
    return CUBLAS_STATUS_EXECUTION_FAILED;
}
cudnnStatus_t whenLost(cudnnStatus_t)
{
    return CUDNN_STATUS_EXECUTION_FAILED;
}

/// A function of the table: counts the call, returns what was planned or what a lost device returns, else does it.
template <Name kName, auto kFunction> struct Entry;
template <Name kName, class Result, class... Values, Result (*kFunction)(Values...)> struct Entry<kName, kFunction>
{
    static Result call(Values... values)
    {
        const std::lock_guard lock(gpuMutex());
        if (const auto planned = gpu().enter(kName.value)) {
            const auto error = static_cast<Result>(*planned);
            if constexpr (std::is_same_v<Result, cudaError_t>) gpu().refuse(error, "");
            return error;
        }
        if (gpu().sticky != cudaSuccess) return whenLost(Result{});
        return kFunction(values...);
    }
};

} // namespace

cudaError_t enqueueKernel(cudaStream_t stream, std::function<std::string()> kernel, void* written)
{
    return enqueue(stream, [kernel = std::move(kernel), written] { gpu().runKernel(kernel, written); });
}

} // namespace simulated

const Runtime& runtime()
{
    using namespace simulated;
#define ENTRY(name, function) table.name = &Entry<#name, &(function)>::call
    static const Runtime filled = [] {
        Runtime table{};
        ENTRY(cudaGetDeviceCount, getDeviceCount);
        ENTRY(cudaSetDevice, setDevice);
        ENTRY(cudaGetDeviceProperties, getDeviceProperties);
        ENTRY(cudaDriverGetVersion, driverGetVersion);
        ENTRY(cudaMemGetInfo, memGetInfo);
        ENTRY(cudaMalloc, allocate);
        ENTRY(cudaFree, freeDevice);
        ENTRY(cudaHostAlloc, hostAlloc);
        ENTRY(cudaFreeHost, freeHost);
        ENTRY(cudaMemcpyAsync, memcpyAsync);
        ENTRY(cudaMemsetAsync, memsetAsync);
        ENTRY(cudaStreamCreateWithFlags, streamCreate);
        ENTRY(cudaStreamDestroy, streamDestroy);
        ENTRY(cudaStreamSynchronize, streamSynchronize);
        ENTRY(cudaStreamWaitEvent, streamWaitEvent);
        ENTRY(cudaEventCreateWithFlags, eventCreate);
        ENTRY(cudaEventDestroy, eventDestroy);
        ENTRY(cudaEventRecord, eventRecord);
        ENTRY(cudaEventQuery, eventQuery);
        ENTRY(cudaEventSynchronize, eventSynchronize);
        ENTRY(cudaEventElapsedTime, eventElapsedTime);
        ENTRY(cudaStreamBeginCapture, beginCapture);
        ENTRY(cudaStreamEndCapture, endCapture);
        ENTRY(cudaGraphInstantiate, graphInstantiate);
        ENTRY(cudaGraphDestroy, graphDestroy);
        ENTRY(cudaGraphExecDestroy, graphExecDestroy);
        ENTRY(cudaGraphLaunch, graphLaunch);
        ENTRY(cudaLaunchKernel, simulated::launchKernel);
        ENTRY(cudaFuncSetAttribute, setFunctionAttribute);
        ENTRY(cudaGetLastError, getLastError);
        ENTRY(cublasLtCreate, productsCreate);
        ENTRY(cublasLtDestroy, productsDestroy);
        table.cublasLtGetVersion = productsVersion;
        ENTRY(cublasLtMatmulDescCreate, operationCreate);
        ENTRY(cublasLtMatmulDescDestroy, operationDestroy);
        ENTRY(cublasLtMatmulDescSetAttribute, operationSetAttribute);
        ENTRY(cublasLtMatrixLayoutCreate, layoutCreate);
        ENTRY(cublasLtMatrixLayoutDestroy, layoutDestroy);
        ENTRY(cublasLtMatrixLayoutSetAttribute, layoutSetAttribute);
        ENTRY(cublasLtMatmulPreferenceCreate, preferenceCreate);
        ENTRY(cublasLtMatmulPreferenceDestroy, preferenceDestroy);
        ENTRY(cublasLtMatmulPreferenceSetAttribute, preferenceSetAttribute);
        ENTRY(cublasLtMatmulAlgoGetHeuristic, algorithmHeuristic);
        ENTRY(cublasLtMatmulAlgoConfigGetAttribute, algorithmGetAttribute);
        ENTRY(cublasLtMatmulAlgoCheck, algorithmCheck);
        ENTRY(cublasLtMatmul, multiply);
        ENTRY(cudnnCreate, networksCreate);
        ENTRY(cudnnDestroy, networksDestroy);
        ENTRY(cudnnSetStream, networksSetStream);
        table.cudnnGetVersion = networksVersion;
        table.cudnnGetLastErrorString = networksLastError;
        ENTRY(cudnnBackendCreateDescriptor, descriptorCreate);
        ENTRY(cudnnBackendDestroyDescriptor, descriptorDestroy);
        ENTRY(cudnnBackendSetAttribute, descriptorSetAttribute);
        ENTRY(cudnnBackendGetAttribute, descriptorGetAttribute);
        ENTRY(cudnnBackendFinalize, descriptorFinalize);
        ENTRY(cudnnBackendExecute, simulated::execute);
        return table;
    }();
#undef ENTRY
    return filled;
}

} // namespace millrace::kernels::cuda
