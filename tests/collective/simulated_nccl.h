// NCCL and the driver's streams as the device group sees them, by loops of the host: each communicator has a thread
// that makes its operations with the other ranks' threads, and faults can be put in.
#pragma once

#include "engine/collective/nccl_runtime.h"

#include <string>
#include <vector>

namespace millrace::collective::test {

/// What goes wrong, and what was called. For all ranks of the process.
struct SimulatedNccl
{
    int version = 22809;
    ncclResult_t initResult = ncclInProgress; ///< of commInitRankConfig
    ncclResult_t initEnds = ncclSuccess;      ///< what the communicator's state becomes; InProgress: never
    int brokenRank = -1; ///< whose communicator fails with `asyncError` after `breakAfter` operations
    int breakAfter = 0;
    ncclResult_t asyncError = ncclUnhandledCudaError;
    bool eventCreationFails = false;
    int aborted = 0, destroyed = 0;
    std::vector<std::string> calls; ///< streams, events and groups in order, where `record`
    bool record = false;
};

/// The table with the fresh world behind it, and the faults to be set before groups are made.
const NcclRuntime& simulatedNccl();
SimulatedNccl& resetSimulatedNccl();
int abortedCommunicators();

} // namespace millrace::collective::test
