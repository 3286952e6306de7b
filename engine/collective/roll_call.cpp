// What is said, as text:  each rank to rank 0 "beat STARTED FINISHED WAITING_FOR" and "report PEER TEXT"; rank 0 to all
// "roll" with SILENT,STARTED,FINISHED,LEFT,LOST of each rank; either "over CODE RANK TEXT" (the verdict) and "bye
// STARTED" (it leaves).
#include "engine/collective/roll_call.h"

#include "kernels/base/text.h"
#include "kernels/base/units.h"

#include <algorithm>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace millrace::collective {

namespace {

using namespace std::chrono_literals;

/// The n-th of the words as a number; 0 where there is none.
template <class T = std::uint64_t> T number(const std::vector<std::string_view>& words, std::size_t n)
{
    return static_cast<T>(n < words.size() ? parseInteger(words[n]).value_or(0) : 0);
}

/// The text behind so many words.
std::string textAfter(std::string_view text, int words)
{
    for (; words > 0; --words) text.remove_prefix(std::min(text.size(), text.find(' ') + 1));
    return std::string(text);
}

} // namespace

RollCall::RollCall(Meeting meeting, std::function<Beat()> beat, std::function<void(const Error&)> onVerdict)
    : m_settings(meeting.settings()), m_beat(std::move(beat)), m_onVerdict(std::move(onVerdict)),
      m_interval(std::clamp<Clock::duration>(m_settings.silence / 8, 10ms, 500ms)),
      m_connections(meeting.takeConnections()), m_heardHost(Clock::now()), m_judge(m_settings, Clock::now()),
      m_members(static_cast<std::size_t>(m_settings.worldSize)),
      m_wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd"), m_thread([this](std::stop_token stop) { run(stop); })
{
}

RollCall::~RollCall()
{
    m_thread.request_stop();
    (void)::eventfd_write(m_wake.descriptor(), 1);
    m_thread.join();
    speak(Clock::now()); // what was reported last
    if (const auto found = judge(Clock::now()); found && judges()) decide(*found);
    sendAll(str("bye ", m_beat().started));
    for (auto& connection : m_connections)
        if (connection) (void)connection->flush(Clock::now() + 1s); // who does not read is told by the closing
}

void RollCall::report(int peer, std::string what)
{
    {
        const std::lock_guard lock(m_mutex);
        if (!m_report) m_report.emplace(peer, std::move(what));
    }
    (void)::eventfd_write(m_wake.descriptor(), 1);
}

std::optional<Error> RollCall::verdict() const
{
    const std::lock_guard lock(m_mutex);
    return m_verdict;
}

Error RollCall::awaitVerdict(Error own)
{
    std::unique_lock lock(m_mutex);
    m_decided.wait_for(lock, m_settings.silence + 3s, [&] { return m_verdict.has_value(); });
    return m_verdict ? *m_verdict : std::move(own);
}

std::vector<Member> RollCall::members() const
{
    const std::lock_guard lock(m_mutex);
    return judges() ? m_judge.members(Clock::now()) : m_members;
}

void RollCall::run(std::stop_token stop)
{
    auto next = Clock::now();
    while (!stop.stop_requested()) {
        const auto now = Clock::now();
        const bool due = now >= next;
        if (due) next = now + m_interval;
        if (due || hasNews()) speak(now);
        listen(next);
    }
}

bool RollCall::hasNews() const
{
    const std::lock_guard lock(m_mutex);
    return m_report && !m_reportSent;
}

/// Tells what there is to tell. Who is behind with reading is spared the next sign of life, never a report.
void RollCall::speak(Clock::time_point now)
{
    const Beat beat = m_beat();
    std::string message;
    {
        const std::lock_guard lock(m_mutex);
        if (judges()) {
            m_judge.heard(0, beat, now);
            if (m_report && !m_reportSent) m_judge.reported(0, m_report->first, m_report->second, now);
            message = "roll";
            for (const Member& member : m_judge.members(now))
                message += str(' ', member.silent.count(), ',', member.started, ',', member.finished, ',',
                               static_cast<int>(member.left), ',', static_cast<int>(member.lost));
        } else {
            message = str("beat ", beat.started, ' ', beat.finished, ' ', beat.waitingFor);
            if (m_report && !m_reportSent) sendAll(str("report ", m_report->first, ' ', m_report->second));
        }
        m_reportSent = m_report.has_value();
    }
    for (auto& connection : m_connections)
        if (connection && !connection->isBehind()) (void)connection->send(message); // the end shows when it is read
}

