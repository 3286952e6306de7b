// Follows the journals of all runs into the database, and says of a runner that died that it did.
#pragma once

#include "engine/protocol/exit_status.h"
#include "engine/protocol/home.h"
#include "engine/protocol/journal.h"
#include "storage/tracking_database.h"

#include <map>
#include <set>
#include <string>
#include <vector>

namespace millrace::storage {

/// What a poll brought.
struct PollResult
{
    std::vector<RunEvents> news; ///< events that this follower had not seen; they are in the database
    std::vector<Error> problems; ///< of single runs (`subject.run`), such as a damaged journal; the others went on
    bool more = false;           ///< a journal has more already: poll again at once
};

/// Belongs to the thread of its database. Any number of followers, in any processes, may follow the same runs:
/// what one has stored the others skip, and only the holder of a dead runner's lock writes that it died.
///
/// A run is looked at in every poll until it has ended; ended runs are looked at in turn, some in each poll, so that
/// one that was resumed elsewhere is found too. Folders that the database does not know are added from their
/// job.json and journal: after the loss of the database the first polls rebuild it.
class RunFollower
{
public:
    /// The database must outlive the follower.
    RunFollower(protocol::Home home, TrackingDatabase& database);

    /// Reads what is new, stores it, and finds runners that died. Call it a few times a second.
    /// Errors: those of the database; what was not stored comes again with the next poll.
    Result<PollResult> poll();
    /// How a runner that this process launched has ended, for the cause in words.
    void noteExit(const std::string& run, protocol::ExitStatus status);
    /// Looks at this run in the next polls although it had ended: it is being resumed.
    void follow(const std::string& run);

private:
    struct Followed
    {
        protocol::RunFolder folder;
        protocol::JournalReader reader;
        protocol::RunState state = protocol::RunState::Queued;
        std::uint64_t badSize = 0; ///< size of a journal that could not be read on; 0: it can
    };

    Status findRuns();
    Status adopt(const std::string& id);
    Status loadFollowed();
    void lookAtEnded();
    Status read(const std::string& id, Followed& followed, PollResult& result);
    Status judge(const std::string& id, Followed& followed, PollResult& result);
    Status recordDeath(const std::string& id, Followed& followed, PollResult& result);
    Error deathCause(const std::string& id, const Followed& followed) const;

    protocol::Home m_home;
    TrackingDatabase& m_database;
    std::map<std::string, Followed> m_followed;   ///< runs that have not ended
    std::map<std::string, std::uint64_t> m_ended; ///< ended runs with the journal size that was read
    std::set<std::string> m_unreadable;           ///< folders without a readable job.json
    std::map<std::string, protocol::ExitStatus> m_exits;
    std::string m_nextEnded; ///< where the turn over m_ended goes on
};

} // namespace millrace::storage
