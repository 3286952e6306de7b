// Memory for kernels under test: 64-byte aligned, filled with a poison, with guards before and behind.
#pragma once

#include "tests/kernels/problem.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <vector>

namespace millrace::test {

class GuardedMemory
{
public:
    GuardedMemory(std::size_t sizeBytes, std::byte poison)
        : m_size(sizeBytes),
          m_memory(static_cast<std::byte*>(::operator new(kGuard + sizeBytes + kGuard, std::align_val_t(kGuard))))
    {
        std::memset(m_memory.get(), static_cast<int>(poison), kGuard + sizeBytes + kGuard);
        std::memset(m_memory.get(), kGuardByte, kGuard);
        std::memset(m_memory.get() + kGuard + sizeBytes, kGuardByte, kGuard);
    }
    std::byte* data() const { return m_memory.get() + kGuard; }
    std::size_t sizeBytes() const { return m_size; }
    bool guardsAreWhole() const
    {
        for (std::size_t i = 0; i < kGuard; ++i) {
            if (m_memory.get()[i] != std::byte{kGuardByte} || data()[m_size + i] != std::byte{kGuardByte}) return false;
        }
        return true;
    }

private:
    static constexpr std::size_t kGuard = 64;
    static constexpr unsigned char kGuardByte = 0xA5;
    struct Free
    {
        void operator()(std::byte* memory) const { ::operator delete(memory, std::align_val_t(kGuard)); }
    };
    std::size_t m_size;
    std::unique_ptr<std::byte, Free> m_memory;
};

/// The values as a kernel takes them: f32, or i32 for labels.
inline GuardedMemory toMemory(const Operand& operand, const Values& values)
{
    GuardedMemory memory(values.size() * sizeof(float), std::byte{0});
    for (std::size_t i = 0; i < values.size(); ++i) {
        const auto number = static_cast<float>(values[i]);
        const auto label = static_cast<std::int32_t>(values[i]);
        const void* from = operand.content == Operand::Content::Label ? static_cast<const void*>(&label) : &number;
        std::memcpy(memory.data() + i * sizeof(float), from, sizeof(float));
    }
    return memory;
}

} // namespace millrace::test
