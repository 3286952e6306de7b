#include "engine/run/request_lines.h"

#include "kernels/base/log.h"
#include "kernels/base/text.h"

#include <istream>
#include <nlohmann/json.hpp>

namespace millrace::run {

namespace {
constexpr std::size_t kWaitingLines = 64;
}

RequestLines::RequestLines(std::istream& input) : m_reader([this, &input] { read(input); }) {}

void RequestLines::read(std::istream& input)
try {
    std::string line;
    while (std::getline(input, line)) {
        if (takesCancel(line)) continue;
        std::unique_lock lock(m_mutex);
        m_changed.wait(lock, [this] { return m_lines.size() < kWaitingLines; });
        m_lines.push_back(std::move(line));
        m_changed.notify_all();
    }
    const std::lock_guard lock(m_mutex);
    m_ended = true;
    m_changed.notify_all();
} catch (const std::exception& exception) {
    log(LogLevel::Error, str("The requests cannot be read: ", exception.what()));
    const std::lock_guard lock(m_mutex);
    m_ended = true;
    m_changed.notify_all();
}

bool RequestLines::takesCancel(const std::string& line)
{
    if (line.find("\"cancel\"") == std::string::npos) return false;
    const auto request = nlohmann::json::parse(line, nullptr, false);
    if (!request.is_object()) return false;
    const auto id = request.find("cancel");
    if (id == request.end() || !id->is_number_integer()) return false;
    const std::lock_guard lock(m_mutex);
    if (*id == m_current)
        m_stop.request_stop();
    else
        m_cancelled.insert(id->get<std::int64_t>());
    return true;
}

bool RequestLines::next(std::string& line)
{
    std::unique_lock lock(m_mutex);
    m_changed.wait(lock, [this] { return m_ended || !m_lines.empty(); });
    if (m_lines.empty()) return false;
    line = std::move(m_lines.front());
    m_lines.pop_front();
    m_changed.notify_all();
    return true;
}

std::stop_token RequestLines::begin(std::int64_t id)
{
    const std::lock_guard lock(m_mutex);
    m_current = id;
    m_stop = std::stop_source();
    if (m_cancelled.erase(id) > 0) m_stop.request_stop();
    return m_stop.get_token();
}

void RequestLines::stop()
{
    const std::lock_guard lock(m_mutex);
    m_stop.request_stop();
}

} // namespace millrace::run
