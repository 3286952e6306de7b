// The fastest of several ways to do the same, by trying them on the device.
#pragma once

#include "kernels/cuda/context.h"
#include "kernels/cuda/owned.h"

#include <functional>

namespace millrace::kernels::cuda {

/// So many bytes of the device's memory, zero, for trying something before the first step.
Result<OwnedMemory> reserveMemory(Context& context, std::uint64_t sizeBytes);

/// Enqueues one way on the compute queue, on operands that lie one after the other in the given memory.
using Way = std::function<Status(int place, std::byte* operands)>;

/// The place of the fastest of `places` ways, which are ordered by how fast they ought to be; 0 where there is one
/// alone or nothing may be measured. The context's cache is asked first, by `key`; what is measured is stored in it.
/// Each way is timed as part of a captured step, on zeros; one that fails is left out. `operandBytes` of the device's
/// memory are held while that lasts (about 30 ms); where there are none, nothing is measured.
/// Errors: the device's, where it is lost; Unsupported where every way failed.
Result<int> chooseFastest(Context& context, const std::string& key, int places, std::uint64_t operandBytes,
                          const Way& run);

/// Lays operands one after the other, 256-byte aligned: offsets for chooseFastest's memory and for scratch.
class Layout
{
public:
    std::uint64_t add(std::uint64_t sizeBytes)
    {
        const std::uint64_t offset = m_sizeBytes;
        m_sizeBytes += (sizeBytes + 255) / 256 * 256;
        return offset;
    }
    std::uint64_t sizeBytes() const { return m_sizeBytes; }

private:
    std::uint64_t m_sizeBytes = 0;
};

} // namespace millrace::kernels::cuda
