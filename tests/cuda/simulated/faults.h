// What tests ask of the simulated GPU: its properties, what shall go wrong, and what has been done.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace millrace::kernels::cuda::simulated {

struct Properties
{
    int devices = 1; ///< visible ones, all alike but for their UUIDs; 0: none
    std::string name = "Simulated GPU";
    std::string uuid = "simulated-gpu-00"; ///< 16 bytes; the index of the device is added to the last
    int capabilityMajor = 9, capabilityMinor = 0;
    int multiprocessors = 4;
    std::uint64_t memoryBytes = std::uint64_t{2} << 30;
    /// When enqueued work is done: at once, or not before somebody waits for it. Programs must not tell the difference.
    enum class Work
    {
        AtOnce,
        WhenWaitedFor
    } work = Work::AtOnce;
};

/// A new GPU: all memory, streams, faults and counts of the old one are gone.
void restart(Properties properties = {});

/// The call-th call from now of the function of that name ("cudaMalloc", "cublasLtMatmul", …) returns `error`, a value
/// of its own type, and does nothing else; with `forEver` all calls after it do too. An error that real devices do not
/// recover from (cudaErrorIllegalAddress, cudaErrorECCUncorrectable, cudaErrorLaunchFailure, …) makes every call fail.
void failCall(std::string_view function, int call, int error, bool forEver = false);
/// The same for the execution of the n-th kernel (library calls and those of captured steps count): found later.
void failKernel(int kernel, cudaError_t error);
/// Flips a bit of the first element that the n-th kernel from now writes, after it has run. Silent.
void corruptKernel(int kernel, int bit);
/// Another process takes (or with a negative number gives back) that much memory.
void takeMemory(std::int64_t sizeBytes);

/// How often a function was called since restart().
std::uint64_t callsOf(std::string_view function);
/// Kernels that were executed since restart().
std::uint64_t kernelsExecuted();
/// What the last refused call or failed kernel did wrong, in words; empty where nothing has.
std::string lastFault();
/// Whether nothing wrote outside of allocations; else lastFault() says where. Launches check it as well.
bool guardsAreWhole();
/// Allocations that were not freed, of the device and of pinned memory.
std::uint64_t allocationsLeft();

} // namespace millrace::kernels::cuda::simulated
