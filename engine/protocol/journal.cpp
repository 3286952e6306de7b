#include "engine/protocol/journal.h"

#include "kernels/base/text.h"
#include "kernels/base/units.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

namespace millrace::protocol {

namespace {
constexpr std::size_t kBlockBytes = 256u << 10;

std::int64_t monotonicMilliseconds()
{
    return monotonicMicroseconds() / 1000;
}

Status cut(const FileHandle& file, std::uint64_t size)
{
    while (::ftruncate(file.descriptor(), static_cast<off_t>(size)) != 0)
        if (errno != EINTR) return errnoError("cut", file.path(), errno);
    return {};
}

/// Position after the last newline before `end`; 0 where there is none.
Result<std::uint64_t> lineStart(const FileHandle& file, std::uint64_t end)
{
    std::string block(kBlockBytes, '\0');
    while (end > 0) {
        const std::uint64_t from = end > kBlockBytes ? end - kBlockBytes : 0;
        MR_TRY(const std::size_t count, file.readAt(block.data(), end - from, from));
        const auto newline = std::string_view(block.data(), count).rfind('\n');
        if (newline != std::string_view::npos) return from + newline + 1;
        end = from;
    }
    return std::uint64_t{0};
}

/// The event that ends at `end`.
Result<Event> lastEvent(const FileHandle& file, std::uint64_t end)
{
    MR_TRY(const std::uint64_t start, lineStart(file, end - 1));
    if (end - start > kMaximumLineBytes)
        return makeError(Code::Corrupt, str("The last line of the journal has ", end - start, " bytes."));
    std::string line(end - 1 - start, '\0');
    MR_TRY(const std::size_t count, file.readAt(line.data(), line.size(), start));
    line.resize(count);
    auto event = parseEvent(line);
    if (!event)
        return makeError(Code::Corrupt, str("The journal is damaged at byte ", start, ": ", event.error().message));
    return event;
}
} // namespace

Result<JournalWriter> JournalWriter::open(const std::string& path)
{
    JournalWriter writer;
    MR_TRY(writer.m_file, FileHandle::open(path, O_RDWR | O_CREAT | O_APPEND));
    MR_TRY(const std::uint64_t size, writer.m_file.sizeBytes());
    MR_TRY(const std::uint64_t end, lineStart(writer.m_file, size));
    if (end < size) MR_CHECK(cut(writer.m_file, end));
    writer.m_sizeBytes = end;
    writer.m_startMonotonicMs = -monotonicMilliseconds();
    if (end == 0) {
        MR_CHECK(syncDirectory(parentPath(path)));
        return writer;
    }
    auto last = lastEvent(writer.m_file, end);
    if (!last) return std::move(last).error().atFile(path).advise("The run cannot go on in this folder.");
    writer.m_seq = last->seq;
    writer.m_startMonotonicMs += last->monotonicMs;
    return writer;
}

Status JournalWriter::append(std::string kind, nlohmann::json fields)
{
    Event event;
    event.seq = m_seq + 1;
    event.timeMs = unixMilliseconds();
    event.monotonicMs = monotonicMilliseconds() + m_startMonotonicMs;
    event.kind = std::move(kind);
    event.fields = std::move(fields);
    const std::string line = toLine(event) + '\n';
    if (line.size() > kMaximumLineBytes)
        return makeError(Code::TooLarge, str("An event of kind ", event.kind, " has ", line.size(), " bytes; at most ",
                                             kMaximumLineBytes, " can be read back."));
    if (auto written = m_file.writeAll(line); !written) {
        MR_CHECK(cut(m_file, m_sizeBytes));
        return std::move(written).error();
    }
    m_sizeBytes += line.size();
    m_seq = event.seq;
    return {};
}

Status JournalWriter::sync()
{
    return m_file.sync();
}

Error JournalReader::damage(const std::string& what) const
{
    return makeError(Code::Corrupt, str("The journal is damaged at byte ", m_offset, ": ", what)).atFile(m_path);
}

Result<std::vector<Event>> JournalReader::readNew(std::size_t limit)
{
    std::vector<Event> events;
    auto file = FileHandle::open(m_path, O_RDONLY);
    if (!file && file.error().code == Code::NotFound && m_offset == 0) return events;
    if (!file) return std::move(file).error();
    MR_TRY(const std::uint64_t size, file->sizeBytes());
    if (size < m_offset) return damage(str("the file has only ", size, " bytes left."));

    std::string block;
    std::size_t blockBytes = kBlockBytes;
    while (events.size() < limit && m_offset < size) {
        block.resize(static_cast<std::size_t>(std::min<std::uint64_t>(blockBytes, size - m_offset)));
        MR_TRY(const std::size_t count, file->readAt(block.data(), block.size(), m_offset));
        block.resize(count);
        std::size_t position = 0;
        for (; events.size() < limit;) {
            const std::size_t newline = block.find('\n', position);
            if (newline == std::string::npos) break;
            auto event = parseEvent(std::string_view(block).substr(position, newline - position));
            const bool anySeq = m_lastSeq == 0 && m_offset > 0;
            const bool follows = event && (anySeq || event->seq == m_lastSeq + 1);
            if (!follows) {
                if (!events.empty()) return events;
                return damage(event ? str("event ", event->seq, " follows event ", m_lastSeq, ".")
                                    : event.error().message);
            }
            m_lastSeq = event->seq;
            m_offset += newline + 1 - position;
            position = newline + 1;
            events.push_back(std::move(event).value());
        }
        if (position > 0) continue;
        // no whole line in the block: it is the torn tail, or a line longer than the block
        if (count < blockBytes) break;
        if (blockBytes >= kMaximumLineBytes) {
            if (!events.empty()) return events;
            return damage(str("a line has more than ", kMaximumLineBytes, " bytes."));
        }
        blockBytes *= 2;
    }
    return events;
}

} // namespace millrace::protocol
