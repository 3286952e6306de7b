#include "kernels/cuda/algorithm_cache.h"

#include "kernels/base/files.h"
#include "kernels/base/hash.h"
#include "kernels/base/text.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fcntl.h>
#include <utility>

namespace millrace::kernels::cuda {

namespace {

constexpr std::uint64_t kLimitBytes = 16 << 20;
constexpr std::size_t kChecksumDigits = 16;
constexpr int kMostPlaces = 1000;

std::string checksum(std::string_view line)
{
    return sha256(line).substr(0, kChecksumDigits);
}

/// The choice and its key; nothing where the line is not one of ours.
std::optional<std::pair<std::string, AlgorithmChoice>> parseLine(std::string_view line)
{
    const auto fields = split(line, '\t');
    if (fields.size() != 4) return std::nullopt;
    if (fields[3] != checksum(line.substr(0, line.size() - fields[3].size()))) return std::nullopt;
    const auto place = parseInteger(fields[0]);
    const auto microseconds = parseDouble(fields[1]);
    if (!place || *place < 0 || *place >= kMostPlaces) return std::nullopt;
    if (!microseconds || !std::isfinite(*microseconds) || *microseconds < 0) return std::nullopt;
    return std::pair{std::string(fields[2]), AlgorithmChoice{static_cast<int>(*place), *microseconds}};
}

} // namespace

std::string algorithmLine(std::string_view key, const AlgorithmChoice& choice)
{
    const std::string line = str(choice.place, '\t', choice.microseconds, '\t', key, '\t');
    return str(line, checksum(line), '\n');
}

AlgorithmFile parseAlgorithms(std::string_view content, std::string_view header)
{
    AlgorithmFile file;
    if (!content.starts_with(header)) return file;
    content.remove_prefix(header.size());
    file.whole = content.empty() || content.ends_with('\n');
    while (!content.empty()) {
        const std::size_t length = std::min(content.find('\n'), content.size() - 1);
        if (auto entry = parseLine(content.substr(0, length)))
            file.choices.insert_or_assign(std::move(entry->first), entry->second);
        else
            file.whole = false;
        content.remove_prefix(length + 1);
    }
    return file;
}

AlgorithmCache::AlgorithmCache(std::string folder, const DeviceInfo& device)
    : m_header(str("millrace algorithms 1\t", device.name, '\t', device.multiprocessors, " multiprocessors\t",
                   device.libraries, '\n'))
{
    const char* tune = std::getenv("MILLRACE_TUNE");
    m_measures = !tune || std::string_view(tune) != "off";
    if (folder.empty()) return;
    m_path = joinPath(folder, str("algorithms-", checksum(m_header), ".txt"));
    if (const auto content = readFile(m_path, kLimitBytes)) m_file = parseAlgorithms(*content, m_header);
}

std::optional<AlgorithmChoice> AlgorithmCache::find(std::string_view key, int places) const
{
    const auto entry = m_file.choices.find(key);
    if (entry == m_file.choices.end() || entry->second.place >= places) return std::nullopt;
    return entry->second;
}

void AlgorithmCache::store(const std::string& key, const AlgorithmChoice& choice)
{
    m_file.choices.insert_or_assign(key, choice);
    if (m_path.empty()) return;
    const auto append = [&]() -> Status {
        MR_TRY(const FileHandle file, FileHandle::open(m_path, O_WRONLY | O_APPEND));
        return file.writeAll(algorithmLine(key, choice));
    };
    if (m_file.whole && append()) return;
    std::string content = m_header;
    for (const auto& [known, chosen] : m_file.choices) content += algorithmLine(known, chosen);
    m_file.whole = makeDirectories(parentPath(m_path)) && durableReplace(m_path, content);
}

} // namespace millrace::kernels::cuda
