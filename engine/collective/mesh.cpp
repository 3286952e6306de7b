#include "engine/collective/mesh.h"

#include "kernels/base/text.h"

#include <gloo/transport/address.h>
#include <gloo/transport/pair.h>
#include <gloo/transport/tcp/device.h>

#include <chrono>
#include <csignal>
#include <ctime>
#include <exception>
#include <pthread.h>

namespace millrace::collective {

namespace {

/// The roll call says when to give up; Gloo's own limit would not name a rank and break all connections.
constexpr std::chrono::hours kNoLimit{24 * 365};

sigset_t pipeSignal()
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    return set;
}

/// Gloo's address for each peer, one after the other: each its length, a space, its bytes.
std::string packed(const std::vector<std::vector<char>>& addresses)
{
    std::string all;
    for (const auto& address : addresses) {
        all += str(address.size(), ' ');
        all.append(address.begin(), address.end());
    }
    return all;
}

/// The n-th of what packed() made; empty where there is none.
std::vector<char> unpacked(std::string_view all, int n)
{
    for (;; --n) {
        const std::size_t space = std::min(all.find(' '), all.size());
        const auto size = static_cast<std::size_t>(parseInteger(all.substr(0, space)).value_or(0));
        all.remove_prefix(std::min(space + 1, all.size()));
        if (n == 0 || all.empty())
            return {all.begin(), all.begin() + static_cast<std::ptrdiff_t>(std::min(size, all.size()))};
        all.remove_prefix(std::min(size, all.size()));
    }
}

} // namespace

PipeSignalBlocked::PipeSignalBlocked()
{
    const sigset_t set = pipeSignal();
    sigset_t before;
    pthread_sigmask(SIG_BLOCK, &set, &before);
    m_wasBlocked = sigismember(&before, SIGPIPE) == 1;
}

PipeSignalBlocked::~PipeSignalBlocked()
{
    if (m_wasBlocked) return;
    const sigset_t set = pipeSignal();
    const timespec now{};
    while (sigtimedwait(&set, nullptr, &now) > 0) continue; // one that came meanwhile is taken, not delivered now
    pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

template <class Call> Status Mesh::guarded(int rank, Call call)
{
    try {
        call();
        return {};
    } catch (const std::exception& exception) {
        m_brokenRank = rank;
        return makeError(Code::Io, str("The connection to rank ", rank, " broke: ", exception.what(), "."));
    }
}

Result<std::unique_ptr<Mesh>> Mesh::connect(Meeting& meeting)
{
    const PipeSignalBlocked blocked; // Gloo's thread inherits it
    const GroupSettings& settings = meeting.settings();
    auto mesh = std::make_unique<Mesh>();
    std::vector<std::vector<char>> own(static_cast<std::size_t>(settings.worldSize));
    MR_CHECK(mesh->guarded(settings.rank, [&] {
        mesh->m_device = gloo::transport::tcp::CreateDevice(gloo::transport::tcp::attr(settings.host.c_str()));
        mesh->m_context = mesh->m_device->createContext(settings.rank, settings.worldSize);
        mesh->m_context->setTimeout(settings.join);
        for (int rank = 0; rank < settings.worldSize; ++rank)
            if (rank != settings.rank)
                own[static_cast<std::size_t>(rank)] = mesh->m_context->createPair(rank)->address().bytes();
    }));
    MR_TRY(const auto addresses, meeting.exchange(packed(own)));
    for (int rank = 0; rank < settings.worldSize; ++rank) {
        if (rank == settings.rank) continue;
        const auto address = unpacked(addresses[static_cast<std::size_t>(rank)], settings.rank);
        MR_CHECK(mesh->guarded(rank, [&] { mesh->m_context->getPair(rank)->connect(address); }));
    }
    return mesh;
}

Status Mesh::setMemory(std::span<std::byte> sent, const std::vector<std::span<std::byte>>& received)
{
    const std::lock_guard lock(m_mutex);
    if (m_aborted) return makeError(Code::Cancelled, "The group has ended.");
    m_out.resize(received.size());
    m_in.resize(received.size());
    for (std::size_t rank = 0; rank < received.size(); ++rank) {
        if (static_cast<int>(rank) == m_context->rank) continue;
        MR_CHECK(guarded(static_cast<int>(rank), [&] {
            m_out[rank] = m_context->createUnboundBuffer(sent.data(), sent.size());
            m_in[rank] = m_context->createUnboundBuffer(received[rank].data(), received[rank].size());
        }));
    }
    return {};
}

void Mesh::clearMemory()
{
    Buffers out, in; // destroyed outside of the lock: Gloo may be in the middle of one
    const std::lock_guard lock(m_mutex);
    m_out.swap(out);
    m_in.swap(in);
}

Status Mesh::send(int rank, std::uint64_t slot, std::size_t offset, std::size_t size)
{
    return guarded(rank, [&] { m_out[static_cast<std::size_t>(rank)]->send(rank, slot, offset, size); });
}

Status Mesh::receive(int rank, std::uint64_t slot, std::size_t offset, std::size_t size)
{
    return guarded(rank, [&] { m_in[static_cast<std::size_t>(rank)]->recv(rank, slot, offset, size); });
}

Status Mesh::wait(int rank, gloo::transport::UnboundBuffer& buffer, bool received)
{
    m_waitingFor = rank;
    bool done = false;
    MR_CHECK(guarded(rank, [&] { done = received ? buffer.waitRecv(kNoLimit) : buffer.waitSend(kNoLimit); }));
    m_waitingFor = -1;
    if (!done) return makeError(Code::Cancelled, "The group has ended.");
    return {};
}

Status Mesh::waitSent(int rank)
{
    return wait(rank, *m_out[static_cast<std::size_t>(rank)], false);
}

Status Mesh::waitReceived(int rank)
{
    return wait(rank, *m_in[static_cast<std::size_t>(rank)], true);
}

void Mesh::abort()
{
    const std::lock_guard lock(m_mutex);
    m_aborted = true;
    for (const auto& buffer : m_out)
        if (buffer) buffer->abortWaitSend();
    for (const auto& buffer : m_in)
        if (buffer) buffer->abortWaitRecv();
}

} // namespace millrace::collective
