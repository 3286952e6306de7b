#include "tests/ui/bridge/run_maker.h"

#include "engine/protocol/job.h"
#include "engine/protocol/run_id.h"
#include "kernels/base/files.h"
#include "kernels/base/hash.h"
#include "kernels/base/text.h"
#include "kernels/base/units.h"

#include <cmath>
#include <cstdlib>

namespace millrace::ui::test {

using nlohmann::json;

namespace {

const std::vector<std::string> kDigits = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};

class Writer
{
public:
    Writer(std::int64_t startMs, double seconds, int steps)
        : m_startMs(startMs), m_stepMs(seconds * 1000 / std::max(1, steps))
    {
    }

    void add(std::string kind, json fields)
    {
        protocol::Event event;
        event.seq = static_cast<std::int64_t>(events.size()) + 1;
        event.monotonicMs = static_cast<std::int64_t>(m_ms);
        event.timeMs = m_startMs + event.monotonicMs;
        event.kind = std::move(kind);
        event.fields = std::move(fields);
        events.push_back(std::move(event));
    }
    void step() { m_ms += m_stepMs; }

    std::vector<protocol::Event> events;

private:
    std::int64_t m_startMs;
    double m_stepMs, m_ms = 0;
};

double lossAt(const MadeRun& run, double epoch)
{
    return 1.9 * std::exp(-run.speed * epoch) + 0.04 + 0.012 * std::sin(epoch * 5.1) / (1 + epoch * 0.3);
}

double accuracyAt(const MadeRun& run, double epoch)
{
    return run.accuracy - (run.accuracy - 0.35) * std::exp(-run.speed * 1.6 * epoch) + 0.003 * std::sin(epoch * 3.7);
}

json confusion()
{
    json counts = json::array();
    for (int row = 0; row < 10; ++row) {
        std::vector<int> line(10, 0);
        line[static_cast<std::size_t>(row)] = 35 + row % 3;
        if (row == 8) line[1] = 2;
        if (row == 9) line[5] = 1;
        if (row == 3) line[9] = 1;
        counts.push_back(line);
    }
    return counts;
}

void addStart(Writer& out, const MadeRun& run)
{
    out.add("state", {{"state", "starting"}});
    const auto param = [&](const char* node, const char* name, const json& value) {
        out.add("param", {{"node", node}, {"name", name}, {"value", value}});
    };
    param("digits", "name", "digits");
    param("split", "train", 0.8);
    param("split", "seed", 7);
    param("fit", "epochs", run.allEpochs);
    param("fit", "batch_size", 32);
    param("fit", "optimizer", run.optimizer);
    param("fit", "learning_rate", run.learningRate);
    param("fit", "weight_decay", run.weightDecay);
    out.add("state", {{"state", "running"}});
    for (const auto& [id, type] : {std::pair("digits", "data.builtin"), std::pair("split", "data.split")}) {
        out.add("stage", {{"stage", id}, {"type", type}, {"state", "cached"}, {"seconds", 0.0}});
    }
    out.add("log", {{"level", "info"}, {"text", "1,797 rows of 8×8×1, 10 classes"}, {"stage", "digits"}});
    out.add("log", {{"level", "info"}, {"text", "1,437 rows to train on, 360 to test"}, {"stage", "split"}});
}

void addEpoch(Writer& out, const MadeRun& run, int epoch)
{
    const double loss = lossAt(run, epoch);
    for (int batch = 0; batch < 9; ++batch) {
        out.step();
        const std::int64_t step = (epoch - 1) * 45 + batch * 5 + 1;
        const double noisy =
            lossAt(run, epoch - 1 + batch / 9.0) * (1 + 0.25 * std::sin(static_cast<double>(step) * 1.7));
        out.add("metric",
                {{"stage", "fit"}, {"points", json::array({json::array({"train.batch_loss", step, noisy})})}});
    }
    out.add(
        "metric",
        {{"stage", "fit"},
         {"points", json::array({json::array({"train.loss", epoch, loss * 0.9}),
                                 json::array({"train.accuracy", epoch, std::min(1.0, accuracyAt(run, epoch) + 0.008)}),
                                 json::array({"train.learning_rate", epoch, run.learningRate * (1 - 0.06 * epoch)}),
                                 json::array({"validation.loss", epoch, loss}),
                                 json::array({"validation.accuracy", epoch, accuracyAt(run, epoch)})})}});
    out.add("telemetry", {{"cpu_percent", 97.0},
                          {"process_cpu_percent", 150 + 20 * std::sin(epoch)},
                          {"memory_bytes", 120000000 + 3000000 * epoch},
                          {"host_memory_used_bytes", 4000000000},
                          {"host_memory_bytes", 23000000000},
                          {"devices", json::array()}});
    out.add("stage", {{"stage", "fit"},
                      {"type", "train.supervised"},
                      {"state", "running"},
                      {"progress",
                       {{"epoch", epoch},
                        {"epochs", run.allEpochs},
                        {"step", epoch * 45},
                        {"steps", run.allEpochs * 45},
                        {"loss", loss},
                        {"accuracy", accuracyAt(run, epoch)},
                        {"samples_per_second", 41200.0},
                        {"remaining_seconds", (run.allEpochs - epoch) * 0.6}}}});
    out.add("log", {{"level", "info"},
                    {"text", str("epoch ", epoch, " of ", run.allEpochs, ": loss ", fixed(loss, 4),
                                 ", validation accuracy ", fixed(accuracyAt(run, epoch), 4))},
                    {"stage", "fit"}});
    if (epoch % 3 != 0) return;
    out.add("checkpoint", {{"stage", "fit"},
                           {"step", epoch * 45},
                           {"epoch", epoch},
                           {"path", str("checkpoints/", epoch)},
                           {"sha256", std::string(64, 'a')},
                           {"bytes", 1234567}});
}

void addEnd(Writer& out, const MadeRun& run)
{
    out.add("stage",
            {{"stage", "fit"}, {"type", "train.supervised"}, {"state", "finished"}, {"seconds", run.seconds * 0.9}});
    out.add("metric",
            {{"stage", "evaluate"}, {"points", json::array({json::array({"test.accuracy", 1, run.accuracy})})}});
    out.add("artifact", {{"stage", "evaluate"}, {"role", "confusion"}, {"classes", kDigits}, {"counts", confusion()}});
    out.add("stage", {{"stage", "evaluate"}, {"type", "evaluate.model"}, {"state", "finished"}, {"seconds", 0.1}});
    if (run.withModel) {
        out.add("artifact", {{"stage", "register"},
                             {"role", "model"},
                             {"path", "artifacts/model"},
                             {"sha256", sha256(run.id)},
                             {"bytes", 163840},
                             {"name", "digits"},
                             {"alias", ""},
                             {"classes", kDigits},
                             {"metrics", {{"test.accuracy", run.accuracy}, {"validation.loss", 0.06}}}});
    }
    out.add("stage", {{"stage", "register"}, {"type", "model.register"}, {"state", "finished"}, {"seconds", 0.02}});
}

} // namespace

