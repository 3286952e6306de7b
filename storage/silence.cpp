#include "storage/silence.h"

#include <algorithm>

namespace millrace::storage {

void Silence::heard(const protocol::Event& event, std::int64_t nowMs)
{
    m_lastMs = nowMs;
    const bool isProgress = event.kind == "metric" || (event.kind == "stage" && event.fields.contains("progress"));
    if (isProgress) {
        if (m_lastProgressMs > 0) m_longestPauseMs = std::max(m_longestPauseMs, nowMs - m_lastProgressMs);
        m_lastProgressMs = nowMs;
        m_isTold = false;
    } else if (event.kind == "stage" || event.kind == "state") { // another stage with a rhythm of its own
        m_lastProgressMs = m_longestPauseMs = 0;
        m_isTold = false;
    }
}

std::optional<double> Silence::newlySuspicious(std::int64_t nowMs)
{
    if (m_lastMs == 0 || m_isTold) return std::nullopt;
    const std::int64_t silent = nowMs - m_lastMs;
    const std::int64_t stuck = m_lastProgressMs == 0 ? 0 : nowMs - m_lastProgressMs;
    if (silent <= kFloorMs && stuck <= std::max(kFloorMs, 5 * m_longestPauseMs)) return std::nullopt;
    m_isTold = true;
    return static_cast<double>(std::max(silent, stuck)) / 1000;
}

} // namespace millrace::storage
