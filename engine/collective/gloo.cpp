// Every rank sends its part of each shard straight to the shard's owner, who adds the parts in the order of ranks: as
// few bytes as a ring, in one step instead of W - 1, and bits that depend neither on where an element lies nor on how
// long the span is. The owner works through its shard in segments and adds one while the next one arrives.
#include "engine/collective/gloo.h"

#include "engine/collective/mesh.h"
#include "engine/collective/roll_call.h"
#include "kernels/base/text.h"

#include <algorithm>
#include <array>
#include <condition_variable>
#include <deque>
#include <thread>

namespace millrace::collective {

namespace {

/// Elements received at a time: two segments of each rank fit into the cache of a core.
constexpr std::size_t kSegment = std::size_t{1} << 16;

/// out[i] = parts[0][i] + parts[1][i] + …, added from the left. `out` may be one of the parts.
void addInOrder(const std::vector<const float*>& parts, float* out, std::size_t size)
{
    std::array<float, 512> sums;
    for (std::size_t begin = 0; begin < size; begin += sums.size()) {
        const std::size_t count = std::min(sums.size(), size - begin);
        std::copy_n(parts[0] + begin, count, sums.begin());
        for (std::size_t part = 1; part < parts.size(); ++part) {
            const float* values = parts[part] + begin;
            for (std::size_t i = 0; i < count; ++i) sums[i] += values[i];
        }
        std::copy_n(sums.begin(), count, out + begin);
    }
}

std::size_t index(int rank)
{
    return static_cast<std::size_t>(rank);
}

std::vector<int> others(int own, int worldSize)
{
    std::vector<int> ranks;
    for (int rank = 0; rank < worldSize; ++rank)
        if (rank != own) ranks.push_back(rank);
    return ranks;
}

class GlooGroup final : public Group
{
public:
    GlooGroup(std::unique_ptr<Mesh> mesh, Meeting meeting)
        : Group(meeting.settings().rank, meeting.settings().worldSize), m_mesh(std::move(mesh)),
          m_peers(others(rank(), worldSize())), m_scratch(2 * kSegment * index(worldSize())),
          m_rollCall(
              std::move(meeting), [this] { return beat(); }, [this](const Error&) { end(); }),
          m_thread([this] { run(); })
    {
    }

    ~GlooGroup() override
    {
        end();
        m_thread.join();
    }

    Memory memory() const override { return Memory::Host; }
    Ticket startAllReduce(std::span<float> values) override
    {
        return start({Kind::AllReduce, std::as_writable_bytes(values), sizeof(float)});
    }
    Ticket startReduceScatter(std::span<float> values) override
    {
        return start({Kind::ReduceScatter, std::as_writable_bytes(values), sizeof(float)});
    }
    Ticket startAllGather(std::span<std::byte> values, std::size_t elementBytes) override
    {
        return start({Kind::AllGather, values, elementBytes});
    }
    Ticket startBroadcast(std::span<std::byte> values, int root) override
    {
        return start({Kind::Broadcast, values, 1, root});
    }

    Status wait(Ticket ticket) override
    {
        std::unique_lock lock(m_mutex);
        m_changed.wait(lock, [&] { return m_finished >= ticket.number || m_error; });
        return m_finished >= ticket.number ? Status() : Status(*m_error);
    }

    Status status() override
    {
        if (auto verdict = m_rollCall.verdict()) return *std::move(verdict);
        const std::lock_guard lock(m_mutex);
        return m_error ? Status(*m_error) : Status();
    }

    Status barrier() override
    {
        m_meeting.resize(16 * static_cast<std::size_t>(worldSize()));
        return wait(startAllGather(std::as_writable_bytes(std::span(m_meeting)), sizeof(float)));
    }

    std::vector<Member> members() const override { return m_rollCall.members(); }

private:
    enum class Kind
    {
        AllReduce,
        ReduceScatter,
        AllGather,
        Broadcast
    };
    struct Operation
    {
        Kind kind;
        std::span<std::byte> values;
        std::size_t elementBytes;
        int root = 0;
        std::uint64_t number = 0;
    };

