// Memory on a cache line's border that starts as zeros: what arenas are made of.
#pragma once

#include "kernels/base/result.h"
#include "kernels/base/text.h"
#include "kernels/base/units.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>

namespace millrace::execute {

class AlignedBuffer
{
public:
    AlignedBuffer() = default;

    /// Errors: OutOfMemory.
    static Result<AlignedBuffer> create(std::uint64_t sizeBytes, std::string_view what)
    {
        AlignedBuffer buffer;
        buffer.m_sizeBytes = (sizeBytes + 63) / 64 * 64;
        if (sizeBytes == 0) return buffer;
        buffer.m_bytes.reset(static_cast<std::byte*>(std::aligned_alloc(64, buffer.m_sizeBytes)));
        if (!buffer.m_bytes)
            return makeError(Code::OutOfMemory, str("There is no memory for the ", what, ", ",
                                                    formatBytes(static_cast<double>(sizeBytes)), "."))
                .advise("Make the batch or the model smaller.");
        std::memset(buffer.m_bytes.get(), 0, buffer.m_sizeBytes);
        return buffer;
    }

    std::byte* at(std::uint64_t offset) const { return m_bytes.get() + offset; }
    std::uint64_t sizeBytes() const { return m_sizeBytes; }
    std::span<float> floats() const
    {
        return {reinterpret_cast<float*>(m_bytes.get()), static_cast<std::size_t>(m_sizeBytes / sizeof(float))};
    }

private:
    struct Free
    {
        void operator()(std::byte* bytes) const { std::free(bytes); }
    };
    std::unique_ptr<std::byte[], Free> m_bytes;
    std::uint64_t m_sizeBytes = 0;
};

} // namespace millrace::execute
