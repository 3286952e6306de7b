// What stands behind Weights: two flat buffers and where each tensor lies in them, and on a GPU their copies there.
#pragma once

#include "engine/execute/aligned_buffer.h"
#include "engine/execute/executor.h"

namespace millrace::execute {

/// A flat buffer of the host. Beside a GPU its memory is pinned, so that copies need no detour.
class HostBuffer
{
public:
    static Result<HostBuffer> create(std::uint64_t sizeBytes, std::string_view what, kernels::Device* device);
    std::byte* at(std::uint64_t offset) const { return m_pinned ? m_pinned->at(offset) : m_plain.at(offset); }
    std::uint64_t sizeBytes() const { return m_pinned ? m_pinned->sizeBytes() : m_plain.sizeBytes(); }
    std::span<float> floats() const
    {
        return {reinterpret_cast<float*>(at(0)), static_cast<std::size_t>(sizeBytes() / sizeof(float))};
    }

private:
    AlignedBuffer m_plain;
    std::unique_ptr<kernels::Memory> m_pinned;
};

struct Weights::Content
{
    struct Entry
    {
        std::string name;
        DType type = DType::F32;
        Shape shape;
        bool decay = false;
        std::uint64_t offset = 0, sizeBytes = 0;
        bool operator==(const Entry&) const = default;
    };
    Place place; // first, so that the device outlives its memory
    std::vector<Entry> parameterEntries, stateEntries;
    HostBuffer parameters, states;
    /// On a GPU: what kernels work on. The host's buffers are then copies, as old as the last fetch().
    struct OnDevice
    {
        std::unique_ptr<kernels::Memory> parameters, states, mirror, control; ///< control: StepControl, StepOutcome
    } onDevice;

    /// The tensors of a program in one of the two arenas, in the graph's order.
    static std::vector<Entry> entriesOf(const compile::Program& program, compile::Placement::Arena arena);
    /// Where kernels find a byte of the parameters, states or mirrors.
    std::byte* address(compile::Placement::Arena arena, std::uint64_t offset) const;
    Status createOnDevice(const compile::Program& program);
};

} // namespace millrace::execute