    Ticket start(Operation operation)
    {
        const std::lock_guard lock(m_mutex);
        operation.number = ++m_started;
        m_queue.push_back(operation);
        m_changed.notify_all();
        return {operation.number};
    }

    /// Ends the waits of the thread of operations, and with them the thread.
    void end()
    {
        {
            const std::lock_guard lock(m_mutex);
            m_ending = true;
        }
        m_mesh->abort();
        m_changed.notify_all();
    }

    Beat beat()
    {
        const std::lock_guard lock(m_mutex);
        return {m_started, m_finished, m_mesh->waitingFor()};
    }

    void run()
    {
        const PipeSignalBlocked blocked;
        Error error = work();
        if (auto verdict = m_rollCall.verdict())
            error = *std::move(verdict);
        else if (error.code != Code::Cancelled)
            error = m_rollCall.awaitVerdict(std::move(error));
        const std::lock_guard lock(m_mutex);
        m_error = std::move(error);
        m_changed.notify_all();
    }

    /// Makes one operation after the other; returns why it does not go on.
    Error work()
    {
        std::unique_lock lock(m_mutex);
        for (;;) {
            m_changed.wait(lock, [&] { return m_ending || !m_queue.empty(); });
            if (m_ending) return makeError(Code::Cancelled, "The group has ended.");
            const Operation operation = m_queue.front();
            m_queue.pop_front();
            lock.unlock();
            auto done = execute(operation);
            m_mesh->clearMemory(); // from here on nobody touches the operation's values
            if (!done) {
                if (done.error().code != Code::Cancelled) m_rollCall.report(m_mesh->brokenRank(), done.error().message);
                return std::move(done).error();
            }
            lock.lock();
            m_finished = operation.number;
            m_changed.notify_all();
        }
    }

    Status execute(const Operation& operation);
    Status reduceScatter(const Operation& operation);
    Status allGather(const Operation& operation);
    Status broadcast(const Operation& operation);

    std::unique_ptr<Mesh> m_mesh;
    std::vector<int> m_peers;     ///< the other ranks
    std::vector<float> m_scratch; ///< two segments of each rank
    std::vector<float> m_meeting; ///< what a barrier exchanges

    std::mutex m_mutex; // guards what follows
    std::condition_variable m_changed;
    std::deque<Operation> m_queue;
    std::uint64_t m_started = 0, m_finished = 0;
    bool m_ending = false;
    std::optional<Error> m_error;

