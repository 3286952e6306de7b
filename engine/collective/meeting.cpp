// What is said, as text:  guest "hello WORD RANK RANKS", rank 0 "welcome" or "refused REASON"; when all are there
// "begin"; in an exchange each rank "give BYTES" and rank 0 "take BYTES" for each rank in order. "over REASON" ends it.
#include "engine/collective/meeting.h"

#include "kernels/base/text.h"

#include <array>
#include <fcntl.h>
#include <sys/random.h>
#include <thread>
#include <unistd.h>

namespace millrace::collective {

namespace {

using namespace std::chrono_literals;

constexpr auto kAnswer = 5s; // for what the other side answers at once
constexpr auto kRetry = 20ms;

/// 128 random bits: no other job's ranks, and no other user of the machine, come by mistake.
Result<std::string> randomWord()
{
    std::array<unsigned char, 16> bytes;
    if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
        return errnoError("read random bytes for", "the meeting of the ranks", errno);
    std::string word;
    for (const unsigned char byte : bytes) {
        word += "0123456789abcdef"[byte >> 4];
        word += "0123456789abcdef"[byte & 15];
    }
    return word;
}

/// Readable by its owner alone, and never seen half written.
Status writePrivately(const std::string& path, std::string_view text)
{
    const std::string temporary = str(path, ".", ::getpid());
    {
        MR_TRY(const FileHandle file, FileHandle::open(temporary, O_WRONLY | O_CREAT | O_TRUNC, 0600));
        MR_CHECK(file.writeAll(text));
    }
    if (::rename(temporary.c_str(), path.c_str()) != 0) return errnoError("write", path, errno);
    return {};
}

struct Invitation
{
    std::string host, word;
    int port = 0;
};

/// Nothing where the file is not there yet or holds something else.
std::optional<Invitation> readInvitation(const std::string& path)
{
    const auto text = readFile(path, 4096);
    if (!text) return std::nullopt;
    const auto words = split(trimmed(*text), ' ');
    if (words.size() != 3) return std::nullopt;
    const auto port = parseInteger(words[1]);
    if (!port || *port < 1 || *port > 65535) return std::nullopt;
    return Invitation{std::string(words[0]), std::string(words[2]), static_cast<int>(*port)};
}

/// The text behind the word that it begins with; nothing where it begins otherwise.
std::optional<std::string_view> after(std::string_view word, std::string_view text)
{
    if (!text.starts_with(word)) return std::nullopt;
    return text.substr(word.size());
}

} // namespace

Error lostRank(Code code, int rank, std::string_view what)
{
    Error error = makeError(code, str("Rank ", rank, " ", what));
    error.subject.host = str("rank ", rank);
    error.advice = "The run can go on from its last checkpoint, with that rank started anew or without it.";
    return error;
}

Result<Meeting> Meeting::hold(const GroupSettings& settings)
{
    MR_CHECK(checkSettings(settings));
    Meeting meeting(settings);
    const auto deadline = Clock::now() + settings.join;
    MR_CHECK(settings.rank == 0 ? meeting.invite(deadline) : meeting.join(deadline));
    return meeting;
}

Status Meeting::invite(Clock::time_point deadline)
{
    MR_TRY(Listener listener, Listener::open(m_settings.host));
    MR_TRY(const std::string word, randomWord());
    MR_CHECK(writePrivately(m_settings.meetingFile, str(m_settings.host, ' ', listener.port(), ' ', word, '\n')));
    m_connections.resize(static_cast<std::size_t>(m_settings.worldSize));
    int missing = m_settings.worldSize - 1;
    while (missing > 0) {
        auto guest = listener.accept(deadline);
        if (!guest) break;
        auto rank = welcome(*guest, word);
        if (!rank) return giveUp(std::move(rank).error());
        if (*rank == 0) continue; // a stranger
        m_connections[static_cast<std::size_t>(*rank)] = *std::move(guest);
        --missing;
    }
    ::unlink(m_settings.meetingFile.c_str());
    for (int rank = 1; rank < m_settings.worldSize; ++rank)
        if (!m_connections[static_cast<std::size_t>(rank)])
            return giveUp(
                lostRank(Code::Io, rank,
                         str("did not come within ", fixed(static_cast<double>(m_settings.join.count()) / 1e3, 1),
                             " s; ", m_settings.worldSize - missing, " of ", m_settings.worldSize, " ranks are here."))
                    .advise("See whether it was started and what it wrote."));
    for (auto& connection : m_connections)
        if (connection) MR_CHECK(connection->send("begin"));
    return {};
}

/// The rank of who comes; 0 for one that does not belong here. Errors: InvalidArgument where two settings contradict.
Result<int> Meeting::welcome(Connection& guest, const std::string& word)
{
    const auto hello = guest.receive(Clock::now() + kAnswer);
    const auto words = hello ? split(*hello, ' ') : std::vector<std::string_view>();
    if (words.size() != 4 || words[0] != "hello" || words[1] != word) return 0;
    const auto rank = parseInteger(words[2]), ranks = parseInteger(words[3]);
    const auto refuse = [&](std::string text) {
        (void)guest.send(str("refused ", text)); // who does not hear it sees the connection close
        return makeError(Code::InvalidArgument, std::move(text));
    };
    if (!rank || !ranks || *ranks != m_settings.worldSize || *rank < 1 || *rank >= *ranks)
        return refuse(
            str("Rank ", words[2], " counts ", words[3], " ranks, rank 0 counts ", m_settings.worldSize, "."));
    if (m_connections[static_cast<std::size_t>(*rank)]) return refuse(str("Rank ", *rank, " was started twice."));
    if (!guest.send("welcome")) return 0;
    return static_cast<int>(*rank);
}

Status Meeting::join(Clock::time_point deadline)
{
    const std::string hello = str(' ', m_settings.rank, ' ', m_settings.worldSize);
    while (Clock::now() < deadline) {
        // a file may be left from an earlier run: who listens there, if anybody, does not know its word
        if (const auto invitation = readInvitation(m_settings.meetingFile)) {
            auto host = Connection::connect(invitation->host, invitation->port, Clock::now() + kAnswer);
            if (host && host->send(str("hello ", invitation->word, hello))) {
                const auto answer = host->receive(Clock::now() + kAnswer);
                if (answer && *answer == "welcome") {
                    m_connections.emplace_back(*std::move(host));
                    auto begin = receiveFrom(*m_connections[0], 0, deadline + kAnswer);
                    return begin ? Status() : Status(std::move(begin).error());
                }
                if (const auto reason = answer ? after("refused ", *answer) : std::nullopt)
                    return makeError(Code::InvalidArgument, std::string(*reason));
            }
        }
        std::this_thread::sleep_for(kRetry);
    }
    return lostRank(Code::Io, 0,
                    str("did not invite to ", m_settings.meetingFile, " within ",
                        fixed(static_cast<double>(m_settings.join.count()) / 1e3, 1), " s."))
        .advise("See whether rank 0 was started and what it wrote.");
}

/// What the rank says; an error that names it, or the one that it passes on.
Result<std::string> Meeting::receiveFrom(Connection& connection, int rank, Clock::time_point deadline)
{
    auto message = connection.receive(deadline);
    if (!message) {
        const bool died = message.error().code == Code::ProcessDied;
        return lostRank(died ? Code::ProcessDied : Code::Io, rank,
                        died ? "has ended: its connection closed." : "did not answer while the group was made.");
    }
    if (const auto over = after("over ", *message)) {
        const auto words = split(*over, ' ');
        return makeError(codeFromName(words[0]), std::string(over->substr(words[0].size() + 1)));
    }
    return *std::move(message);
}

/// Tells those who came why it does not go on.
Error Meeting::giveUp(Error error)
{
    for (auto& connection : m_connections)
        if (connection) (void)connection->send(str("over ", codeName(error.code), ' ', error.message));
    ::unlink(m_settings.meetingFile.c_str());
    return error;
}

Result<std::vector<std::string>> Meeting::exchange(std::string_view own)
{
    const auto deadline = Clock::now() + m_settings.join;
    std::vector<std::string> all(static_cast<std::size_t>(m_settings.worldSize));
    all[static_cast<std::size_t>(m_settings.rank)] = own;
    if (m_settings.rank != 0) {
        MR_CHECK(m_connections[0]->send(str("give ", own)));
        for (std::string& one : all) {
            MR_TRY(const std::string message, receiveFrom(*m_connections[0], 0, deadline));
            one = after("take ", message).value_or("");
        }
        return all;
    }
    for (int rank = 1; rank < m_settings.worldSize; ++rank) {
        const auto index = static_cast<std::size_t>(rank);
        auto message = receiveFrom(*m_connections[index], rank, deadline);
        if (!message) return giveUp(std::move(message).error());
        all[index] = after("give ", *message).value_or("");
    }
    for (auto& connection : m_connections)
        for (const std::string& one : all) {
            if (!connection) continue;
            MR_CHECK(connection->send(str("take ", one)));
            MR_CHECK(connection->flush(deadline));
        }
    return all;
}

} // namespace millrace::collective
