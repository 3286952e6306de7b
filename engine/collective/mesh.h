// Connections from each rank to each other, by Gloo's TCP transport: pieces of memory sent and received without
// waiting, and the rank's name when one breaks.
#pragma once

#include "engine/collective/meeting.h"

#include <gloo/transport/context.h>
#include <gloo/transport/device.h>
#include <gloo/transport/unbound_buffer.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

namespace millrace::collective {

/// Used by one thread, but for abort() and waitingFor(). Gloo's exceptions end here: a call that fails says what, and
/// brokenRank() whose connection it was.
class Mesh
{
public:
    /// Connects this rank with all others. Errors: those of the meeting, Io with what Gloo says.
    static Result<std::unique_ptr<Mesh>> connect(Meeting& meeting);

    /// The memory that is sent to and received from each other rank until the next call, by rank. What is pending on
    /// what was set before is given up: Gloo does not touch it any more.
    Status setMemory(std::span<std::byte> sent, const std::vector<std::span<std::byte>>& received);
    void clearMemory();

    /// Pieces [offset, offset + size) of the memory set. A piece of the one rank meets the piece of the other that was
    /// started with the same slot in the same order, and has the same size.
    Status send(int rank, std::uint64_t slot, std::size_t offset, std::size_t size);
    Status receive(int rank, std::uint64_t slot, std::size_t offset, std::size_t size);
    /// Waits for the oldest piece that was not waited for.
    Status waitSent(int rank);
    Status waitReceived(int rank);

    /// Ends every wait, now and later, with an error. From any thread.
    void abort();
    int waitingFor() const { return m_waitingFor; } ///< -1: no rank
    int brokenRank() const { return m_brokenRank; } ///< -1: none

private:
    using Buffers = std::vector<std::unique_ptr<gloo::transport::UnboundBuffer>>;
    Status wait(int rank, gloo::transport::UnboundBuffer& buffer, bool received);
    template <class Call> Status guarded(int rank, Call call);

    std::shared_ptr<gloo::transport::Device> m_device; // Gloo shares it with its connections
    std::shared_ptr<gloo::transport::Context> m_context;
    std::atomic<int> m_waitingFor = -1, m_brokenRank = -1;

    std::mutex m_mutex;  // guards what follows: abort() reaches for the buffers
    Buffers m_out, m_in; ///< by rank; none for this one
    bool m_aborted = false;
};

/// While it lives, writing to a connection that the other side has closed is an error and not a signal, in this thread
/// and in those that it starts.
class PipeSignalBlocked
{
public:
    PipeSignalBlocked();
    ~PipeSignalBlocked();
    PipeSignalBlocked(const PipeSignalBlocked&) = delete;
    PipeSignalBlocked& operator=(const PipeSignalBlocked&) = delete;

private:
    bool m_wasBlocked;
};

} // namespace millrace::collective
