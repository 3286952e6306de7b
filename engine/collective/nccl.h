// The group of ranks on NVIDIA GPUs: NCCL, loaded where it is needed. No CUDA header is needed to use it.
#pragma once

#include "engine/collective/collective.h"

namespace millrace::collective {

/// What a rank of a device group needs beside the group's settings.
struct NcclSettings
{
    void* stream = nullptr; ///< the cudaStream_t that the rank computes on; its device is the rank's
    /// One rank makes a communicator too, instead of soleRank(Memory::Device): to test NCCL on one GPU.
    bool evenAlone = false;
};

/// Returns when all ranks are connected; from the thread that uses the group. Operations may be captured into a CUDA
/// graph, where each is waited for in the capture that started it; what was captured is bound to the group's life.
/// With all ranks on loopback NCCL's own sockets stay there too (NCCL_SOCKET_IFNAME, unless it is set).
/// Errors: those of checkSettings; Unsupported saying what is missing (a build with NCCL, libnccl.so.2, the driver, a
/// version); those of Group::wait for a rank that does not come; Io with what NCCL says.
Result<std::unique_ptr<Group>> createNcclGroup(const GroupSettings& settings, const NcclSettings& nccl);

} // namespace millrace::collective
