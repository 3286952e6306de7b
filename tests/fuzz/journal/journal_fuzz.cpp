// Any bytes as a journal: whole lines are events or an error, an event reads back as it was, the reader never goes
// beyond the file, and a journal cut anywhere reads as the beginning of the whole.
#include "engine/protocol/journal.h"
#include "kernels/base/text.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <sys/mman.h>
#include <unistd.h>

using namespace millrace;
using namespace millrace::protocol;

namespace {
void checkLine(std::string_view line)
{
    const auto event = parseEvent(line);
    if (!event) return;
    const std::string text = toLine(*event);
    if (text.find('\n') != std::string::npos) std::abort();
    const auto again = parseEvent(text);
    if (!again || toLine(*again) != text) std::abort();
    if (event->fields.contains("cause")) errorFromJson(event->fields["cause"]);
}

/// A file in memory; its path stays valid while the descriptor is open.
std::vector<Event> readAll(std::string_view content)
{
    const FileHandle file(::memfd_create("journal", MFD_CLOEXEC), "journal");
    if (!file.isOpen() || !file.writeAll(content)) std::abort();
    JournalReader reader(str("/proc/self/fd/", file.descriptor()));
    std::vector<Event> all;
    for (;;) {
        auto events = reader.readNew(3);
        if (reader.offset() > content.size()) std::abort();
        if (!events || events->empty()) break;
        for (Event& event : *events) {
            if (event.seq != static_cast<std::int64_t>(all.size()) + 1) std::abort();
            all.push_back(std::move(event));
        }
    }
    if (reader.lastSeq() != static_cast<std::int64_t>(all.size())) std::abort();
    return all;
}
} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size)
{
    const std::string_view content(reinterpret_cast<const char*>(bytes), size);
    for (std::size_t begin = 0; begin < size;) {
        const std::size_t end = std::min(content.find('\n', begin), size);
        checkLine(content.substr(begin, end - begin));
        begin = end + 1;
    }
    const auto whole = readAll(content), torn = readAll(content.substr(0, size / 2));
    if (torn.size() > whole.size()) std::abort();
    for (std::size_t i = 0; i < torn.size(); ++i)
        if (toLine(torn[i]) != toLine(whole[i])) std::abort();
    return 0;
}
