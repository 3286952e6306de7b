// Text for terminals: aligned tables, and progress lines that redraw where there is a terminal and add up where not.
#pragma once

#include "engine/protocol/event.h"
#include "storage/records.h"

#include <string>
#include <vector>

namespace millrace::cli {

/// Columns of a table on standard output; numbers to the right.
class Table
{
public:
    explicit Table(std::vector<std::string> titles, std::vector<bool> right = {});
    void add(std::vector<std::string> cells);
    /// Untrusted cells are made printable.
    std::string toString() const;

private:
    std::vector<std::string> m_titles;
    std::vector<bool> m_right;
    std::vector<std::vector<std::string>> m_rows;
};

/// "3 min ago", "yesterday", …
std::string ago(std::int64_t unixMs);

/// Shows a run's events on standard error as they come: one line per stage, redrawn on a terminal;
/// on anything else a plain line when a stage begins, at most one every few seconds, and one when it ends.
class ProgressLines
{
public:
    ProgressLines();
    void show(const protocol::Event& event);
    /// Ends the line that is being redrawn.
    void finish();

private:
    void showStage(const nlohmann::json& fields);
    void draw(const std::string& line, bool final);

    bool m_terminal = false;
    bool m_open = false; ///< a line without its newline stands on the terminal
    std::int64_t m_lastPlainMs = 0;
    std::string m_stage;
};

} // namespace millrace::cli
