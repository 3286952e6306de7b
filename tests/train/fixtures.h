// What the tests of training share: made-up rows, settings that train in a moment, an observer that remembers.
#pragma once

#include "engine/pipeline/model_builder.h"
#include "engine/train/supervised.h"
#include "kernels/base/random.h"

#include <cmath>
#include <map>
#include <string>
#include <vector>

namespace millrace::train::test {

// Records what it is told, and may ask for a stop at a step.
class Recorder : public Observer
{
public:
    void metric(std::string_view name, std::int64_t step, double value) override
    {
        metrics[std::string(name)][step] = value;
        if (name == "train.batch_loss" && step == stopAt) stop.request_stop();
    }
    void advanced(const protocol::Progress& progress) override { last = progress; }
    void note(LogLevel, std::string_view text) override { notes.emplace_back(text); }
    void checkpointSaved(const CheckpointNote&) override { ++checkpoints; }
    Status flush(bool) override { return {}; }

    std::map<std::string, std::map<std::int64_t, double>> metrics;
    protocol::Progress last;
    std::vector<std::string> notes;
    int checkpoints = 0;
    std::int64_t stopAt = -1;
    std::stop_source stop;
};

// Points in two rings: not separable by a line.
inline data::Dataset rings(std::int64_t rows, std::uint64_t seed)
{
    data::Dataset set;
    set.schema.features = Shape{2};
    set.schema.rows = rows;
    set.schema.target = pipeline::TargetKind::Classes;
    set.schema.targetName = "ring";
    set.schema.classes = {"inner", "outer"};
    set.schema.columns = {{"x"}, {"y"}};
    Random random(seed, 0);
    for (std::int64_t i = 0; i < rows; ++i) {
        const double angle = 6.283185 * random.uniformDouble(),
                     radius = (i % 2 == 0 ? 0.5 : 1.5) + 0.2 * random.normal();
        set.features.push_back(static_cast<float>(radius * std::cos(angle)));
        set.features.push_back(static_cast<float>(radius * std::sin(angle)));
        set.labels.push_back(static_cast<std::int32_t>(i % 2));
    }
    return set;
}

inline SupervisedSettings quickSettings()
{
    SupervisedSettings settings;
    settings.epochs = 20;
    settings.batchSize = 16;
    settings.schedule.base = 0.01;
    settings.step.threads = 1;
    settings.step.seed = 5;
    settings.step.optimizer.weightDecay = 0;
    return settings;
}

inline bool sameTensors(const formats::Model& a, const formats::Model& b)
{
    if (a.tensors.size() != b.tensors.size()) return false;
    for (std::size_t i = 0; i < a.tensors.size(); ++i)
        if (a.tensors[i].name != b.tensors[i].name || a.tensors[i].values != b.tensors[i].values) return false;
    return true;
}

/// A small MLP on the rows, with dropout or without.
inline Result<formats::Model> trainMlp(const pipeline::Catalogue& catalogue, const SupervisedSettings& settings,
                                       const data::Dataset& rows, const data::Dataset* validation, Observer& observer,
                                       const std::string& folder, std::stop_token stop = {}, double dropout = 0.1)
{
    pipeline::Node node;
    node.id = "net";
    node.type = "model.mlp";
    node.params = {{"hidden", {16, 16}}, {"dropout", dropout}};
    MR_TRY(const auto layers, pipeline::expandModel(node, catalogue, rows.schema));
    MR_TRY(auto checkpoints, formats::CheckpointStore::open(folder));
    const auto shared = [](const data::Dataset& set) { return std::make_shared<const data::Dataset>(set); };
    return trainSupervised(settings, {shared(rows), validation ? shared(*validation) : nullptr, layers, catalogue},
                           observer, checkpoints, stop);
}

} // namespace millrace::train::test
