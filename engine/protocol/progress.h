// How far a stage is: the field `progress` of a `stage` event.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>

namespace millrace::protocol {

/// What a stage does not know it leaves out.
struct Progress
{
    std::optional<std::int64_t> epoch, epochs, step, steps;
    std::optional<double> loss, accuracy, samplesPerSecond, remainingSeconds;
    bool operator==(const Progress&) const = default;

    /// Share done in [0, 1], from the steps, else the epochs.
    std::optional<double> fraction() const;
};

nlohmann::json toJson(const Progress& progress);
/// Fields of the wrong type are left out.
Progress progressFromJson(const nlohmann::json& json);

} // namespace millrace::protocol
