#include "engine/collective/judge.h"

#include "engine/collective/meeting.h"
#include "kernels/base/text.h"
#include "kernels/base/units.h"

#include <algorithm>

namespace millrace::collective {

namespace {

constexpr std::chrono::milliseconds kReportHeld{1000};

std::string seconds(Clock::duration duration)
{
    return formatDuration(std::chrono::duration<double>(duration).count());
}

} // namespace

Judge::Judge(const GroupSettings& settings, Clock::time_point now)
    : m_settings(settings), m_ranks(static_cast<std::size_t>(settings.worldSize)), m_progress(now)
{
    for (Rank& rank : m_ranks) rank.heard = now;
}

void Judge::heard(int rank, const Beat& beat, Clock::time_point now)
{
    Rank& one = m_ranks[static_cast<std::size_t>(rank)];
    if (beat.started != one.beat.started || beat.finished != one.beat.finished) m_progress = now;
    one.beat = beat;
    one.heard = now;
}

void Judge::left(int rank, std::uint64_t started)
{
    m_ranks[static_cast<std::size_t>(rank)].left = true;
    m_ranks[static_cast<std::size_t>(rank)].beat = {started, started, -1};
}

void Judge::reported(int rank, int peer, std::string what, Clock::time_point now)
{
    if (!m_report) m_report = Report{rank, peer, std::move(what), now};
}

std::optional<Error> Judge::verdict(Clock::time_point now)
{
    if (!m_verdict) m_verdict = find(now);
    return m_verdict;
}

Error Judge::lose(Code code, std::size_t rank, std::string_view what)
{
    m_ranks[rank].lost = true;
    return lostRank(code, static_cast<int>(rank), what);
}

std::optional<Error> Judge::find(Clock::time_point now)
{
    for (std::size_t i = 0; i < m_ranks.size(); ++i)
        if (m_ranks[i].ended && !m_ranks[i].left)
            return lose(Code::ProcessDied, i, "has ended: its connection closed.");
    for (std::size_t i = 0; i < m_ranks.size(); ++i)
        if (!m_ranks[i].left && now - m_ranks[i].heard > m_settings.silence)
            return lose(Code::Io, i,
                        str("gave no sign of life for ", seconds(now - m_ranks[i].heard),
                            ": it is stopped, or the network to it is."));
    if (m_report && m_report->peer < 0)
        return lose(Code::Io, static_cast<std::size_t>(m_report->rank), str("has failed: ", m_report->what));
    if (m_report && now - m_report->at > kReportHeld)
        return lose(Code::Io, static_cast<std::size_t>(m_report->peer),
                    str("lost its connection to rank ", m_report->rank, ": ", m_report->what));
    return findLate(now);
}

/// A rank that others wait for, although it lives.
std::optional<Error> Judge::findLate(Clock::time_point now)
{
    const auto ahead =
        std::ranges::max_element(m_ranks, {}, [](const Rank& rank) { return rank.beat.started; }) - m_ranks.begin();
    const std::uint64_t newest = m_ranks[static_cast<std::size_t>(ahead)].beat.started;
    for (std::size_t i = 0; i < m_ranks.size(); ++i)
        if (m_ranks[i].left && m_ranks[i].beat.started < newest)
            return lose(Code::ProcessDied, i,
                        str("left the group after operation ", m_ranks[i].beat.started, ", but rank ", ahead,
                            " has started operation ", newest, "."));
    if (now - m_progress <= m_settings.operation) return std::nullopt;
    for (std::size_t i = 0; i < m_ranks.size(); ++i)
        if (m_ranks[i].beat.started < newest)
            return lose(Code::Io, i,
                        str("lives but has not come to operation ", m_ranks[i].beat.started + 1, " for ",
                            seconds(now - m_progress), ", while rank ", ahead, " waits there."));
    for (std::size_t i = 0; i < m_ranks.size(); ++i) {
        const Beat& beat = m_ranks[i].beat;
        if (beat.finished < newest && beat.waitingFor >= 0)
            return lose(Code::Io, static_cast<std::size_t>(beat.waitingFor),
                        str("lives, but rank ", i, " has got none of its data for ", seconds(now - m_progress), "."));
    }
    return std::nullopt;
}

std::vector<Member> Judge::members(Clock::time_point now) const
{
    std::vector<Member> members;
    for (const Rank& rank : m_ranks)
        members.push_back({.left = rank.left,
                           .lost = rank.lost,
                           .silent = std::chrono::duration_cast<std::chrono::milliseconds>(now - rank.heard),
                           .started = rank.beat.started,
                           .finished = rank.beat.finished});
    return members;
}

} // namespace millrace::collective
