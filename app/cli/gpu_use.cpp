#include "app/cli/gpu_use.h"

#include "kernels/base/text.h"
#include "kernels/base/units.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace millrace::cli {

namespace {

struct Sums
{
    nlohmann::json first; ///< who it is
    std::size_t samples = 0, throttled = 0;
    std::map<std::string, std::pair<double, std::size_t>> means;
    std::map<std::string, double> most;
    std::map<std::string, std::size_t> reasons;
    bool lost = false;
};

void add(Sums& sums, const nlohmann::json& device)
{
    if (sums.first.is_null() || !sums.first.contains("name")) sums.first = device;
    sums.lost = device.contains("lost") && device["lost"] == true;
    if (sums.lost) return;
    ++sums.samples;
    for (const char* name : {"utilization_percent", "power_watts"})
        if (const auto value = device.find(name); value != device.end() && value->is_number()) {
            sums.means[name].first += value->get<double>();
            ++sums.means[name].second;
        }
    for (const char* name : {"memory_used_bytes", "temperature_celsius"})
        if (const auto value = device.find(name); value != device.end() && value->is_number())
            sums.most[name] = std::max(sums.most[name], value->get<double>());
    const auto throttle = device.find("throttle");
    if (throttle == device.end() || !throttle->is_array()) return;
    sums.throttled += throttle->empty() ? 0 : 1;
    for (const auto& reason : *throttle)
        if (reason.is_string()) ++sums.reasons[reason.get<std::string>()];
}

nlohmann::json summary(const std::string& uuid, const Sums& sums)
{
    nlohmann::json json{{"uuid", uuid}, {"samples", sums.samples}, {"throttle", nlohmann::json::object()}};
    if (sums.first.contains("name")) json["name"] = sums.first["name"];
    for (const auto& [name, mean] : sums.means) json[name] = mean.first / static_cast<double>(mean.second);
    for (const auto& [name, value] : sums.most) json[name] = value;
    const auto share = [&](std::size_t count) {
        return static_cast<double>(count) / static_cast<double>(std::max<std::size_t>(sums.samples, 1));
    };
    for (const auto& [reason, count] : sums.reasons) json["throttle"][reason] = share(count);
    json["throttled"] = share(sums.throttled);
    if (sums.lost) json["lost"] = true;
    return json;
}

} // namespace

nlohmann::json gpuUse(const std::vector<storage::TelemetrySample>& samples)
{
    std::vector<std::pair<std::string, Sums>> all; // few, in the order of their first use
    for (const storage::TelemetrySample& sample : samples) {
        if (!sample.devices.is_array()) continue;
        for (const auto& device : sample.devices) {
            if (!device.is_object()) continue; // what a journal says need not be true
            const auto uuid = device.find("uuid");
            if (uuid == device.end() || !uuid->is_string()) continue;
            const auto name = uuid->get<std::string>();
            auto found = std::ranges::find(all, name, &std::pair<std::string, Sums>::first);
            if (found == all.end()) found = all.insert(all.end(), {name, {}});
            add(found->second, device);
        }
    }
    nlohmann::json use = nlohmann::json::array();
    for (const auto& [uuid, sums] : all) use.push_back(summary(uuid, sums));
    return use;
}

std::string gpuLines(const nlohmann::json& use)
{
    std::string lines;
    for (const auto& gpu : use) {
        std::string line = gpu.contains("name") && gpu["name"].is_string() ? gpu["name"].get<std::string>()
                                                                           : gpu["uuid"].get<std::string>();
        const auto figure = [&](const char* name, auto shown) {
            if (const auto value = gpu.find(name); value != gpu.end())
                line += " · " + shown(value->template get<double>());
        };
        figure("utilization_percent", [](double value) { return str(std::lround(value), " % busy"); });
        figure("memory_used_bytes", [](double value) { return formatBytes(value); });
        figure("power_watts", [](double value) { return str(std::lround(value), " W"); });
        figure("temperature_celsius", [](double value) { return str(std::lround(value), " °C"); });
        std::string reasons;
        for (const auto& [reason, share] : gpu["throttle"].items()) reasons += (reasons.empty() ? "" : ", ") + reason;
        if (!reasons.empty())
            line += str(" · throttled ", std::lround(100 * gpu["throttled"].get<double>()), " % of the time (", reasons,
                        ")");
        if (gpu.value("lost", false)) line += " · lost";
        lines += printable(line) + "\n";
    }
    return lines;
}

} // namespace millrace::cli
