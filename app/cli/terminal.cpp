#include "app/cli/terminal.h"

#include "engine/protocol/progress.h"
#include "kernels/base/text.h"
#include "kernels/base/units.h"

#include <algorithm>
#include <cstdio>
#include <sys/ioctl.h>
#include <unistd.h>

namespace millrace::cli {

namespace {

// Columns that the text takes on a terminal: code points, which is right for all that Millrace itself writes.
std::size_t width(std::string_view text)
{
    return static_cast<std::size_t>(
        std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::size_t terminalColumns()
{
    struct winsize size
    {
    };
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 80;
}

std::string bar(double fraction)
{
    constexpr int kCells = 20;
    const int filled = static_cast<int>(std::clamp(fraction, 0.0, 1.0) * kCells + 0.5);
    std::string text;
    for (int i = 0; i < kCells; ++i) text += i < filled ? "━" : "╌";
    return text;
}

std::string describe(const protocol::Progress& progress)
{
    std::vector<std::string> parts;
    if (progress.epoch && progress.epochs) parts.push_back(str("epoch ", *progress.epoch, " of ", *progress.epochs));
    if (progress.loss) parts.push_back(str("loss ", significant(*progress.loss, 3)));
    if (progress.accuracy) parts.push_back(str("accuracy ", fixed(*progress.accuracy, 3)));
    if (progress.samplesPerSecond)
        parts.push_back(str(formatCount(static_cast<std::int64_t>(*progress.samplesPerSecond)), " samples/s"));
    if (progress.remainingSeconds) parts.push_back(str(formatDuration(*progress.remainingSeconds), " left"));
    return joined(parts, " · ");
}

} // namespace

Table::Table(std::vector<std::string> titles, std::vector<bool> right)
    : m_titles(std::move(titles)), m_right(std::move(right))
{
    m_right.resize(m_titles.size());
}

void Table::add(std::vector<std::string> cells)
{
    cells.resize(m_titles.size());
    for (std::string& cell : cells) cell = printable(cell);
    m_rows.push_back(std::move(cells));
}

std::string Table::toString() const
{
    std::vector<std::size_t> widths;
    for (const std::string& title : m_titles) widths.push_back(width(title));
    for (const auto& row : m_rows)
        for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width(row[i]));
    std::string text;
    const auto line = [&](const std::vector<std::string>& row) {
        std::string current;
        for (std::size_t i = 0; i < row.size(); ++i) {
            const std::string space(widths[i] - width(row[i]), ' ');
            if (i > 0) current += "  ";
            current += m_right[i] ? space + row[i] : row[i] + space;
        }
        current.erase(current.find_last_not_of(' ') + 1);
        text += current + "\n";
    };
    line(m_titles);
    for (const auto& row : m_rows) line(row);
    return text;
}

std::string ago(std::int64_t unixMs)
{
    if (unixMs <= 0) return "";
    const std::int64_t seconds = std::max<std::int64_t>(0, (unixMilliseconds() - unixMs) / 1000);
    if (seconds < 5) return "now";
    if (seconds < 60) return str(seconds, " s ago");
    if (seconds < 3600) return str(seconds / 60, " min ago");
    if (seconds < 86400) return str(seconds / 3600, " h ago");
    return str(seconds / 86400, seconds < 2 * 86400 ? " day ago" : " days ago");
}

ProgressLines::ProgressLines() : m_terminal(isatty(STDERR_FILENO) != 0) {}

void ProgressLines::draw(const std::string& line, bool final)
{
    if (!m_terminal) {
        std::fprintf(stderr, "%s\n", line.c_str());
        return;
    }
    std::string shown = line;
    const std::size_t columns = terminalColumns() - 1;
    while (width(shown) > columns) { // cut whole code points
        while ((static_cast<unsigned char>(shown.back()) & 0xC0) == 0x80) shown.pop_back();
        shown.pop_back();
    }
    std::fprintf(stderr, "\r\033[K%s%s", shown.c_str(), final ? "\n" : "");
    std::fflush(stderr);
    m_open = !final;
}

void ProgressLines::finish()
{
    if (m_open) std::fputs("\n", stderr);
    m_open = false;
}

void ProgressLines::showStage(const nlohmann::json& fields)
{
    const std::string stage = printable(fields.value("stage", std::string()));
    const std::string state = fields.value("state", std::string());
    const auto progress = protocol::progressFromJson(fields.value("progress", nlohmann::json::object()));
    const std::string head = str("  ", stage, std::string(stage.size() < 10 ? 10 - stage.size() : 1, ' '));
    if (state == "running") {
        const std::int64_t now = monotonicMicroseconds() / 1000;
        const bool first = m_stage != stage;
        m_stage = stage;
        if (!m_terminal && !first && now - m_lastPlainMs < 2000) return;
        if (!m_terminal && first && !progress.fraction()) return; // its end is soon enough
        m_lastPlainMs = now;
        const auto fraction = progress.fraction();
        draw(str(head, fraction && m_terminal ? bar(*fraction) + "  " : std::string(), describe(progress)), false);
        return;
    }
    if (state == "waiting" || state == "skipped") return;
    m_stage.clear();
    const std::string sign = state == "failed" ? "✗" : state == "cached" ? "≡" : "✓";
    std::vector<std::string> parts{state};
    if (state == "finished") parts = {formatDuration(fields.value("seconds", 0.0))};
    const std::string summary = fields.value("summary", std::string());
    if (!summary.empty()) parts.push_back(printable(summary));
    draw(str(sign, " ", head.substr(2), joined(parts, " · ")), true);
}

void ProgressLines::show(const protocol::Event& event)
{
    if (event.kind == "stage") showStage(event.fields);
    if (event.kind == "log" && event.fields.value("level", std::string()) != "debug") {
        if (m_open) std::fputs("\r\033[K", stderr);
        m_open = false;
        std::fprintf(stderr, "    %s\n", printable(event.fields.value("text", std::string())).c_str());
    }
}

} // namespace millrace::cli
