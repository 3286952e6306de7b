#include "storage/run_follower.h"

#include "engine/protocol/run_id.h"
#include "kernels/base/files.h"
#include "kernels/base/text.h"
#include "kernels/base/units.h"

#include <algorithm>
#include <fcntl.h>
#include <sys/stat.h>

namespace millrace::storage {

namespace {
using protocol::RunState;

constexpr std::uint64_t kJobBytes = 64u << 20;
constexpr std::size_t kEndedPerPoll = 200;
/// A runner that was just launched has not taken its lock yet.
constexpr std::int64_t kStartGraceMs = 10'000;
/// Whoever launched the runner learns how it ended an instant after its lock is free.
constexpr std::int64_t kExitGraceMs = 200;
constexpr std::int64_t kResumeGraceMs = 15'000;
constexpr std::size_t kOutputBytes = 600;

std::int64_t nowMs()
{
    return monotonicMicroseconds() / 1000;
}

std::uint64_t fileBytes(const std::string& path)
{
    struct stat status
    {
    };
    return ::stat(path.c_str(), &status) == 0 ? static_cast<std::uint64_t>(status.st_size) : 0;
}

/// By the clock of the files, which may have jumped: a time to come counts as long ago.
bool isYoungerThan(const std::string& path, std::int64_t milliseconds)
{
    struct stat status
    {
    };
    if (::stat(path.c_str(), &status) != 0) return false;
    const std::int64_t age = unixMilliseconds() - (status.st_mtim.tv_sec * 1000 + status.st_mtim.tv_nsec / 1'000'000);
    return age >= -1000 && age < milliseconds;
}

/// The last lines that the runner wrote to its standard output and error.
std::string lastOutput(const protocol::RunFolder& folder)
{
    const auto file = FileHandle::open(folder.output(), O_RDONLY);
    if (!file) return {};
    const auto size = file->sizeBytes();
    if (!size) return {};
    std::string text(kOutputBytes, '\0');
    const auto count = file->readAt(text.data(), text.size(), *size > kOutputBytes ? *size - kOutputBytes : 0);
    text.resize(count ? *count : 0);
    // from the first whole line on
    if (*size > kOutputBytes) text.erase(0, std::min(text.size(), text.find('\n') + 1));
    return std::string(trimmed(text));
}
} // namespace

RunFollower::RunFollower(protocol::Home home, TrackingDatabase& database)
    : m_home(std::move(home)), m_database(database)
{
}

void RunFollower::noteExit(const std::string& run, protocol::ExitStatus status)
{
    m_exits[run] = status;
}

void RunFollower::follow(const std::string& run)
{
    m_exits.erase(run); // of an earlier runner
    const auto found = m_followed.find(run);
    if (found == m_followed.end()) {
        m_ended.erase(run); // findRuns sees it as new
        m_resumed.insert(run);
        return;
    }
    found->second.deadSinceMs = 0;
    found->second.followUntilMs = nowMs() + kResumeGraceMs;
}

void RunFollower::addRun(const Run& run)
{
    const protocol::RunFolder folder{run.folder};
    Followed followed{folder, protocol::JournalReader(folder.journal(), run.journalOffset, run.journalSeq), run.state};
    if (m_resumed.erase(run.id) > 0) followed.followUntilMs = nowMs() + kResumeGraceMs;
    m_followed.insert_or_assign(run.id, std::move(followed));
}

Status RunFollower::load()
{
    MR_TRY(const auto runs, m_database.runs());
    for (const Run& run : runs) {
        if (protocol::isTerminal(run.state) && !m_resumed.contains(run.id))
            m_ended[run.id] = run.journalOffset;
        else
            addRun(run);
    }
    m_isLoaded = true;
    return {};
}

/// Folders that this follower does not know: runs that others have created, and, for a new or older database, all.
Status RunFollower::findRuns(PollResult& result)
{
    const auto names = listDirectory(m_home.runs());
    if (!names) return names.error().code == Code::NotFound ? Status() : Status(names.error());
    for (const std::string& id : *names) {
        if (m_followed.contains(id) || m_ended.contains(id) || m_unreadable.contains(id) || !protocol::isRunId(id))
            continue;
        const auto known = m_database.run(id);
        if (known && known->id == id)
            addRun(*known);
        else if (known || known.error().code == Code::NotFound || known.error().code == Code::InvalidArgument)
            MR_CHECK(adopt(id, result));
        else
            return known.error();
    }
    return {};
}

Status RunFollower::adopt(const std::string& id, PollResult& result)
{
    const protocol::RunFolder folder{str(m_home.runs(), "/", id)};
    const auto text = readFile(folder.job(), kJobBytes);
    auto job = text ? protocol::jobFromText(*text) : Result<protocol::Job>(text.error());
    if (job && job->run != id)
        job = makeError(Code::InvalidFormat, str("The job is that of run \"", printable(job->run), "\"."));
    if (!job) {
        m_unreadable.insert(id);
        result.problems.push_back(Error(job.error()).atFile(folder.job()).atRun(id));
        return {};
    }
    MR_CHECK(m_database.createRun(describe(*job, folder.path)));
    MR_TRY(const Run run, m_database.run(id));
    addRun(run);
    return {};
}

/// Some of the ended runs, in turn: one whose journal has grown was resumed by somebody.
Status RunFollower::revisitEnded()
{
    auto next = m_ended.lower_bound(m_nextEnded);
    for (std::size_t i = 0; i < std::min(kEndedPerPoll, m_ended.size()); ++i) {
        if (next == m_ended.end()) next = m_ended.begin();
        const std::string id = next->first;
        const std::uint64_t size = fileBytes(protocol::RunFolder{str(m_home.runs(), "/", id)}.journal());
        if (size == next->second || size == 0) {
            ++next;
            continue;
        }
        next = m_ended.erase(next);
        const auto run = m_database.run(id);
        if (run && run->id == id) addRun(*run);
        if (!run && run.error().code != Code::NotFound) return run.error();
        if (m_ended.empty()) break;
    }
    m_nextEnded = next == m_ended.end() ? std::string() : next->first;
    return {};
}

Status RunFollower::read(const std::string& id, Followed& followed, PollResult& result, std::vector<RunEvents>& news)
{
    if (followed.damage) return {};
    auto events = followed.reader.readNew();
    if (!events && events.error().code == Code::Corrupt) return readAgain(id, followed, events.error(), result);
    if (!events) {
        result.problems.push_back(Error(events.error()).atFile(followed.folder.journal()).atRun(id));
        return {};
    }
    if (events->empty()) return {};
    if (events->size() >= protocol::kReadLimit) result.more = true;
    news.push_back({id, std::move(*events), followed.reader.offset()});
    return {};
}

/// A journal that does not go on where the database ends has lost its last lines in a power cut and grown anew, or is
/// damaged. It is the truth, so the database forgets what it has of the run and reads what there is, once.
Status RunFollower::readAgain(const std::string& id, Followed& followed, const Error& damage, PollResult& result)
{
    if (followed.wasReadAgain || followed.reader.offset() == 0) {
        followed.damage = Error(damage).atRun(id);
        result.problems.push_back(*followed.damage);
        return {};
    }
    MR_CHECK(m_database.forgetEvents(id));
    followed.wasReadAgain = true;
    followed.state = RunState::Queued;
    followed.reader = protocol::JournalReader(followed.folder.journal());
    result.more = true;
    return {};
}

/// Stores the events and passes them on. A run that the database refuses (removed meanwhile, or forgotten by another
/// follower) is looked at anew in the next poll.
Status RunFollower::store(std::vector<RunEvents> news, PollResult& result)
{
    while (!news.empty()) {
        const auto stored = m_database.ingest(news);
        if (stored) break;
        const std::string run = stored.error().subject.run;
        const auto refused =
            std::find_if(news.begin(), news.end(), [&](const RunEvents& one) { return one.run == run; });
        const bool isLocal = refused != news.end() &&
                             (stored.error().code == Code::NotFound || stored.error().code == Code::InvalidArgument);
        if (!isLocal) {
            for (const RunEvents& one : news) m_followed.erase(one.run);
            return stored.error();
        }
        m_followed.erase(run);
        news.erase(refused);
    }
    for (RunEvents& one : news) {
        Followed& followed = m_followed.at(one.run);
        for (const protocol::Event& event : one.events) {
            followed.silence.heard(event, nowMs());
            if (event.kind != "state") continue;
            const auto state = event.fields.find("state");
            if (state == event.fields.end() || !state->is_string()) continue;
            followed.state = protocol::runStateFromName(state->get_ref<const std::string&>()).value_or(followed.state);
        }
        result.news.push_back(std::move(one));
    }
    return {};
}

/// Whether the runner lives; if not, its death is recorded.
Status RunFollower::judge(const std::string& id, Followed& followed, PollResult& result)
{
    const bool isDone = protocol::isTerminal(followed.state) || followed.state == RunState::Lost;
    if (isDone) return {};
    const bool hasExited = m_exits.contains(id);
    const bool hasBegun = followed.reader.lastSeq() > 0;
    if (!hasBegun && !hasExited && isYoungerThan(followed.folder.job(), kStartGraceMs)) return {};
    if (!exists(followed.folder.path))
        return failWithoutJournal(
            id, followed,
            makeError(Code::NotFound, "The run's folder is gone.").atFile(followed.folder.path).atRun(id));
    const auto lock = FileLock::tryAcquire(followed.folder.lock());
    if (!lock) {
        followed.deadSinceMs = 0;
        if (lock.error().code != Code::Busy) result.problems.push_back(Error(lock.error()).atRun(id));
        if (const auto seconds = followed.silence.newlySuspicious(nowMs()))
            result.problems.push_back(makeError(Code::Busy, str("The runner lives but has shown no progress for ",
                                                                formatDuration(*seconds), "; it may hang."))
                                          .atRun(id)
                                          .advise(str("Wait, or stop it with: millrace runs stop ", id)));
        return {};
    }
    if (followed.deadSinceMs == 0) followed.deadSinceMs = nowMs();
    if (!hasExited && nowMs() - followed.deadSinceMs < kExitGraceMs) return {};
    if (followed.damage) return failWithoutJournal(id, followed, *followed.damage);
    return bury(id, followed, result);
}

/// The end of a run whose journal cannot take it.
Status RunFollower::failWithoutJournal(const std::string& id, Followed& followed, const Error& cause)
{
    followed.state = RunState::Failed;
    return m_database.setRunState(id, RunState::Failed, cause);
}

/// As holder of runner.lock: reads what the runner still said and, if that is no end, writes that it died.
Status RunFollower::bury(const std::string& id, Followed& followed, PollResult& result)
{
    std::vector<RunEvents> last;
    MR_CHECK(read(id, followed, result, last));
    if (!last.empty()) {
        // it may have been its end; if not, the next poll buries it
        result.more = true;
        return store(std::move(last), result);
    }
    if (result.more || followed.damage) return {};
    auto writer = protocol::JournalWriter::open(followed.folder.journal());
    Status written = writer ? writer->append("state", {{"state", name(RunState::Failed)},
                                                       {"cause", protocol::errorToJson(causeOfDeath(id, followed))}})
                            : Status(writer.error());
    if (written) written = writer->sync();
    if (!written) {
        result.problems.push_back(Error(written.error()).atFile(followed.folder.journal()).atRun(id));
        return {};
    }
    m_exits.erase(id);
    MR_CHECK(read(id, followed, result, last));
    return store(std::move(last), result);
}

Error RunFollower::causeOfDeath(const std::string& id, const Followed& followed) const
{
    const auto exit = m_exits.find(id);
    std::string message = "The runner's process ";
    if (exit != m_exits.end())
        message += exit->second.toString() + '.';
    else if (followed.reader.lastSeq() == 0)
        message += str("did not begin within ", kStartGraceMs / 1000, " s.");
    else
        message += "is gone; nobody saw how it ended.";
    if (const std::string output = lastOutput(followed.folder); !output.empty())
        message += str(" It had written: ", printable(output));
    return makeError(Code::ProcessDied, std::move(message))
        .atRun(id)
        .advise(str("`millrace run --resume ", id, "` goes on from its last checkpoint."));
}

void RunFollower::dropEnded()
{
    for (auto it = m_followed.begin(); it != m_followed.end();) {
        const bool stays = !protocol::isTerminal(it->second.state) || nowMs() < it->second.followUntilMs;
        if (stays) {
            ++it;
            continue;
        }
        m_ended[it->first] = fileBytes(it->second.folder.journal());
        m_exits.erase(it->first);
        it = m_followed.erase(it);
    }
}

Result<PollResult> RunFollower::poll()
{
    PollResult result;
    if (!m_isLoaded) MR_CHECK(load());
    MR_CHECK(findRuns(result));
    MR_CHECK(revisitEnded());
    std::vector<RunEvents> news;
    for (auto& [id, followed] : m_followed) MR_CHECK(read(id, followed, result, news));
    MR_CHECK(store(std::move(news), result));
    if (!result.more) {
        std::vector<std::string> ids;
        for (const auto& [id, followed] : m_followed) ids.push_back(id);
        for (const std::string& id : ids)
            if (const auto found = m_followed.find(id); found != m_followed.end())
                MR_CHECK(judge(id, found->second, result));
    }
    dropEnded();
    return result;
}

} // namespace millrace::storage
