#include "ui/bridge/conversions.h"

#include "kernels/base/hash.h"
#include "kernels/base/text.h"

#include <QCoreApplication>
#include <algorithm>
#include <charconv>
#include <cmath>

namespace millrace::ui {

using namespace Qt::StringLiterals;

namespace {

struct Words
{
    Q_DECLARE_TR_FUNCTIONS(millrace::ui::Tracking)
};

QString layersWords(std::size_t count)
{
    return count == 1 ? Words::tr("1 layer") : Words::tr("%1 layers").arg(count);
}

QString shown(const std::string& text)
{
    return toQString(printable(text));
}

QString shortNumber(double value)
{
    return toQString(significant(value, 3));
}

// 0.0005, not 5e-04; only what would be long stays with its exponent
QString plainNumber(double value)
{
    if (value != 0 && (std::abs(value) < 1e-6 || std::abs(value) >= 1e9)) return toQString(str(value));
    char buffer[64];
    const auto end = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::fixed).ptr;
    return QString::fromLatin1(buffer, end - buffer);
}

QString progressWords(const protocol::Progress& progress)
{
    QStringList parts;
    if (progress.epoch && progress.epochs) {
        parts << Words::tr("epoch %1 of %2").arg(*progress.epoch).arg(*progress.epochs);
    } else if (progress.step && progress.steps) {
        parts << Words::tr("step %1 of %2").arg(*progress.step).arg(*progress.steps);
    }
    if (progress.loss) parts << Words::tr("loss %1").arg(shortNumber(*progress.loss));
    if (progress.accuracy) parts << Words::tr("accuracy %1").arg(shortNumber(*progress.accuracy));
    return parts.join(u" · "_s);
}

// facts: a sentence, or an object of plain values of which the short ones are shown
QString factWords(const nlohmann::json& facts)
{
    if (facts.is_string()) return shown(facts.get<std::string>());
    QStringList parts;
    if (facts.is_object()) {
        for (const auto& [key, value] : facts.items()) {
            if (!value.is_primitive() || value.is_null()) continue;
            const QString text = parameterText(value);
            if (text.size() <= 40 && parts.size() < 4) parts << shown(key).replace(u'_', u' ') + u' ' + text;
        }
    }
    return parts.join(u" · "_s);
}

} // namespace

QString parameterText(const nlohmann::json& value)
{
    if (value.is_string()) return shown(value.get<std::string>());
    if (value.is_number_float()) return plainNumber(value.get<double>());
    if (value.is_object() && value.contains("nodes") && value["nodes"].is_array()) {
        const QString hash =
            toQString(sha256(value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)).substr(0, 6));
        return layersWords(value["nodes"].size()) + u" · "_s + hash;
    }
    if (value.is_null()) return u"—"_s;
    return shown(value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

std::vector<Parameter> parametersOf(const std::vector<storage::Parameter>& parameters)
{
    std::vector<Parameter> result;
    result.reserve(parameters.size());
    for (const storage::Parameter& parameter : parameters) {
        Parameter row;
        row.name = shown(parameter.node.empty() ? parameter.name : parameter.node + "." + parameter.name);
        row.text = parameterText(parameter.value);
        if (parameter.value.is_number()) row.number = parameter.value.get<double>();
        result.push_back(std::move(row));
    }
    std::sort(result.begin(), result.end(), [](const Parameter& a, const Parameter& b) { return a.name < b.name; });
    return result;
}

std::vector<Metric> metricsOf(const std::map<std::string, double>& metrics)
{
    std::vector<Metric> result;
    result.reserve(metrics.size());
    for (const auto& [name, value] : metrics) result.push_back({shown(name), value});
    std::sort(result.begin(), result.end(), [](const Metric& a, const Metric& b) { return a.name < b.name; });
    return result;
}

RunSummary summaryOf(const storage::Run& run, std::vector<Parameter> parameters)
{
    RunSummary row;
    row.id = toQString(run.id);
    row.name = shown(run.name);
    row.pipeline = shown(run.pipelineName);
    row.experiment = shown(run.experiment);
    row.target = shown(run.target);
    row.folder = toQString(run.folder);
    row.state = run.state;
    row.createdMs = run.createdMs;
    row.startedMs = run.startedMs;
    row.endedMs = run.endedMs;
    row.workedSeconds = run.seconds;
    row.metrics = metricsOf(run.metrics);
    row.parameters = std::move(parameters);
    if (run.cause) {
        row.cause = errorText(*run.cause);
        if (!run.cause->subject.node.empty()) row.cause = shown(run.cause->subject.node) + u": "_s + row.cause;
    }
    return row;
}

StageRow stageOf(const storage::Stage& stage)
{
    StageRow row;
    row.id = shown(stage.id);
    row.type = shown(stage.type);
    row.state = shown(stage.state);
    if (stage.seconds) row.seconds = *stage.seconds;
    row.fraction = stage.progress.fraction().value_or(kNoNumber);
    row.words = factWords(stage.facts);
    if (row.words.isEmpty()) row.words = progressWords(stage.progress);
    return row;
}

std::optional<Confusion> confusionOf(const std::vector<storage::Artifact>& artifacts)
{
    for (auto artifact = artifacts.rbegin(); artifact != artifacts.rend(); ++artifact) {
        const nlohmann::json& fields = artifact->fields;
        if (artifact->role != "confusion" || !fields.is_object() || !fields.contains("classes") ||
            !fields.contains("counts"))
            continue;
        try {
            Confusion confusion;
            for (const auto& name : fields["classes"].get<std::vector<std::string>>()) confusion.classes << shown(name);
            confusion.counts = fields["counts"].get<std::vector<std::vector<qint64>>>();
            const auto size = static_cast<std::size_t>(confusion.classes.size());
            const bool square =
                confusion.counts.size() == size && std::all_of(confusion.counts.begin(), confusion.counts.end(),
                                                               [&](const auto& row) { return row.size() == size; });
            if (square && size > 0) return confusion;
        } catch (const nlohmann::json::exception&) {
            continue; // not a matrix: the run's page does without it
        }
    }
    return std::nullopt;
}

ModelVersionRow versionOf(const storage::ModelVersion& version)
{
    ModelVersionRow row;
    row.model = shown(version.model);
    row.version = version.version;
    row.run = toQString(version.run);
    row.runName = shown(version.runName);
    row.stage = shown(version.stage);
    row.folder = toQString(version.path);
    row.sha256 = toQString(version.sha256);
    row.createdMs = version.createdMs;
    row.bytes = version.bytes;
    for (const auto& alias : version.aliases) row.aliases << shown(alias);
    for (const auto& name : version.classes) row.classes << shown(name);
    row.metrics = metricsOf(version.metrics);
    return row;
}

} // namespace millrace::ui
