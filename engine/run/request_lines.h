// The requests of an answering runner as they come in, read by a thread of its own, so that one can be cancelled while
// it is being answered.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <iosfwd>
#include <mutex>
#include <set>
#include <stop_token>
#include <string>
#include <thread>

namespace millrace::run {

/// A line {"cancel": id} is kept back: it asks the answer to the request of that id to stop, or never to begin.
class RequestLines
{
public:
    explicit RequestLines(std::istream& input);

    /// Waits for the next line; false at the end of the input.
    bool next(std::string& line);
    /// Begins the answer to a request; the token stops when it is cancelled.
    std::stop_token begin(std::int64_t id);
    /// Stops the answer that is being given.
    void stop();

private:
    void read(std::istream& input);
    bool takesCancel(const std::string& line);

    std::mutex m_mutex; // guards all below
    std::condition_variable m_changed;
    std::deque<std::string> m_lines;
    std::set<std::int64_t> m_cancelled; ///< before they began
    std::int64_t m_current = 0;
    std::stop_source m_stop; ///< of the current one
    bool m_ended = false;
    std::jthread m_reader; // last: it ends before what it uses
};

} // namespace millrace::run
