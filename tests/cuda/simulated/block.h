// Runs the threads of a kernel's blocks on a CPU: what device_language.h calls, and what a launch calls.
#pragma once

#include <vector_types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace millrace::kernels::cuda::simulated {

/// A kernel with its arguments: what one thread does, and the pointers among the arguments.
struct Launch
{
    std::function<void()> thread;
    std::vector<const void*> reads;
    std::vector<void*> writes;
};

/// Runs all threads of all blocks. The order of blocks, warps and lanes is drawn from `seed`; a thread runs until it
/// waits for others or ends, so that what a barrier is missing for shows as a wrong result. Dynamic shared memory is
/// filled with NaN before each block, static shared memory before the first. Not reentrant.
/// Returns what went wrong, or an empty text: threads that wait for others that have ended or wait elsewhere, and
/// writes behind the dynamic shared memory.
std::string runGrid(const Launch& launch, dim3 grid, dim3 block, std::size_t sharedBytes, std::uint64_t seed);

// Called by device code, from the running thread.

void synchronizeBlock();
void synchronizeWarp(unsigned mask);
std::uint64_t exchangeLanes(unsigned mask, std::uint64_t bits, int source);
unsigned voteOfLanes(unsigned mask, bool vote);
int lane();
unsigned char* dynamicSharedMemory();

} // namespace millrace::kernels::cuda::simulated
