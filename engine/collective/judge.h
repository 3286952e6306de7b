// Who is at fault when a group does not get on: one rank sees all signs of life and decides, so that all say the same.
#pragma once

#include "engine/collective/collective.h"
#include "engine/collective/connection.h"

#include <optional>
#include <string>
#include <vector>

namespace millrace::collective {

/// What a rank tells with each sign of life.
struct Beat
{
    std::uint64_t started = 0, finished = 0; ///< operations
    int waitingFor = -1;                     ///< the rank whose data the running operation lacks; -1: none
};

/// A rank is
///
///     present ── leaves ──► left      (its last operation is known: none that it is missing from can end)
///        ├────── connection closes ──► lost: it has ended
///        ├────── no sign of life for `silence` ──► lost: it does not answer
///        └────── others wait for `operation` ──► lost: it has not come, or its data have not
///
/// What a rank reports of its connection to another is used only where nothing else explains it within a second: a
/// killed rank breaks many connections, and only its own end names it.
class Judge
{
public:
    Judge(const GroupSettings& settings, Clock::time_point now);

    void heard(int rank, const Beat& beat, Clock::time_point now);
    /// The rank goes, having started so many operations.
    void left(int rank, std::uint64_t started);
    void ended(int rank) { m_ranks[static_cast<std::size_t>(rank)].ended = true; }
    /// `rank` has failed by itself, or its connection to `peer` has.
    void reported(int rank, int peer, std::string what, Clock::time_point now);

    /// The first fault, named; the same again once it was found.
    std::optional<Error> verdict(Clock::time_point now);
    std::vector<Member> members(Clock::time_point now) const;

private:
    struct Rank
    {
        Beat beat;
        Clock::time_point heard;
        bool left = false, ended = false, lost = false;
    };
    struct Report
    {
        int rank, peer;
        std::string what;
        Clock::time_point at;
    };
    std::optional<Error> find(Clock::time_point now);
    std::optional<Error> findLate(Clock::time_point now);
    Error lose(Code code, std::size_t rank, std::string_view what);

    GroupSettings m_settings;
    std::vector<Rank> m_ranks;
    std::optional<Report> m_report;
    Clock::time_point m_progress; ///< when a count last changed
    std::optional<Error> m_verdict;
};

} // namespace millrace::collective