std::vector<protocol::Event> eventsOf(const MadeRun& run)
{
    const auto created = protocol::timeOfRunId(run.id);
    Writer out(created ? *created : unixMilliseconds(), run.seconds, run.epochs * 9);
    addStart(out, run);
    for (int epoch = 1; epoch <= run.epochs; ++epoch) addEpoch(out, run, epoch);
    switch (run.state) {
    case protocol::RunState::Finished:
        addEnd(out, run);
        out.add("state", {{"state", "finished"}});
        break;
    case protocol::RunState::Failed:
        out.add("state", {{"state", "failed"},
                          {"stage", "fit"},
                          {"cause", protocol::errorToJson(makeError(Code::Diverged, run.failure)
                                                              .atNode("fit", "learning_rate")
                                                              .advise("Lower the learning rate and resume."))}});
        break;
    case protocol::RunState::Stopped:
        out.add("state", {{"state", "stopping"}});
        out.add("state", {{"state", "stopped"}});
        break;
    default:
        break; // still at work
    }
    return out.events;
}

void writeRun(const protocol::Home& home, const MadeRun& run)
{
    const auto folder = home.run(run.id);
    if (!folder || !makeDirectories(folder->path)) std::abort();
    protocol::Job job;
    job.run = run.id;
    job.name = run.name;
    job.pipelineText =
        str("{\"format\": \"millrace/1\", \"name\": \"", run.pipeline, "\", \"nodes\": [], \"links\": []}\n");
    std::string journal;
    for (const auto& event : eventsOf(run)) journal += protocol::toLine(event) + '\n';
    if (!durableReplace(folder->job(), protocol::toText(job)) || !durableReplace(folder->journal(), journal))
        std::abort();
}

} // namespace millrace::ui::test
