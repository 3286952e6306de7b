// A TCP connection that carries short messages: what the ranks use to find each other and to tell that they live.
#pragma once

#include "kernels/base/files.h"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace millrace::collective {

using Clock = std::chrono::steady_clock;

/// Errors of all calls: ProcessDied where the other side has closed, Io with the reason else; Busy past a deadline.
class Connection
{
public:
    explicit Connection(FileHandle socket);
    static Result<Connection> connect(const std::string& host, int port, Clock::time_point deadline);

    /// Puts the message behind those that wait and sends what the socket takes, without waiting.
    Status send(std::string_view message);
    /// Sends what waits until nothing does.
    Status flush(Clock::time_point deadline);
    /// Whether messages wait, because the other side does not read.
    bool isBehind() const { return !m_outgoing.empty(); }
    /// The next message if it has come, without waiting. Io for one of more than 16 MiB.
    Result<std::optional<std::string>> next();
    Result<std::string> receive(Clock::time_point deadline);
    int descriptor() const { return m_socket.descriptor(); }

private:
    FileHandle m_socket;
    std::string m_outgoing, m_incoming;
};

/// Where rank 0 waits for the others.
class Listener
{
public:
    /// On a port that the system chooses.
    static Result<Listener> open(const std::string& host);
    int port() const { return m_port; }
    Result<Connection> accept(Clock::time_point deadline);

private:
    Listener(FileHandle socket, int port) : m_socket(std::move(socket)), m_port(port) {}
    FileHandle m_socket;
    int m_port;
};

} // namespace millrace::collective