    RollCall m_rollCall;
    std::thread m_thread;
};

Status GlooGroup::execute(const Operation& operation)
{
    switch (operation.kind) {
    case Kind::AllReduce:
        MR_CHECK(reduceScatter(operation));
        m_mesh->clearMemory();
        return allGather(operation);
    case Kind::ReduceScatter:
        return reduceScatter(operation);
    case Kind::AllGather:
        return allGather(operation);
    case Kind::Broadcast:
        return broadcast(operation);
    }
    return {};
}

Status GlooGroup::reduceScatter(const Operation& operation)
{
    float* const values = reinterpret_cast<float*>(operation.values.data());
    const std::size_t size = operation.values.size() / sizeof(float);
    const auto shard = [&](int rank) { return shardOf(size, worldSize(), rank); };
    const auto segments = [](const Shard& of) { return (of.size() + kSegment - 1) / kSegment; };
    const auto length = [](const Shard& of, std::size_t segment) {
        return std::min(kSegment, of.size() - segment * kSegment);
    };
    const auto place = [](std::size_t segment) { return segment % 2 * kSegment; }; // in the scratch of a rank
    const auto scratch = [&](int rank) {
        return std::span(m_scratch).subspan(index(rank) * 2 * kSegment, 2 * kSegment);
    };
    const std::uint64_t slot = 2 * operation.number;
    const Shard own = shard(rank());
    const auto receive = [&](std::size_t segment) -> Status {
        for (const int peer : m_peers)
            MR_CHECK(m_mesh->receive(peer, slot, place(segment) * sizeof(float), length(own, segment) * sizeof(float)));
        return {};
    };

    std::vector<std::span<std::byte>> received;
    for (int rank = 0; rank < worldSize(); ++rank) received.push_back(std::as_writable_bytes(scratch(rank)));
    MR_CHECK(m_mesh->setMemory(operation.values, received));
    for (std::size_t segment = 0; segment < std::min<std::size_t>(segments(own), 2); ++segment)
        MR_CHECK(receive(segment));
    for (const int peer : m_peers)
        for (std::size_t segment = 0; segment < segments(shard(peer)); ++segment)
            MR_CHECK(m_mesh->send(peer, slot, (shard(peer).begin + segment * kSegment) * sizeof(float),
                                  length(shard(peer), segment) * sizeof(float)));

    std::vector<const float*> parts(index(worldSize()));
    for (std::size_t segment = 0; segment < segments(own); ++segment) {
        for (const int peer : m_peers) {
            MR_CHECK(m_mesh->waitReceived(peer));
            parts[index(peer)] = scratch(peer).data() + place(segment);
        }
        float* const sum = values + own.begin + segment * kSegment;
        parts[index(rank())] = sum;
        addInOrder(parts, sum, length(own, segment));
        if (segment + 2 < segments(own)) MR_CHECK(receive(segment + 2));
    }
    for (const int peer : m_peers)
        for (std::size_t segment = 0; segment < segments(shard(peer)); ++segment) MR_CHECK(m_mesh->waitSent(peer));
    return {};
}

Status GlooGroup::allGather(const Operation& operation)
{
    const std::size_t bytes = operation.elementBytes;
    const auto shard = [&](int rank) { return shardOf(operation.values.size() / bytes, worldSize(), rank); };
    const std::uint64_t slot = 2 * operation.number + 1;
    const Shard own = shard(rank());
    MR_CHECK(m_mesh->setMemory(operation.values, std::vector(index(worldSize()), operation.values)));
    for (const int peer : m_peers) {
        const Shard theirs = shard(peer);
        if (theirs.size() > 0) MR_CHECK(m_mesh->receive(peer, slot, theirs.begin * bytes, theirs.size() * bytes));
        if (own.size() > 0) MR_CHECK(m_mesh->send(peer, slot, own.begin * bytes, own.size() * bytes));
    }
    for (const int peer : m_peers) {
        if (shard(peer).size() > 0) MR_CHECK(m_mesh->waitReceived(peer));
        if (own.size() > 0) MR_CHECK(m_mesh->waitSent(peer));
    }
    return {};
}

Status GlooGroup::broadcast(const Operation& operation)
{
    const std::uint64_t slot = 2 * operation.number;
    const std::size_t size = operation.values.size();
    if (size == 0) return {};
    MR_CHECK(m_mesh->setMemory(operation.values, std::vector(index(worldSize()), operation.values)));
    if (rank() != operation.root) {
        MR_CHECK(m_mesh->receive(operation.root, slot, 0, size));
        return m_mesh->waitReceived(operation.root);
    }
    for (const int peer : m_peers) MR_CHECK(m_mesh->send(peer, slot, 0, size));
    for (const int peer : m_peers) MR_CHECK(m_mesh->waitSent(peer));
    return {};
}

} // namespace

Result<std::unique_ptr<Group>> createGlooGroup(const GroupSettings& settings)
{
    MR_CHECK(checkSettings(settings));
    if (settings.worldSize == 1) return soleRank(Memory::Host);
    MR_TRY(Meeting meeting, Meeting::hold(settings));
    MR_TRY(auto mesh, Mesh::connect(meeting));
    return std::unique_ptr<Group>(std::make_unique<GlooGroup>(std::move(mesh), std::move(meeting)));
}

} // namespace millrace::collective
