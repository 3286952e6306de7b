// Cuts scratch memory into arrays.
#pragma once

#include <cstddef>
#include <cstdint>

namespace millrace::kernels::cuda {

/// Sizes and places of arrays in scratch memory: first counted with null memory, then taken.
class Cutter
{
public:
    explicit Cutter(std::byte* memory) : m_memory(memory) {}

    template <class T> T* take(std::int64_t count)
    {
        T* result = reinterpret_cast<T*>(rest());
        m_bytes += (static_cast<std::uint64_t>(count) * sizeof(T) + 63) / 64 * 64;
        return result;
    }
    /// What follows the arrays taken so far.
    std::byte* rest() const { return m_memory ? m_memory + m_bytes : nullptr; }
    std::uint64_t bytes() const { return m_bytes; }

private:
    std::byte* m_memory;
    std::uint64_t m_bytes = 0;
};

} // namespace millrace::kernels::cuda
