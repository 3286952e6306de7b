// How the ranks of a group find each other, and what they tell each other before their own connections stand.
#pragma once

#include "engine/collective/collective.h"
#include "engine/collective/connection.h"

#include <string>
#include <vector>

namespace millrace::collective {

/// Rank 0 listens and writes where into the meeting file, with a word that only the ranks can know; the others come.
/// A star: rank 0 has a connection to each, each has one to rank 0.
class Meeting
{
public:
    /// Returns when all ranks have come. Errors: Io naming the ranks that did not come in time; InvalidArgument where
    /// a rank comes twice or counts another number of ranks; those of the file.
    static Result<Meeting> hold(const GroupSettings& settings);

    /// What each rank gave, by rank. Errors: as hold().
    Result<std::vector<std::string>> exchange(std::string_view own);

    const GroupSettings& settings() const { return m_settings; }
    /// Gives the connections away: on rank 0 by rank (the first is none), on the others one to rank 0.
    std::vector<std::optional<Connection>> takeConnections() { return std::move(m_connections); }

private:
    explicit Meeting(const GroupSettings& settings) : m_settings(settings) {}
    Status invite(Clock::time_point deadline);
    Status join(Clock::time_point deadline);
    Result<int> welcome(Connection& guest, const std::string& word);
    Result<std::string> receiveFrom(Connection& connection, int rank, Clock::time_point deadline);
    Error giveUp(Error error);

    GroupSettings m_settings;
    std::vector<std::optional<Connection>> m_connections;
};

/// "Rank 2 did what the text says.", with the rank as the subject's host.
Error lostRank(Code code, int rank, std::string_view what);

} // namespace millrace::collective
