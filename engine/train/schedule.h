// The learning rate as a function of the step.
#pragma once

#include "kernels/base/result.h"

#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace millrace::train {

/// A row of pipeline/schedule_types.h with its numbers, all counted in steps. Warm-up, before any of them: for the
/// first w steps the rate rises linearly, rate(s) = base (s + 1) / w. After it, with p = (s - w) / (total - w):
///   constant     base
///   step         base factor^⌊s / length⌋
///   exponential  base factor^(s / length)
///   polynomial   final + (base - final) (1 - p)^power
///   cosine       final + (base - final) (1 + cos πp) / 2
///   one_cycle    from base / 25 up to base along half a cosine in the first 0.3 of the steps, then down to final
///                along another: base at the last step of the rise, final at the last of all, as PyTorch's OneCycleLR
///   plateau      max(final, base factor^reductions)
/// Source    Loshchilov, Hutter 2017, arXiv:1608.03983 (cosine); Smith, Topin 2018, arXiv:1708.07120 (one cycle); Goyal
///           et al. 2017, arXiv:1706.02677 (warm-up)
struct Schedule
{
    std::string id = "constant";
    double base = 1e-3;
    std::int64_t warmup = 0;     ///< steps
    std::int64_t totalSteps = 1; ///< of the whole training, with the warm-up
    std::int64_t length = 1;     ///< steps that the factor counts for
    double factor = 0.1;
    double power = 1;
    double finalRate = 0;
    std::int64_t patience = 10; ///< evaluations, for plateau

    /// Errors: NotFound with the nearest names.
    Status check() const;
    /// Learning rate of the step, counted from 0, after so many reductions on plateau. The schedule is a known one.
    double rate(std::int64_t step, std::int64_t reductions = 0) const;
};

/// When the rate is to be reduced: whenever more than `patience` evaluations in a row were no better than the best by
/// at least 1e-4 of it. As PyTorch's ReduceLROnPlateau with its defaults.
struct Plateau
{
    double best = std::numeric_limits<double>::infinity();
    std::int64_t worse = 0;      ///< evaluations since the best or the last reduction
    std::int64_t reductions = 0; ///< so far

    void observe(double loss, std::int64_t patience);
};
nlohmann::json toJson(const Plateau& plateau);
Plateau plateauFromJson(const nlohmann::json& json);

} // namespace millrace::train
