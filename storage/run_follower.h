// Follows the journals of all runs into the database, and says of a runner that died that it did.
#pragma once

#include "engine/protocol/exit_status.h"
#include "engine/protocol/home.h"
#include "engine/protocol/journal.h"
#include "storage/silence.h"
#include "storage/tracking_database.h"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace millrace::storage {

/// What a poll brought.
struct PollResult
{
    std::vector<RunEvents> news; ///< events that this follower had not seen; they are in the database
    /// Of single runs (`subject.run`), such as a damaged journal, or a runner that may hang (Busy); the others went on.
    std::vector<Error> problems;
    bool more = false;           ///< a journal has more already: poll again at once
};

/// Belongs to the thread of its database. Any number of followers, in any processes, may follow the same runs:
/// what one has stored the others skip, and only the holder of a dead runner's lock writes that it died.
///
///   followed ──(its journal says it has ended)──► ended ──(the journal has grown)──► followed
///      └─(lock free for a moment, or its exit noted)──► buried: "failed" is appended ──► ended
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
        Followed(protocol::RunFolder place, protocol::JournalReader journal, protocol::RunState lastState)
            : folder(std::move(place)), reader(std::move(journal)), state(lastState)
        {
        }

        protocol::RunFolder folder;
        protocol::JournalReader reader;
        protocol::RunState state;
        bool wasReadAgain = false;      ///< from its start, because it did not go on where the database ends
        std::optional<Error> damage;    ///< why its journal cannot be read on
        std::int64_t deadSinceMs = 0;   ///< when its lock was first found free; 0: it was not
        std::int64_t followUntilMs = 0; ///< not dropped before, although it has ended
        Silence silence;
    };

    Status load();
    void addRun(const Run& run);
    Status findRuns(PollResult& result);
    Status adopt(const std::string& id, PollResult& result);
    Status revisitEnded();
    Status read(const std::string& id, Followed& followed, PollResult& result, std::vector<RunEvents>& news);
    Status readAgain(const std::string& id, Followed& followed, const Error& damage, PollResult& result);
    Status store(std::vector<RunEvents> news, PollResult& result);
    Status judge(const std::string& id, Followed& followed, PollResult& result);
    Status bury(const std::string& id, Followed& followed, PollResult& result);
    Status failWithoutJournal(const std::string& id, Followed& followed, const Error& cause);
    Error causeOfDeath(const std::string& id, const Followed& followed) const;
    void dropEnded();

    protocol::Home m_home;
    TrackingDatabase& m_database;
    bool m_isLoaded = false;
    std::map<std::string, Followed> m_followed;
    std::map<std::string, std::uint64_t> m_ended; ///< ended runs, with the size of the journal that was read
    std::string m_nextEnded;                      ///< where the turn over m_ended goes on
    std::set<std::string> m_resumed;              ///< `follow` was asked for, and they are not followed yet
    std::set<std::string> m_unreadable;           ///< folders whose job.json could not be read; said once
    std::map<std::string, protocol::ExitStatus> m_exits;
};

} // namespace millrace::storage
