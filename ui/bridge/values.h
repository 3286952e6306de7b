// What the bridge answers with: values that are copied or shared unchanged between threads, in the types that the
// window shows. Nothing here knows the database.
#pragma once

#include "engine/protocol/run_state.h"
#include "kernels/base/result.h"

#include <QString>
#include <QStringList>
#include <cmath>
#include <limits>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

namespace millrace::ui {

constexpr double kNoNumber = std::numeric_limits<double>::quiet_NaN();

/// A request's number; an answer carries the number of the request that it answers. 0 is no request.
using RequestId = quint64;

struct Metric
{
    QString name;
    double value = kNoNumber; ///< the last one
};

struct Parameter
{
    QString name;              ///< "fit.epochs"
    QString text;              ///< as it is shown
    double number = kNoNumber; ///< where the text is a number
};

/// One row of the table of runs. Metrics and parameters are sorted by name.
struct RunSummary
{
    QString id, name, pipeline, experiment, target, folder;
    protocol::RunState state = protocol::RunState::Queued;
    qint64 createdMs = 0, startedMs = 0, endedMs = 0; ///< Unix milliseconds; 0: not yet
    double workedSeconds = 0; ///< by the runner's own clock, up to its last event; resumes included
    std::vector<Metric> metrics;
    std::vector<Parameter> parameters;
    QString cause; ///< why it failed, and what to do about it

    const Metric* metric(QStringView name) const;
    const Parameter* parameter(QStringView name) const;
    /// NaN where it never started.
    double seconds() const { return startedMs == 0 ? kNoNumber : workedSeconds; }
    bool isActive() const;
};

struct StageRow
{
    QString id, type, state; ///< state: waiting, running, finished, cached, failed, skipped
    double seconds = kNoNumber;
    double fraction = kNoNumber; ///< done, in [0, 1]
    QString words;               ///< "epoch 9 of 15 · loss 0.041", or what the stage says about its result
};

struct ArtifactRow
{
    QString stage, role, path, sha256; ///< path: absolute
    qint64 bytes = 0;
};

struct CheckpointRow
{
    QString stage, path;
    qint64 step = 0, epoch = 0, bytes = 0, timeMs = 0;
};

struct LogLine
{
    qint64 timeMs = 0;
    QString level, stage, text;
};

/// Counts of predictions: rows are the true classes, columns the predicted ones.
struct Confusion
{
    QStringList classes;
    std::vector<std::vector<qint64>> counts;
    bool operator==(const Confusion&) const = default;
};

/// Everything a run's page shows except its curves.
struct RunDetail
{
    RunSummary summary;
    QString pipelineText;
    std::vector<StageRow> stages;
    std::vector<ArtifactRow> artifacts;
    std::vector<CheckpointRow> checkpoints;
    std::vector<LogLine> log; ///< the last ones
    std::optional<Confusion> confusion;
    QStringList series; ///< names of the metrics that have points
};

/// The points of one metric of one run, in the order of their steps.
struct SeriesPoints
{
    QString name;
    std::vector<double> steps, values;
};

/// What the run used over time; seconds since its first sample.
struct TelemetryPoints
{
    std::vector<double> seconds, cpuPercent, memoryBytes;
};

struct ModelVersionRow
{
    QString model;
    qint64 version = 0;
    QString run, runName, stage, folder, sha256;
    qint64 createdMs = 0, bytes = 0;
    QStringList aliases, classes;
    std::vector<Metric> metrics;
};

struct ModelRow
{
    QString name;
    qint64 versions = 0;
    ModelVersionRow latest;
};

// Shared between the threads instead of copied, and changed by nobody once they are sent.
using RunList = std::shared_ptr<const std::vector<RunSummary>>;
using RunDetails = std::shared_ptr<const RunDetail>;
using SeriesList = std::shared_ptr<const std::vector<SeriesPoints>>;
using Telemetry = std::shared_ptr<const TelemetryPoints>;

/// The one request whose answer a page still waits for: answers to earlier ones are late and are dropped.
class Awaited
{
public:
    void expect(RequestId id) { m_id = id; }
    /// True once, for the answer that is waited for.
    bool accept(RequestId id)
    {
        if (id == 0 || id != m_id) return false;
        m_id = 0;
        return true;
    }
    bool isPending() const { return m_id != 0; }

private:
    RequestId m_id = 0;
};

QString toQString(std::string_view text);
/// The message and the advice; the subject only where the message does not name it.
QString errorText(const Error& error);

} // namespace millrace::ui
