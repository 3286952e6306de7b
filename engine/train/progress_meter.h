// How far a training is and how long it will still take, from its steps since it was started or resumed.
#pragma once

#include "engine/protocol/progress.h"
#include "kernels/base/units.h"

namespace millrace::train {

class ProgressMeter
{
public:
    explicit ProgressMeter(std::int64_t step = 0, std::int64_t steps = 0)
        : m_first(step), m_steps(steps), m_startUs(monotonicMicroseconds())
    {
    }

    /// After so many steps in all, of `perStep` samples (rows, tokens) each.
    protocol::Progress at(std::int64_t step, double perStep) const
    {
        protocol::Progress progress;
        progress.step = step;
        progress.steps = m_steps;
        const double seconds = static_cast<double>(monotonicMicroseconds() - m_startUs) / 1e6;
        const auto done = static_cast<double>(step - m_first);
        if (seconds > 0 && done > 0) {
            progress.samplesPerSecond = done * perStep / seconds;
            progress.remainingSeconds = seconds / done * static_cast<double>(m_steps - step);
        }
        return progress;
    }

private:
    std::int64_t m_first, m_steps, m_startUs;
};

} // namespace millrace::train
