#include "engine/train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace millrace::train {

double Schedule::rate(std::int64_t step) const
{
    const auto warmup = static_cast<std::int64_t>(std::llround(warmupEpochs * static_cast<double>(stepsPerEpoch)));
    if (step < warmup) return base * static_cast<double>(step + 1) / static_cast<double>(warmup);
    switch (kind) {
    case Kind::Constant:
        return base;
    case Kind::Step:
        return base * std::pow(decayFactor, static_cast<double>(step / stepsPerEpoch / decayEveryEpochs));
    case Kind::Cosine: {
        const auto span = static_cast<double>(std::max<std::int64_t>(1, totalSteps - warmup));
        return base * 0.5 * (1 + std::cos(std::numbers::pi * static_cast<double>(step - warmup) / span));
    }
    }
    return base;
}

} // namespace millrace::train
