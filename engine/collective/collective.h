// A group of ranks that work on one training: what they exchange, and how a rank that fails gets its name.
#pragma once

#include "kernels/base/result.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace millrace::collective {

/// How ranks find each other and how long they wait.
struct GroupSettings
{
    int rank = 0, worldSize = 1;
    /// A file that all ranks see: rank 0 writes there where it listens, and removes it once all have come. Who starts
    /// ranks on machines without a common file system copies it to the same place on the others.
    std::string meetingFile;
    /// The address under which the others reach this machine. The default listens on loopback alone.
    std::string host = "127.0.0.1";
    std::chrono::milliseconds join{60'000};       ///< until all ranks have come
    std::chrono::milliseconds silence{10'000};    ///< without a sign of life, until a rank counts as lost
    std::chrono::milliseconds operation{600'000}; ///< until a living rank that others wait for counts as lost
};

/// What the group knows of one rank: for whoever shows stragglers.
struct Member
{
    bool left = false, lost = false;
    std::chrono::milliseconds silent{0};     ///< since its last sign of life
    std::uint64_t started = 0, finished = 0; ///< operations
};

/// A part of a span that one rank owns, in elements.
struct Shard
{
    std::size_t begin = 0, end = 0;
    std::size_t size() const { return end - begin; }
    bool operator==(const Shard&) const = default;
};

/// A rank's shard of `size` elements: equal parts on borders of 16 elements (64 bytes of f32); the last rank has what
/// remains as well.
Shard shardOf(std::size_t size, int worldSize, int rank);

/// An operation that was started. They run in the order of their start, which must be the same on all ranks.
struct Ticket
{
    std::uint64_t number = 0;
};

/// Where the memory lies that a group works on.
enum class Memory
{
    Host,
    Device
};

/// A group on one thread of a rank. An operation's span must stay as it is until the operation was waited for.
///
/// Host and device have the same calls. A span of a device group is device memory, and the group knows the stream that
/// the rank computes on: an operation begins after all that was enqueued there before its start, and what is enqueued
/// there after wait() sees its result. In a host group the caller's own order takes the stream's place: wait() blocks.
///
/// The sum of an element is made in a fixed order, so that all ranks and all runs have the same bits. In the host group
/// it is the order of ranks, whatever the operation, the span's length and the shards.
///
/// An error names the rank that failed or did not answer. It ends the group: every later operation returns it too.
class Group
{
public:
    virtual ~Group() = default;
    int rank() const { return m_rank; }
    int worldSize() const { return m_worldSize; }
    virtual Memory memory() const = 0;

    /// values[i] = the sum of values[i] over all ranks.   Cost: sends and receives 2 (W-1)/W of the span.
    virtual Ticket startAllReduce(std::span<float> values) = 0;
    /// The rank's own shard of `values` becomes the sum over all ranks; what the rest holds then is not defined.
    virtual Ticket startReduceScatter(std::span<float> values) = 0;
    /// Every rank gives its shard of `values` (counted in elements of so many bytes) and gets the others'.
    virtual Ticket startAllGather(std::span<std::byte> values, std::size_t elementBytes) = 0;
    /// All ranks get what `values` holds on rank `root`.
    virtual Ticket startBroadcast(std::span<std::byte> values, int root) = 0;

    /// Host: returns when the operation has ended. Device: orders the rank's stream behind it and returns at once.
    /// Errors: ProcessDied where a rank ended, Io where it does not answer or a connection broke; the subject's host
    /// names the rank.
    virtual Status wait(Ticket ticket) = 0;
    /// Whether the group still works, without waiting: how a device group's errors are seen. Errors as wait().
    virtual Status status() = 0;
    /// Returns when all ranks have come here, and in a device group when all operations before it have ended.
    virtual Status barrier() = 0;
    virtual std::vector<Member> members() const = 0; ///< by rank

    Status allReduce(std::span<float> values) { return wait(startAllReduce(values)); }
    Status reduceScatter(std::span<float> values) { return wait(startReduceScatter(values)); }
    Status allGather(std::span<float> values) { return wait(startAllGather(std::as_writable_bytes(values), 4)); }
    Status broadcast(std::span<std::byte> values, int root) { return wait(startBroadcast(values, root)); }

protected:
    Group(int rank, int worldSize) : m_rank(rank), m_worldSize(worldSize) {}

private:
    int m_rank, m_worldSize;
};

/// The group of one rank: every operation is done when it is started. It opens no socket.
std::unique_ptr<Group> soleRank(Memory memory);

/// InvalidArgument where rank or world size cannot be.
Status checkSettings(const GroupSettings& settings);

} // namespace millrace::collective
