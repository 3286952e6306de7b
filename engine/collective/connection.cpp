// A message is its length in four bytes, the highest first, and its bytes. Sockets never block; deadlines are poll's.
#include "engine/collective/connection.h"

#include "kernels/base/text.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

namespace millrace::collective {

namespace {

constexpr std::size_t kLength = 4, kLargestMessage = std::size_t{16} << 20;

Error socketError(std::string_view action, int number)
{
    const bool gone = number == ECONNRESET || number == EPIPE || number == ENOTCONN;
    return makeError(gone ? Code::ProcessDied : Code::Io, str("Cannot ", action, ": ", std::strerror(number), "."));
}

Error closed()
{
    return makeError(Code::ProcessDied, "The other side closed the connection.");
}

/// Waits until the socket can be read (POLLIN) or written (POLLOUT).
Status waitFor(int descriptor, short events, Clock::time_point deadline)
{
    for (;;) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count() + 1;
        if (left <= 0) return makeError(Code::Busy, "The other side did not answer in time.");
        pollfd one{descriptor, events, 0};
        const int ready = ::poll(&one, 1, static_cast<int>(std::min<long long>(left, 1000)));
        if (ready > 0) return {};
        if (ready < 0 && errno != EINTR) return socketError("wait for a socket", errno);
    }
}

struct AddressesDeleter
{
    void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};
using Addresses = std::unique_ptr<addrinfo, AddressesDeleter>;

Result<Addresses> lookUp(const std::string& host, int port, int flags)
{
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = flags;
    addrinfo* list = nullptr;
    if (const int failure = ::getaddrinfo(host.c_str(), str(port).c_str(), &hints, &list); failure != 0)
        return makeError(Code::NotFound,
                         str("Cannot find the host \"", printable(host), "\": ", ::gai_strerror(failure), "."));
    return Addresses(list);
}

FileHandle newSocket(const addrinfo& address)
{
    return FileHandle(
        ::socket(address.ai_family, address.ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, address.ai_protocol), "socket");
}

} // namespace

Connection::Connection(FileHandle socket) : m_socket(std::move(socket))
{
    const int on = 1;
    ::setsockopt(m_socket.descriptor(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

Result<Connection> Connection::connect(const std::string& host, int port, Clock::time_point deadline)
{
    MR_TRY(const Addresses addresses, lookUp(host, port, AI_NUMERICSERV));
    Error failure = makeError(Code::NotFound, str("The host \"", printable(host), "\" has no address."));
    for (const addrinfo* address = addresses.get(); address; address = address->ai_next) {
        FileHandle socket = newSocket(*address);
        if (!socket.isOpen()) continue;
        int number = ::connect(socket.descriptor(), address->ai_addr, address->ai_addrlen) == 0 ? 0 : errno;
        if (number == EINPROGRESS) {
            MR_CHECK(waitFor(socket.descriptor(), POLLOUT, deadline));
            socklen_t size = sizeof number;
            ::getsockopt(socket.descriptor(), SOL_SOCKET, SO_ERROR, &number, &size);
        }
        if (number == 0) return Connection(std::move(socket));
        failure = socketError(str("connect to ", printable(host), ", port ", port), number);
    }
    return failure;
}

Status Connection::send(std::string_view message)
{
    for (std::size_t i = kLength; i-- > 0;) m_outgoing += static_cast<char>(message.size() >> (8 * i) & 0xFF);
    m_outgoing += message;
    auto sent = flush(Clock::time_point());
    if (!sent && sent.error().code == Code::Busy) return {};
    return sent;
}

Status Connection::flush(Clock::time_point deadline)
{
    while (!m_outgoing.empty()) {
        const ssize_t sent =
            ::send(m_socket.descriptor(), m_outgoing.data(), m_outgoing.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent >= 0)
            m_outgoing.erase(0, static_cast<std::size_t>(sent));
        else if (errno == EAGAIN)
            MR_CHECK(waitFor(m_socket.descriptor(), POLLOUT, deadline));
        else if (errno != EINTR)
            return socketError("send to the other side", errno);
    }
    return {};
}

Result<std::optional<std::string>> Connection::next()
{
    for (;;) {
        std::size_t size = 0;
        for (std::size_t i = 0; i < kLength && m_incoming.size() >= kLength; ++i)
            size = size << 8 | static_cast<unsigned char>(m_incoming[i]);
        if (size > kLargestMessage)
            return makeError(Code::Io, str("The other side announced a message of ", size, " bytes."));
        if (m_incoming.size() >= kLength + size) {
            std::optional<std::string> message = m_incoming.substr(kLength, size);
            m_incoming.erase(0, kLength + size);
            return message;
        }
        std::array<char, 4096> piece;
        const ssize_t got = ::recv(m_socket.descriptor(), piece.data(), piece.size(), MSG_DONTWAIT);
        if (got > 0)
            m_incoming.append(piece.data(), static_cast<std::size_t>(got));
        else if (got == 0)
            return closed();
        else if (errno == EAGAIN)
            return std::optional<std::string>();
        else if (errno != EINTR)
            return socketError("receive from the other side", errno);
    }
}

Result<std::string> Connection::receive(Clock::time_point deadline)
{
    for (;;) {
        MR_TRY(auto message, next());
        if (message) return *std::move(message);
        MR_CHECK(waitFor(m_socket.descriptor(), POLLIN, deadline));
    }
}

Result<Listener> Listener::open(const std::string& host)
{
    MR_TRY(const Addresses addresses, lookUp(host, 0, AI_PASSIVE));
    FileHandle socket = newSocket(*addresses);
    sockaddr_storage bound{};
    socklen_t size = sizeof bound;
    if (!socket.isOpen() || ::bind(socket.descriptor(), addresses->ai_addr, addresses->ai_addrlen) != 0 ||
        ::listen(socket.descriptor(), 128) != 0 ||
        ::getsockname(socket.descriptor(), reinterpret_cast<sockaddr*>(&bound), &size) != 0)
        return socketError(str("listen at ", printable(host)), errno);
    const in_port_t port = bound.ss_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6&>(bound).sin6_port
                                                       : reinterpret_cast<const sockaddr_in&>(bound).sin_port;
    return Listener(std::move(socket), ntohs(port));
}

Result<Connection> Listener::accept(Clock::time_point deadline)
{
    for (;;) {
        FileHandle socket(::accept4(m_socket.descriptor(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC), "socket");
        if (socket.isOpen()) return Connection(std::move(socket));
        if (errno == EAGAIN)
            MR_CHECK(waitFor(m_socket.descriptor(), POLLIN, deadline));
        else if (errno != EINTR && errno != ECONNABORTED)
            return socketError("accept a connection", errno);
    }
}

} // namespace millrace::collective
