#include "engine/protocol/progress.h"

#include <algorithm>

namespace millrace::protocol {

namespace {
template <class T> void put(nlohmann::json& json, const char* name, const std::optional<T>& value)
{
    if (value) json[name] = *value;
}

void take(const nlohmann::json& json, const char* name, std::optional<std::int64_t>& value)
{
    const auto found = json.find(name);
    if (found != json.end() && found->is_number_integer()) value = found->get<std::int64_t>();
}

void take(const nlohmann::json& json, const char* name, std::optional<double>& value)
{
    const auto found = json.find(name);
    if (found != json.end() && found->is_number()) value = found->get<double>();
}

std::optional<double> share(const std::optional<std::int64_t>& done, const std::optional<std::int64_t>& all)
{
    if (!done || !all || *all <= 0) return std::nullopt;
    return std::clamp(static_cast<double>(*done) / static_cast<double>(*all), 0.0, 1.0);
}
} // namespace

std::optional<double> Progress::fraction() const
{
    const auto bySteps = share(step, steps);
    return bySteps ? bySteps : share(epoch, epochs);
}

nlohmann::json toJson(const Progress& progress)
{
    nlohmann::json json = nlohmann::json::object();
    put(json, "epoch", progress.epoch);
    put(json, "epochs", progress.epochs);
    put(json, "step", progress.step);
    put(json, "steps", progress.steps);
    put(json, "loss", progress.loss);
    put(json, "accuracy", progress.accuracy);
    put(json, "samples_per_second", progress.samplesPerSecond);
    put(json, "remaining_seconds", progress.remainingSeconds);
    return json;
}

Progress progressFromJson(const nlohmann::json& json)
{
    Progress progress;
    if (!json.is_object()) return progress;
    take(json, "epoch", progress.epoch);
    take(json, "epochs", progress.epochs);
    take(json, "step", progress.step);
    take(json, "steps", progress.steps);
    take(json, "loss", progress.loss);
    take(json, "accuracy", progress.accuracy);
    take(json, "samples_per_second", progress.samplesPerSecond);
    take(json, "remaining_seconds", progress.remainingSeconds);
    return progress;
}

} // namespace millrace::protocol
