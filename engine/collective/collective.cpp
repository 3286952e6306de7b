#include "engine/collective/collective.h"

#include "kernels/base/text.h"

namespace millrace::collective {

Shard shardOf(std::size_t size, int worldSize, int rank)
{
    const auto ranks = static_cast<std::size_t>(worldSize), own = static_cast<std::size_t>(rank);
    const std::size_t part = size / (16 * ranks) * 16;
    return {own * part, own + 1 == ranks ? size : (own + 1) * part};
}

namespace {

class SoleRank final : public Group
{
public:
    explicit SoleRank(Memory memory) : Group(0, 1), m_memory(memory) {}
    Memory memory() const override { return m_memory; }
    Ticket startAllReduce(std::span<float>) override { return next(); }
    Ticket startReduceScatter(std::span<float>) override { return next(); }
    Ticket startAllGather(std::span<std::byte>, std::size_t) override { return next(); }
    Ticket startBroadcast(std::span<std::byte>, int) override { return next(); }
    Status wait(Ticket) override { return {}; }
    Status status() override { return {}; }
    Status barrier() override { return {}; }
    std::vector<Member> members() const override { return {{.started = m_operations, .finished = m_operations}}; }

private:
    Ticket next() { return {++m_operations}; }
    Memory m_memory;
    std::uint64_t m_operations = 0;
};

} // namespace

std::unique_ptr<Group> soleRank(Memory memory)
{
    return std::make_unique<SoleRank>(memory);
}

Status checkSettings(const GroupSettings& settings)
{
    if (settings.worldSize < 1)
        return makeError(Code::InvalidArgument, str("A group has at least one rank, not ", settings.worldSize, "."));
    if (settings.rank < 0 || settings.rank >= settings.worldSize)
        return makeError(Code::InvalidArgument, str("The rank ", settings.rank, " is none of a group of ",
                                                    settings.worldSize, ", which counts from 0."));
    if (settings.worldSize > 1 && settings.meetingFile.empty())
        return makeError(Code::InvalidArgument, "Several ranks need the path of a file where they meet.");
    return {};
}

} // namespace millrace::collective
