#include "engine/run/stage_results.h"

#include "engine/formats/dataset_files.h"
#include "engine/formats/safetensors.h"
#include "engine/formats/token_files.h"
#include "kernels/base/text.h"

#include <set>
#include <utility>

namespace millrace::run {

Result<StageSayings> sayingsOf(const std::string& journal, const std::string& stage)
{
    StageSayings sayings;
    std::set<std::pair<std::string, std::int64_t>> seen;
    std::set<nlohmann::json> seenArtifacts;
    protocol::JournalReader reader(journal);
    for (;;) {
        MR_TRY(const auto events, reader.readNew());
        if (events.empty()) return sayings;
        for (const protocol::Event& event : events) {
            if (event.fields.value("stage", std::string()) != stage) continue;
            if (event.kind == "artifact" && seenArtifacts.insert(event.fields).second)
                sayings.artifacts.push_back(event.fields);
            if (event.kind != "metric") continue;
            for (const auto& point : event.fields.at("points"))
                if (seen.emplace(point.at(0).get<std::string>(), point.at(1).get<std::int64_t>()).second)
                    sayings.points.push_back(point);
        }
    }
}

Result<nlohmann::json> lastMetricsOf(const std::string& journal)
{
    nlohmann::json metrics = nlohmann::json::object();
    protocol::JournalReader reader(journal);
    for (;;) {
        MR_TRY(const auto events, reader.readNew());
        if (events.empty()) return metrics;
        for (const protocol::Event& event : events)
            if (event.kind == "metric")
                for (const auto& point : event.fields.at("points"))
                    metrics[point.at(0).get<std::string>()] = point.at(2);
    }
}

Status storeResult(const formats::StageCache& cache, const std::string& key, const StageResult& result,
                   const StageSayings& sayings)
{
    std::map<std::string, std::string> contents;
    nlohmann::json ports = nlohmann::json::array();
    for (const auto& [port, value] : result.outputs) {
        ports.push_back(port);
        if (value.rows) {
            MR_TRY(auto files, formats::toFiles(*value.rows, port));
            contents.merge(files);
        } else if (value.tokens) {
            MR_TRY(auto files, formats::toFiles(*value.tokens, port));
            contents.merge(files);
        } else if (value.model) {
            MR_TRY(contents[port + ".safetensors"], formats::modelToSafetensors(*value.model));
        }
    }
    formats::FilesToWrite files(contents.begin(), contents.end());
    MR_TRY([[maybe_unused]] const auto stored, cache.store(key, files,
                                                           {{"ports", std::move(ports)},
                                                            {"summary", result.summary},
                                                            {"points", sayings.points},
                                                            {"artifacts", sayings.artifacts}}));
    return {};
}

namespace {

Result<Value> valueFromFiles(const std::map<std::string, std::string>& files, const pipeline::PortSpec& port,
                             const pipeline::Node& node)
{
    Value value;
    if (port.type == pipeline::PortType::Rows) {
        MR_TRY(data::Dataset rows, formats::datasetFromFiles(files, port.id));
        value.rows = std::make_shared<const data::Dataset>(std::move(rows));
    } else if (port.type == pipeline::PortType::Tokens) {
        MR_TRY(data::TokenSet tokens, formats::tokensFromFiles(files, port.id));
        value.tokens = std::make_shared<const data::TokenSet>(std::move(tokens));
    } else if (port.type == pipeline::PortType::Model) {
        const auto file = files.find(port.id + ".safetensors");
        if (file == files.end()) {
            value.design = std::make_shared<const pipeline::Node>(node);
            return value;
        }
        MR_TRY(const auto tensors, formats::Safetensors::parse(file->second, file->first));
        MR_TRY(formats::Model model, formats::modelFromSafetensors(tensors, file->first));
        value.model = std::make_shared<const formats::Model>(std::move(model));
    }
    return value;
}

Result<CachedResult> resultFromEntry(const formats::CommittedFolder& entry, const pipeline::Node& node,
                                     const pipeline::NodeSpec& spec)
{
    CachedResult cached;
    for (const auto& name : entry.meta.value("ports", nlohmann::json::array())) {
        const pipeline::PortSpec* port = spec.output(name.get<std::string>());
        if (port == nullptr) return makeError(Code::InvalidFormat, "The entry has a port that the node has not.");
        MR_TRY(cached.result.outputs[port->id], valueFromFiles(entry.files, *port, node));
    }
    cached.result.summary = entry.meta.value("summary", std::string());
    cached.sayings.points = entry.meta.value("points", nlohmann::json::array());
    cached.sayings.artifacts = entry.meta.value("artifacts", nlohmann::json::array());
    return cached;
}

} // namespace

std::optional<CachedResult> loadResult(const formats::StageCache& cache, const std::string& key,
                                       const pipeline::Node& node, const pipeline::NodeSpec& spec)
{
    const auto entry = cache.load(key);
    if (!entry || !*entry) return std::nullopt;
    auto result = resultFromEntry(**entry, node, spec);
    if (!result) return std::nullopt;
    return std::move(result).value();
}

} // namespace millrace::run
