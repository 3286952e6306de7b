// The state of the simulated GPU: memory, faults, and the error that stays. What runtime.cpp, queues.cpp, products.cpp
// and networks.cpp are built on.
#pragma once

#include "tests/cuda/simulated/faults.h"

#include <cstddef>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace millrace::kernels::cuda::simulated {

/// Memory of the device. The host cannot touch it, as on a GPU: its pages are open only while a kernel or a copy runs.
class Memory
{
public:
    explicit Memory(std::uint64_t sizeBytes);
    ~Memory();
    Memory(const Memory&) = delete;
    Memory& operator=(const Memory&) = delete;

    /// Filled with bytes of ones (NaN), 256-byte aligned and no more, guarded on both sides. Null if there is no room.
    void* allocate(std::size_t sizeBytes);
    void* allocateHost(std::size_t sizeBytes);
    /// Whether it was the beginning of an allocation of that kind.
    bool free(void* memory, bool host);
    enum class Place
    {
        Nowhere,
        Device,
        Host
    };
    /// Where all of these bytes lie; an empty range may stand at an allocation's end.
    Place placeOf(const void* begin, std::size_t sizeBytes) const;
    std::uint64_t freeBytes() const;
    std::uint64_t totalBytes() const { return m_sizeBytes; }
    std::uint64_t allocations() const { return m_device.size() + m_host.size(); }
    void take(std::int64_t sizeBytes) { m_taken += sizeBytes; }
    /// An empty text, or which allocation was written outside of.
    std::string brokenGuard();

    /// While one is there, the device's memory can be touched.
    class Access
    {
    public:
        explicit Access(Memory& memory) : m_memory(memory) { m_memory.open(); }
        ~Access() { m_memory.close(); }
        Access(const Access&) = delete;
        Access& operator=(const Access&) = delete;

    private:
        Memory& m_memory;
    };

private:
    void open();
    void close();

    std::uint64_t m_sizeBytes;
    std::byte* m_base;           // the reserved range
    std::uint64_t m_touched = 0; // bytes of it that were ever used
    std::map<std::byte*, std::size_t> m_device, m_host;
    std::int64_t m_taken = 0;
    int m_open = 0;
};

/// All functions are called with the lock held.
class Gpu
{
public:
    explicit Gpu(Properties of) : properties(std::move(of)), memory(properties.memoryBytes) {}

    /// Counts the call; the error that it shall return, if any.
    std::optional<int> enter(std::string_view function);
    /// Says what was wrong, keeps an error that stays, and returns it. cudaSuccess: a library says why it refuses.
    cudaError_t refuse(cudaError_t error, std::string message);
    /// Runs what a kernel does, with the faults that were asked for; `written` is what it writes first.
    void runKernel(const std::function<std::string()>& kernel, void* written);
    std::uint64_t nextSeed() { return ++m_seed * 0x9E3779B97F4A7C15U; }

    Properties properties;
    Memory memory;
    cudaError_t sticky = cudaSuccess, last = cudaSuccess;
    std::string message;
    std::map<const void*, int> sharedBytes; // what cudaFuncSetAttribute allowed a kernel
    std::uint64_t kernels = 0;
    std::map<std::string, std::uint64_t, std::less<>> calls;

    struct PlannedCall
    {
        std::uint64_t call;
        int error;
        bool forEver;
    };
    std::multimap<std::string, PlannedCall, std::less<>> plannedCalls;
    std::map<std::uint64_t, cudaError_t> plannedErrors; // by the kernel's number
    std::map<std::uint64_t, int> plannedFlips;

private:
    std::uint64_t m_seed = 0;
};

Gpu& gpu();
std::recursive_mutex& gpuMutex();

/// Enqueues work of a library on a stream, as a kernel that writes there first. Captured where the stream is.
cudaError_t enqueueKernel(cudaStream_t stream, std::function<std::string()> kernel, void* written);

} // namespace millrace::kernels::cuda::simulated
