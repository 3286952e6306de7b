#include "tests/cuda/simulated/gpu.h"

#include "kernels/base/text.h"
#include "tests/cuda/simulated/queues.h"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

namespace millrace::kernels::cuda::simulated {

namespace {

constexpr std::size_t kGuard = 256, kPage = 4096;
constexpr std::byte kGuardByte{0xA5};

std::size_t roundUp(std::size_t value, std::size_t step)
{
    return (value + step - 1) / step * step;
}

/// Fills [begin, begin + sizeBytes) with NaN and what lies around it with guards.
void prepare(std::byte* begin, std::size_t sizeBytes)
{
    std::fill_n(begin - kGuard, kGuard, kGuardByte);
    std::fill_n(begin, sizeBytes, std::byte{0xFF});
    std::fill_n(begin + sizeBytes, kGuard, kGuardByte);
}

/// "before", "behind" or an empty text.
std::string_view brokenSide(const std::byte* begin, std::size_t sizeBytes)
{
    const auto isWhole = [](const std::byte* guard) {
        return std::all_of(guard, guard + kGuard, [](std::byte byte) { return byte == kGuardByte; });
    };
    if (!isWhole(begin - kGuard)) return "before";
    return isWhole(begin + sizeBytes) ? "" : "behind";
}

std::unique_ptr<Gpu> current;

} // namespace

Memory::Memory(std::uint64_t sizeBytes) : m_sizeBytes(sizeBytes)
{
    // twice: guards take room as well
    void* base = mmap(nullptr, 2 * sizeBytes + kPage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED) std::abort();
    m_base = static_cast<std::byte*>(base);
}

Memory::~Memory()
{
    for (const auto& [memory, size] : m_host) ::operator delete(memory - kGuard, std::align_val_t(kGuard));
    munmap(m_base, 2 * m_sizeBytes + kPage);
}

void Memory::open()
{
    if (m_open++ == 0) mprotect(m_base, roundUp(m_touched, kPage), PROT_READ | PROT_WRITE);
}

void Memory::close()
{
    if (--m_open == 0) mprotect(m_base, roundUp(m_touched, kPage), PROT_NONE);
}

std::uint64_t Memory::freeBytes() const
{
    std::uint64_t used = 0;
    for (const auto& [memory, size] : m_device) used += size;
    const std::int64_t left = static_cast<std::int64_t>(m_sizeBytes) - static_cast<std::int64_t>(used) - m_taken;
    return left > 0 ? static_cast<std::uint64_t>(left) : 0;
}

void* Memory::allocate(std::size_t sizeBytes)
{
    if (sizeBytes > freeBytes()) return nullptr;
    // the first gap that is large enough; an odd multiple of 256, so that no more alignment is there than is promised
    const auto place = [&](std::byte* from) {
        const std::size_t offset = roundUp(static_cast<std::size_t>(from - m_base) + kGuard, 2 * kGuard) + kGuard;
        return m_base + offset;
    };
    std::byte* begin = place(m_base);
    for (const auto& [other, size] : m_device) {
        if (begin + sizeBytes + kGuard <= other - kGuard) break;
        begin = place(other + size + kGuard);
    }
    const auto end = static_cast<std::uint64_t>(begin + sizeBytes + kGuard - m_base);
    if (end > 2 * m_sizeBytes + kPage) return nullptr;
    m_touched = std::max(m_touched, end);
    m_device.emplace(begin, sizeBytes);
    const Access access(*this);
    prepare(begin, sizeBytes);
    return begin;
}

void* Memory::allocateHost(std::size_t sizeBytes)
{
    auto* memory = static_cast<std::byte*>(::operator new(kGuard + sizeBytes + kGuard, std::align_val_t(kGuard)));
    prepare(memory + kGuard, sizeBytes);
    m_host.emplace(memory + kGuard, sizeBytes);
    return memory + kGuard;
}

bool Memory::free(void* memory, bool host)
{
    auto& allocations = host ? m_host : m_device;
    const auto it = allocations.find(static_cast<std::byte*>(memory));
    if (it == allocations.end()) return false;
    if (host) {
        ::operator delete(it->first - kGuard, std::align_val_t(kGuard));
    } else { // what is read after this is NaN
        const Access access(*this);
        std::fill_n(it->first, it->second, std::byte{0xFF});
    }
    allocations.erase(it);
    return true;
}

Memory::Place Memory::placeOf(const void* begin, std::size_t sizeBytes) const
{
    const auto* first = static_cast<const std::byte*>(begin);
    const auto holds = [&](const std::map<std::byte*, std::size_t>& allocations) {
        auto it = allocations.upper_bound(const_cast<std::byte*>(first));
        if (it == allocations.begin()) return false;
        --it;
        return first + sizeBytes <= it->first + it->second;
    };
    return holds(m_device) ? Place::Device : holds(m_host) ? Place::Host : Place::Nowhere;
}

std::string Memory::brokenGuard()
{
    const Access access(*this);
    for (const auto* allocations : {&m_device, &m_host}) {
        for (const auto& [memory, size] : *allocations) {
            if (const auto side = brokenSide(memory, size); !side.empty())
                return str("a write ", side, " an allocation of ", size, " bytes",
                           allocations == &m_host ? " of pinned memory" : "");
        }
    }
    return {};
}

std::optional<int> Gpu::enter(std::string_view function)
{
    const std::uint64_t call = ++calls.try_emplace(std::string(function)).first->second;
    const auto [begin, end] = plannedCalls.equal_range(function);
    for (auto it = begin; it != end; ++it) {
        const PlannedCall& planned = it->second;
        if (call == planned.call || (planned.forEver && call > planned.call)) {
            message = str("planned: call ", call, " of ", function, " returns error ", planned.error);
            return planned.error;
        }
    }
    return std::nullopt;
}

namespace {

/// Whether a device does not recover from it within the process.
bool stays(cudaError_t error)
{
    constexpr std::array kErrors{cudaErrorIllegalAddress,
                                 cudaErrorECCUncorrectable,
                                 cudaErrorLaunchFailure,
                                 cudaErrorLaunchTimeout,
                                 cudaErrorAssert,
                                 cudaErrorHardwareStackError,
                                 cudaErrorIllegalInstruction,
                                 cudaErrorMisalignedAddress,
                                 cudaErrorInvalidAddressSpace,
                                 cudaErrorInvalidPc,
                                 cudaErrorNvlinkUncorrectable};
    return std::ranges::find(kErrors, error) != kErrors.end();
}

} // namespace

cudaError_t Gpu::refuse(cudaError_t error, std::string what)
{
    if (!what.empty()) {
        std::fprintf(stderr, "simulated GPU: %s\n", what.c_str());
        message = std::move(what);
    }
    if (error != cudaSuccess) last = error;
    if (sticky == cudaSuccess && stays(error)) sticky = error;
    return error;
}

void Gpu::runKernel(const std::function<std::string()>& kernel, void* written)
{
    ++kernels;
    if (const auto planned = plannedErrors.find(kernels); planned != plannedErrors.end()) {
        refuse(planned->second,
               str("planned: kernel ", kernels, " fails with error ", static_cast<int>(planned->second)));
        return;
    }
    const Memory::Access access(memory);
    if (std::string fault = kernel(); !fault.empty()) {
        refuse(cudaErrorLaunchFailure, str("kernel ", kernels, ": ", fault));
        return;
    }
    if (std::string broken = memory.brokenGuard(); !broken.empty()) {
        refuse(cudaErrorIllegalAddress, str("kernel ", kernels, ": ", broken));
        return;
    }
    if (const auto flip = plannedFlips.find(kernels); flip != plannedFlips.end() && written != nullptr) {
        auto* bytes = static_cast<unsigned char*>(written);
        bytes[flip->second / 8] = static_cast<unsigned char>(bytes[flip->second / 8] ^ (1U << (flip->second % 8)));
    }
}

Gpu& gpu()
{
    if (!current) current = std::make_unique<Gpu>(Properties{});
    return *current;
}

std::recursive_mutex& gpuMutex()
{
    static std::recursive_mutex mutex;
    return mutex;
}

// what tests call

void restart(Properties properties)
{
    const std::lock_guard lock(gpuMutex());
    forgetQueues();
    current.reset();
    current = std::make_unique<Gpu>(std::move(properties));
}

void failCall(std::string_view function, int call, int error, bool forEver)
{
    const std::lock_guard lock(gpuMutex());
    gpu().plannedCalls.emplace(function,
                               Gpu::PlannedCall{callsOf(function) + static_cast<std::uint64_t>(call), error, forEver});
}

void failKernel(int kernel, cudaError_t error)
{
    const std::lock_guard lock(gpuMutex());
    gpu().plannedErrors[gpu().kernels + static_cast<std::uint64_t>(kernel)] = error;
}

void corruptKernel(int kernel, int bit)
{
    const std::lock_guard lock(gpuMutex());
    gpu().plannedFlips[gpu().kernels + static_cast<std::uint64_t>(kernel)] = bit;
}

void takeMemory(std::int64_t sizeBytes)
{
    const std::lock_guard lock(gpuMutex());
    gpu().memory.take(sizeBytes);
}

std::uint64_t callsOf(std::string_view function)
{
    const std::lock_guard lock(gpuMutex());
    const auto it = gpu().calls.find(function);
    return it == gpu().calls.end() ? 0 : it->second;
}

std::uint64_t kernelsExecuted()
{
    const std::lock_guard lock(gpuMutex());
    return gpu().kernels;
}

std::string lastFault()
{
    const std::lock_guard lock(gpuMutex());
    return gpu().message;
}

bool guardsAreWhole()
{
    const std::lock_guard lock(gpuMutex());
    std::string broken = gpu().memory.brokenGuard();
    if (!broken.empty()) gpu().message = broken;
    return broken.empty();
}

std::uint64_t allocationsLeft()
{
    const std::lock_guard lock(gpuMutex());
    return gpu().memory.allocations();
}

} // namespace millrace::kernels::cuda::simulated
