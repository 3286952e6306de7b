// Each rank's signs of life, and what the judge finds: the thread that names a rank that ended or does not answer.
#pragma once

#include "engine/collective/judge.h"
#include "engine/collective/meeting.h"

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace millrace::collective {

/// Runs from the meeting to the group's end. Rank 0 judges, also of itself; the others judge rank 0 by its silence.
class RollCall
{
public:
    /// Both are called from the roll call's thread: `beat` says how far this rank is; `onVerdict`, once, that a rank
    /// counts as lost.
    RollCall(Meeting meeting, std::function<Beat()> beat, std::function<void(const Error&)> onVerdict);
    /// Says that the rank leaves.
    ~RollCall();

    /// The rank's connection to `peer` broke, or (peer -1) the rank itself failed. The first report counts.
    void report(int peer, std::string what);
    std::optional<Error> verdict() const;
    /// The verdict, waiting for it where the judge may still find a better name; where none comes, `own`.
    Error awaitVerdict(Error own);
    std::vector<Member> members() const;

private:
    void run(std::stop_token stop);
    bool hasNews() const; ///< a report that nobody has heard yet
    void speak(Clock::time_point now);
    void listen(Clock::time_point until);
    void hear(std::size_t from, std::string_view message, Clock::time_point now);
    void hearRoll(std::string_view text);
    void closed(std::size_t from);
    std::optional<Error> judge(Clock::time_point now);
    std::optional<Error> judgeHost(Clock::time_point now, std::uint64_t started) const;
    void decide(const Error& verdict);
    void sendAll(std::string_view message);
    bool judges() const { return m_settings.rank == 0; }

    const GroupSettings m_settings;
    const std::function<Beat()> m_beat;
    const std::function<void(const Error&)> m_onVerdict;
    const Clock::duration m_interval; ///< between two signs of life

    // of the thread alone
    std::vector<std::optional<Connection>> m_connections; ///< rank 0: by rank; the others: to rank 0
    Clock::time_point m_heardHost;
    bool m_hostEnded = false, m_reportSent = false, m_verdictTold = false;
    std::optional<std::uint64_t> m_hostLeftAfter; ///< the operation after which rank 0 left

    mutable std::mutex m_mutex; // guards what follows
    std::condition_variable m_decided;
    Judge m_judge;                 ///< of rank 0
    std::vector<Member> m_members; ///< of the others, as rank 0 told
    std::optional<std::pair<int, std::string>> m_report;
    std::optional<Error> m_verdict;

    FileHandle m_wake; // an eventfd
    std::jthread m_thread;
};

} // namespace millrace::collective
