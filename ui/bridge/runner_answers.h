// Questions about data and models that only the engine can answer, put to a runner process that does nothing else:
// `millrace-runner --answer`, one JSON object a line in either direction.
#pragma once

#include "ui/bridge/values.h"
#include "ui/document/inspector.h"

#include <QHash>
#include <QProcess>
#include <QTimer>
#include <nlohmann/json.hpp>

namespace millrace::ui {

/// What a model takes and answers.
struct ModelDescription
{
    pipeline::RowsSchema schema;
    QStringList columns;    ///< of a raw row, for a table
    qint64 parameters = -1; ///< -1: not known
};

/// Classes with their probabilities, or a value.
struct Prediction
{
    QStringList classes;
    std::vector<double> probabilities;
    double value = kNoNumber; ///< where there are no classes
};

/// What text is generated from.
struct GenerationSettings
{
    QString prompt;
    qint64 tokens = 200, topK = 0; ///< top-k 0: all tokens
    double temperature = 0.8, topP = 1;
    quint64 seed = 0;
};

/// How a generation went, when it has ended.
struct Generation
{
    qint64 tokens = 0;
    double seconds = 0;
    bool stopped = false; ///< before all tokens were there
};

/// Lives in the GUI thread; the process starts with the first question, and again after it died. Every request is
/// answered exactly once: by its signal, or by `failed`.
class RunnerAnswers : public Inspector
{
    Q_OBJECT
public:
    /// `program`: by default $MILLRACE_RUNNER, else `millrace-runner` beside this program.
    explicit RunnerAnswers(const QString& program = {}, QObject* parent = nullptr);
    ~RunnerAnswers() override;

    // Inspector; an error comes as the answer
    void requestInspect(quint64 request, const QString& nodeJson, const QString& baseDirectory) override;

    /// `folder` is a model version's, absolute. → described
    RequestId describe(const QString& folder);
    /// A row of raw text fields as in the file the model was trained from, without the target. → predicted
    RequestId predictRow(const QString& folder, const QString& csvRow);
    /// An image of any size, brightness in [0, 1], row by row. → predicted
    RequestId predictImage(const QString& folder, int width, int height, const std::vector<float>& pixels);
    /// Raw feature values, in the order of the schema. → predicted
    RequestId predictValues(const QString& folder, const std::vector<double>& values);

    /// A model of text goes on from the prompt. → generatedText, any number of times, then generated
    RequestId generate(const QString& folder, const GenerationSettings& settings);
    /// Ends a generation early; its `generated` comes all the same.
    void stopGenerating(RequestId request);

signals:
    void described(millrace::ui::RequestId request, const millrace::ui::ModelDescription& model);
    void predicted(millrace::ui::RequestId request, const millrace::ui::Prediction& prediction);
    void generatedText(millrace::ui::RequestId request, const QString& piece);
    void generated(millrace::ui::RequestId request, const millrace::ui::Generation& generation);
    void failed(millrace::ui::RequestId request, const millrace::Error& error);

private:
    enum class Kind
    {
        Inspect,
        Describe,
        Predict,
        Generate
    };
    struct Question
    {
        Kind kind = Kind::Inspect;
        quint64 request = 0; ///< the asker's number
    };

    RequestId predict(const QString& folder, const char* key, nlohmann::json content);
    void ask(Question question, const char* verb, nlohmann::json content);
    bool startProcess();
    void readAnswers();
    void take(const QByteArray& line);
    void answer(const Question& question, const nlohmann::json& json);
    void fail(const Question& question, const Error& error);
    void died(const QString& how);

    QString m_program;
    QProcess m_process;
    QTimer m_patience;               ///< runs while something is unanswered
    QHash<quint64, Question> m_open; ///< by the number that the process was given
    quint64 m_lastNumber = 0;
    RequestId m_lastRequest = 0;
};

} // namespace millrace::ui
