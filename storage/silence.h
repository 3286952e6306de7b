// When a runner that lives has said nothing for so long that it may hang.
#pragma once

#include "engine/protocol/event.h"

#include <cstdint>
#include <optional>

namespace millrace::storage {

/// A stage that reports progress may be silent for 5 × the longest pause it has made so far, at least 15 s; a runner as
/// a whole, which tells its use of the machine every second, for 15 s. Times are monotonic milliseconds of the
/// listener.
class Silence
{
public:
    void heard(const protocol::Event& event, std::int64_t nowMs);
    /// Seconds of a silence that is too long, the first time it is asked; nothing else.
    std::optional<double> newlySuspicious(std::int64_t nowMs);

private:
    static constexpr std::int64_t kFloorMs = 15'000;

    std::int64_t m_lastMs = 0;         ///< of anything; 0: nothing heard yet
    std::int64_t m_lastProgressMs = 0; ///< of the stage at work; 0: it tells no progress
    std::int64_t m_longestPauseMs = 0; ///< between two signs of progress of that stage
    bool m_isTold = false;
};

} // namespace millrace::storage
