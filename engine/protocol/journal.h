// The journal: appended by the runner, read by whoever watches, also while it grows and after a torn last line.
#pragma once

#include "engine/protocol/event.h"
#include "kernels/base/files.h"

#include <cstdint>
#include <string>
#include <vector>

namespace millrace::protocol {

/// Appends events. Invariants: (1) seq grows by one from line to line; (2) a line is written by one write(2), so that
/// only the last can be torn; (3) `open` cuts a torn last line off before anything is appended; (4) only the holder
/// of runner.lock writes; (5) a line that could not be written whole is taken back, so that the next one may follow.
class JournalWriter
{
public:
    /// Opens or creates the journal and continues after its last whole line.
    static Result<JournalWriter> open(const std::string& path);

    /// Gives the event its seq and times and appends it. Errors: DiskFull, Io.
    Status append(std::string kind, nlohmann::json fields);
    /// Makes what was appended survive a power cut.
    Status sync();
    std::int64_t lastSeq() const { return m_seq; }

private:
    JournalWriter() = default;

    FileHandle m_file;
    std::uint64_t m_sizeBytes = 0;
    std::int64_t m_seq = 0;
    std::int64_t m_startMonotonicMs = 0; ///< what to add so that monotonicMs continues after a resume
};

/// The longest line that is read, so that a damaged file cannot take all memory.
constexpr std::size_t kMaximumLineBytes = 16u << 20;
/// How many events are read at once, unless said otherwise.
constexpr std::size_t kReadLimit = 10'000;

/// Reads a journal that may still grow. Each call returns what was completed since the last one.
class JournalReader
{
public:
    /// A journal that does not exist yet reads as empty. To go on after `lastSeq`, which ended at byte `offset`,
    /// give both; with an offset alone the first line's seq is taken as it is.
    explicit JournalReader(std::string path, std::uint64_t offset = 0, std::int64_t lastSeq = 0)
        : m_path(std::move(path)), m_offset(offset), m_lastSeq(lastSeq)
    {
    }

    /// Whole lines since the last call, at most `limit`. A torn tail is left for later.
    /// Errors: Corrupt with the byte position for a line that is whole but no event, or whose seq does not follow
    /// (the whole lines before it come first, the error with the next call); Corrupt for a file that has shrunk.
    Result<std::vector<Event>> readNew(std::size_t limit = kReadLimit);
    /// Byte position after the last line read; a reader made with it goes on there.
    std::uint64_t offset() const { return m_offset; }
    std::int64_t lastSeq() const { return m_lastSeq; }

private:
    Error damage(const std::string& what) const;

    std::string m_path;
    std::uint64_t m_offset = 0;
    std::int64_t m_lastSeq = 0; ///< 0: take the first seq as it is, unless at the file's start
};

} // namespace millrace::protocol
