// The functions of NCCL and of the CUDA driver that the device group calls, in a table: the libraries are loaded where
// a machine has them, and tests put their own functions there.
#pragma once

#include "engine/collective/nccl.h"

#include <cuda.h>
#include <nccl.h>

namespace millrace::collective {

struct NcclRuntime
{
    decltype(&::ncclGetVersion) getVersion;
    decltype(&::ncclGetUniqueId) getUniqueId;
    decltype(&::ncclCommInitRankConfig) commInitRankConfig;
    decltype(&::ncclCommFinalize) commFinalize;
    decltype(&::ncclCommDestroy) commDestroy;
    decltype(&::ncclCommAbort) commAbort;
    decltype(&::ncclCommGetAsyncError) commGetAsyncError;
    decltype(&::ncclGetErrorString) getErrorString;
    decltype(&::ncclGetLastError) getLastError;
    decltype(&::ncclGroupStart) groupStart;
    decltype(&::ncclGroupEnd) groupEnd;
    decltype(&::ncclAllReduce) allReduce;
    decltype(&::ncclReduceScatter) reduceScatter;
    decltype(&::ncclReduce) reduce;
    decltype(&::ncclAllGather) allGather;
    decltype(&::ncclBroadcast) broadcast;

    // The driver's, because the engine links no CUDA runtime; its streams are the runtime's streams.
    decltype(&::cuStreamGetCtx) streamGetCtx;
    decltype(&::cuCtxSetCurrent) ctxSetCurrent;
    decltype(&::cuStreamCreateWithPriority) streamCreateWithPriority;
    decltype(&::cuStreamDestroy) streamDestroy;
    decltype(&::cuStreamWaitEvent) streamWaitEvent;
    decltype(&::cuEventCreate) eventCreate;
    decltype(&::cuEventDestroy) eventDestroy;
    decltype(&::cuEventRecord) eventRecord;
    decltype(&::cuEventQuery) eventQuery;
    decltype(&::cuMemAlloc) memAlloc;
    decltype(&::cuMemFree) memFree;
    decltype(&::cuGetErrorString) errorString;
};

/// Loads both libraries and keeps them for good. Errors: Unsupported naming the library or function that is missing.
Result<NcclRuntime> loadNccl(const char* ncclName = "libnccl.so.2", const char* driverName = "libcuda.so.1");

/// As createNcclGroup(settings, nccl), with these functions, which outlive the group.
Result<std::unique_ptr<Group>> createNcclGroup(const GroupSettings& settings, const NcclSettings& nccl,
                                               const NcclRuntime& runtime);

} // namespace millrace::collective
