#include "ui/bridge/runner_answers.h"

#include "engine/protocol/event.h"
#include "kernels/base/text.h"

#include <QCoreApplication>
#include <QDir>
#include <utility>

namespace millrace::ui {

using namespace Qt::StringLiterals;
using nlohmann::json;

namespace {

constexpr int kPatienceMs = 60'000;

QByteArray bytesOf(const json& object)
{
    return QByteArray::fromStdString(object.dump(-1, ' ', false, json::error_handler_t::replace)) + '\n';
}

Error badAnswer(const std::string& what)
{
    return makeError(Code::InvalidFormat, str("The runner's answer could not be read: ", what, "."))
        .advise("The window and the runner may be of different versions; install both anew.");
}

Result<Prediction> predictionFrom(const json& object)
{
    try {
        Prediction prediction;
        if (object.contains("value")) {
            prediction.value = protocol::metricValueFrom(object["value"]).value_or(kNoNumber);
            return prediction;
        }
        for (const auto& name : object.at("classes").get<std::vector<std::string>>()) {
            prediction.classes << toQString(printable(name));
        }
        prediction.probabilities = object.at("probabilities").get<std::vector<double>>();
        if (prediction.probabilities.size() != static_cast<std::size_t>(prediction.classes.size())) {
            return badAnswer("it has not one probability per class");
        }
        return prediction;
    } catch (const json::exception& exception) {
        return badAnswer(exception.what());
    }
}

Result<Generation> generationFrom(const json& object)
{
    try {
        return Generation{object.at("tokens").get<qint64>(), object.at("seconds").get<double>(),
                          object.at("stopped").get<bool>()};
    } catch (const json::exception& exception) {
        return badAnswer(exception.what());
    }
}

Result<ModelDescription> descriptionFrom(const json& object)
{
    if (!object.is_object() || !object.contains("schema")) return badAnswer("it has no schema");
    ModelDescription model;
    MR_TRY(model.schema, pipeline::rowsSchemaFromJson(object["schema"]));
    const auto parameters = object.find("parameters");
    if (parameters != object.end() && parameters->is_number_integer()) model.parameters = parameters->get<qint64>();
    const auto columns = object.find("columns");
    if (columns == object.end() || !columns->is_array()) return model;
    for (const auto& name : *columns) {
        if (name.is_string()) model.columns << toQString(printable(name.get<std::string>()));
    }
    return model;
}

} // namespace

RunnerAnswers::RunnerAnswers(const QString& program, QObject* parent) : Inspector(parent), m_program(program)
{
    if (m_program.isEmpty()) m_program = qEnvironmentVariable("MILLRACE_RUNNER");
    if (m_program.isEmpty()) m_program = QCoreApplication::applicationDirPath() + u"/millrace-runner"_s;
    m_patience.setInterval(kPatienceMs);
    m_patience.setSingleShot(true);
    m_process.setStandardErrorFile(QProcess::nullDevice());
    connect(&m_process, &QProcess::readyReadStandardOutput, this, &RunnerAnswers::readAnswers);
    connect(&m_process, &QProcess::finished, this, [this](int code, QProcess::ExitStatus status) {
        died(status == QProcess::CrashExit ? tr("it crashed") : tr("it ended with status %1").arg(code));
    });
    connect(&m_process, &QProcess::errorOccurred, this, [this](QProcess::ProcessError error) {
        if (error == QProcess::FailedToStart) died(m_process.errorString());
    });
    connect(&m_patience, &QTimer::timeout, this, [this] { m_process.kill(); });
}

RunnerAnswers::~RunnerAnswers()
{
    m_process.disconnect(this);
    // closed input is its sign to end; it holds nothing that could be lost
    m_process.closeWriteChannel();
    m_process.kill();
    m_process.waitForFinished(1000);
}

bool RunnerAnswers::startProcess()
{
    if (m_process.state() != QProcess::NotRunning) return true;
    m_process.start(m_program, {u"--answer"_s});
    return m_process.state() != QProcess::NotRunning;
}

void RunnerAnswers::ask(Question question, const char* verb, json content)
{
    const quint64 number = ++m_lastNumber;
    m_open.insert(number, question);
    if (!startProcess()) return; // errorOccurred has answered, or will
    m_process.write(bytesOf({{"id", number}, {verb, std::move(content)}}));
    if (!m_patience.isActive()) m_patience.start();
}

void RunnerAnswers::requestInspect(quint64 request, const QString& nodeJson, const QString& baseDirectory)
{
    const Question question{Kind::Inspect, request};
    const json node = json::parse(nodeJson.toStdString(), nullptr, false);
    if (!node.is_object() || !node.contains("type")) {
        const Error error = makeError(Code::Internal, "The node to inspect is no JSON object with a type.");
        QMetaObject::invokeMethod(
            this, [=, this] { fail(question, error); }, Qt::QueuedConnection);
        return;
    }
    ask(question, "inspect",
        {{"type", node["type"]},
         {"params", node.value("params", json::object())},
         {"base", QDir::cleanPath(baseDirectory).toStdString()}});
}

RequestId RunnerAnswers::describe(const QString& folder)
{
    const RequestId request = ++m_lastRequest;
    ask({Kind::Describe, request}, "describe", {{"model", folder.toStdString()}});
    return request;
}

RequestId RunnerAnswers::predict(const QString& folder, const char* key, json content)
{
    const RequestId request = ++m_lastRequest;
    ask({Kind::Predict, request}, "predict", {{"model", folder.toStdString()}, {key, std::move(content)}});
    return request;
}

RequestId RunnerAnswers::predictRow(const QString& folder, const QString& csvRow)
{
    return predict(folder, "row", csvRow.toStdString());
}

RequestId RunnerAnswers::predictValues(const QString& folder, const std::vector<double>& values)
{
    return predict(folder, "values", values);
}

RequestId RunnerAnswers::predictImage(const QString& folder, int width, int height, const std::vector<float>& pixels)
{
    return predict(folder, "image", {{"width", width}, {"height", height}, {"pixels", pixels}});
}

RequestId RunnerAnswers::generate(const QString& folder, const GenerationSettings& settings)
{
    const RequestId request = ++m_lastRequest;
    ask({Kind::Generate, request}, "generate",
        {{"model", folder.toStdString()},
         {"prompt", settings.prompt.toStdString()},
         {"tokens", settings.tokens},
         {"temperature", settings.temperature},
         {"top_k", settings.topK},
         {"top_p", settings.topP},
         {"seed", settings.seed}});
    return request;
}

void RunnerAnswers::stopGenerating(RequestId request)
{
    for (auto at = m_open.cbegin(); at != m_open.cend(); ++at)
        if (at->kind == Kind::Generate && at->request == request) m_process.write(bytesOf({{"cancel", at.key()}}));
}

void RunnerAnswers::readAnswers()
{
    while (m_process.canReadLine()) take(m_process.readLine().trimmed());
}

void RunnerAnswers::take(const QByteArray& line)
{
    const json object = json::parse(line.begin(), line.end(), nullptr, false);
    if (!object.is_object() || !object.contains("id") || !object["id"].is_number_unsigned()) return;
    const auto at = m_open.constFind(object["id"].get<quint64>());
    if (at == m_open.constEnd()) return;
    const Question question = *at;
    if (object.value("more", json()) == true) {
        m_patience.start();
        if (question.kind == Kind::Generate && object.contains("text") && object["text"].is_string())
            emit generatedText(question.request, toQString(object["text"].get<std::string>()));
        return;
    }
    m_open.erase(at);
    m_patience.stop();
    if (!m_open.isEmpty()) m_patience.start();
    if (object.contains("error")) return fail(question, protocol::errorFromJson(object["error"]));
    answer(question, object);
}

void RunnerAnswers::answer(const Question& question, const json& object)
{
    switch (question.kind) {
    case Kind::Inspect:
        emit inspected(question.request, object.contains("schema") ? pipeline::rowsSchemaFromJson(object["schema"])
                                                                   : InspectAnswer(badAnswer("it has no schema")));
        return;
    case Kind::Describe: {
        const auto model = descriptionFrom(object.value("model", json()));
        if (!model) return fail(question, model.error());
        emit described(question.request, *model);
        return;
    }
    case Kind::Predict: {
        const auto prediction = predictionFrom(object.value("prediction", json()));
        if (!prediction) return fail(question, prediction.error());
        emit predicted(question.request, *prediction);
        return;
    }
    case Kind::Generate: {
        const auto generation = generationFrom(object.value("generated", json()));
        if (!generation) return fail(question, generation.error());
        emit generated(question.request, *generation);
        return;
    }
    }
}

void RunnerAnswers::fail(const Question& question, const Error& error)
{
    if (question.kind == Kind::Inspect) {
        emit inspected(question.request, InspectAnswer(error));
    } else {
        emit failed(question.request, error);
    }
}

void RunnerAnswers::died(const QString& how)
{
    m_patience.stop();
    const Error error = makeError(Code::ProcessDied, tr("The process that answers questions about data and models "
                                                        "(%1) cannot answer: %2.")
                                                         .arg(m_program, how)
                                                         .toStdString())
                            .advise(tr("It starts again with the next question.").toStdString());
    // only what was asked before: an answer's receiver may ask again at once
    const auto open = std::exchange(m_open, {});
    QMetaObject::invokeMethod(
        this,
        [this, open, error] {
            for (const Question& question : open) fail(question, error);
        },
        Qt::QueuedConnection);
}

} // namespace millrace::ui