/// Hears all that has come, then judges. `now` is taken before: a rank that was stopped itself must hear what waits for
/// it before it calls others silent.
void RollCall::listen(Clock::time_point until)
{
    std::vector<pollfd> sources{{m_wake.descriptor(), POLLIN, 0}};
    for (const auto& connection : m_connections)
        if (connection) sources.push_back({connection->descriptor(), POLLIN, 0});
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
    ::poll(sources.data(), sources.size(), static_cast<int>(std::max<long long>(left, 0)));
    eventfd_t woken = 0;
    (void)::eventfd_read(m_wake.descriptor(), &woken);
    const auto now = Clock::now();
    for (std::size_t i = 0; i < m_connections.size(); ++i)
        while (m_connections[i]) {
            const auto message = m_connections[i]->next();
            if (!message)
                closed(i);
            else if (*message)
                hear(i, **message, now);
            else
                break;
        }
    if (const auto found = judge(now)) decide(*found);
}

void RollCall::hear(std::size_t from, std::string_view message, Clock::time_point now)
{
    const std::lock_guard lock(m_mutex);
    const auto words = split(message, ' ');
    const int rank = static_cast<int>(from);
    m_heardHost = now;
    if (words[0] == "beat")
        m_judge.heard(rank, {number(words, 1), number(words, 2), number<int>(words, 3)}, now);
    else if (words[0] == "report")
        m_judge.reported(rank, number<int>(words, 1), textAfter(message, 2), now);
    else if (words[0] == "roll")
        hearRoll(message);
    else if (words[0] == "bye" && judges())
        m_judge.left(rank, number(words, 1));
    else if (words[0] == "bye")
        m_hostLeftAfter = number(words, 1);
    else if (words[0] == "over" && words.size() > 3 && !m_verdict) {
        m_verdict = lostRank(codeFromName(words[1]), number<int>(words, 2), "");
        m_verdict->message = textAfter(message, 3);
    }
}

void RollCall::hearRoll(std::string_view text)
{
    const auto words = split(text, ' ');
    for (std::size_t rank = 0; rank < m_members.size() && rank + 1 < words.size(); ++rank) {
        const auto fields = split(words[rank + 1], ',');
        m_members[rank] = {.left = number(fields, 3) != 0,
                           .lost = number(fields, 4) != 0,
                           .silent = std::chrono::milliseconds(number(fields, 0)),
                           .started = number(fields, 1),
                           .finished = number(fields, 2)};
    }
}

void RollCall::closed(std::size_t from)
{
    m_connections[from].reset();
    const std::lock_guard lock(m_mutex);
    if (judges())
        m_judge.ended(static_cast<int>(from));
    else
        m_hostEnded = true;
}

std::optional<Error> RollCall::judge(Clock::time_point now)
{
    const Beat beat = m_beat();
    const std::lock_guard lock(m_mutex);
    if (m_verdict) return m_verdict;
    return judges() ? m_judge.verdict(now) : judgeHost(now, beat.started);
}

/// What a rank can say without rank 0.
std::optional<Error> RollCall::judgeHost(Clock::time_point now, std::uint64_t started) const
{
    if (m_hostLeftAfter) {
        if (started > *m_hostLeftAfter)
            return lostRank(Code::ProcessDied, 0,
                            str("left the group after operation ", *m_hostLeftAfter, ", but rank ", m_settings.rank,
                                " has started operation ", started, "."));
        if (m_report)
            return lostRank(Code::ProcessDied, std::max(m_report->first, 0), str("has failed: ", m_report->second));
        return std::nullopt;
    }
    if (m_hostEnded) return lostRank(Code::ProcessDied, 0, "has ended: its connection closed.");
    if (now - m_heardHost > m_settings.silence)
        return lostRank(Code::Io, 0,
                        str("gave no sign of life for ",
                            formatDuration(std::chrono::duration<double>(now - m_heardHost).count()),
                            ": it is stopped, or the network to it is."));
    return std::nullopt;
}

/// Once: keeps the verdict, tells the others, and wakes who waits.
void RollCall::decide(const Error& verdict)
{
    if (m_verdictTold) return;
    m_verdictTold = true;
    sendAll(str("over ", codeName(verdict.code), ' ', textAfter(verdict.subject.host, 1), ' ', verdict.message));
    {
        const std::lock_guard lock(m_mutex);
        m_verdict = verdict;
    }
    m_decided.notify_all();
    m_onVerdict(verdict);
}

void RollCall::sendAll(std::string_view message)
{
    for (auto& connection : m_connections)
        if (connection) (void)connection->send(message); // the end shows when it is read
}

} // namespace millrace::collective
