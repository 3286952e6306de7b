// Segments cut into pieces, one for each block of a pass over all of them.
#pragma once

#include "kernels/cuda/context.h"
#include "kernels/cuda/owned.h"

#include <cstddef>
#include <cstring>
#include <span>
#include <vector>

namespace millrace::kernels::cuda {

/// Elements [begin, end) of one segment.
struct Piece
{
    std::uint64_t begin = 0, end = 0;
    std::uint32_t segment = 0; ///< its index
    std::uint32_t decays = 0;  ///< whether weight decay applies
};

/// Cut at multiples of 4096 elements, or of 1024 where there are few.
std::vector<Piece> piecesOf(std::span<const Segment> segments);

/// A list that stays as it is, in the device's memory.
template <class T> class DeviceTable
{
public:
    explicit DeviceTable(Context& context) : m_context(context) {}

    /// Once; waits until it is there. Errors: those of an allocation.
    Status upload(std::span<const T> rows)
    {
        const Runtime& call = m_context.runtime();
        m_size = rows.size();
        if (rows.empty()) return {};
        void *memory = nullptr, *pinned = nullptr;
        MR_CHECK(m_context.asStatus(call.cudaMalloc(&memory, rows.size_bytes()), "an optimizer's table"));
        m_memory.reset(static_cast<std::byte*>(memory));
        MR_CHECK(m_context.asStatus(call.cudaHostAlloc(&pinned, rows.size_bytes(), cudaHostAllocDefault),
                                    "an optimizer's table"));
        std::memcpy(pinned, rows.data(), rows.size_bytes());
        m_context.check(
            call.cudaMemcpyAsync(memory, pinned, rows.size_bytes(), cudaMemcpyHostToDevice, m_context.stream()),
            "an optimizer's table");
        m_context.check(call.cudaStreamSynchronize(m_context.stream()), "an optimizer's table");
        call.cudaFreeHost(pinned);
        return m_context.status();
    }
    const T* data() const { return reinterpret_cast<const T*>(m_memory.get()); }
    std::size_t size() const { return m_size; }

private:
    Context& m_context;
    OwnedMemory m_memory;
    std::size_t m_size = 0;
};

} // namespace millrace::kernels::cuda
