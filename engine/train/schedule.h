// The learning rate as a function of the step.
#pragma once

#include "kernels/base/result.h"

#include <cstdint>
#include <string>

namespace millrace::train {

/// Warm-up: for the first w steps the rate rises linearly, rate(s) = base × (s + 1) / w. After it, with progress
/// p = (s − w) / (total − w):
///   constant  base
///   step      base × factor^⌊epoch / every⌋
///   cosine    base × (1 + cos(π p)) / 2
/// Source    Loshchilov, Hutter 2017, arXiv:1608.03983 (cosine); Goyal et al. 2017, arXiv:1706.02677 (warm-up)
struct Schedule
{
    enum class Kind
    {
        Constant,
        Step,
        Cosine
    } kind = Kind::Constant;
    double base = 1e-3;
    std::int64_t stepsPerEpoch = 1;
    std::int64_t totalSteps = 1;
    double warmupEpochs = 0;
    std::int64_t decayEveryEpochs = 10; ///< step only
    double decayFactor = 0.1;           ///< step only

    /// Learning rate of the step, counted from 0.
    double rate(std::int64_t step) const;
};

} // namespace millrace::train
