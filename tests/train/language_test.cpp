// A small GPT learns a text that repeats itself, on windows that depend on seed and step alone, and resumes to the
// same bits.
#include "engine/data/tokenizer.h"
#include "engine/train/language.h"
#include "engine/train/token_windows.h"
#include "tests/train/fixtures.h"

#include <QtTest>

using namespace millrace;
using namespace millrace::train;
using namespace millrace::train::test;

class LanguageTest : public QObject
{
    Q_OBJECT

private slots:
    void windowsFollowSeedAndStep();
    void learnsWhatFollows();
    void resumesToTheSameBits();
    void aShortTextIsRefused();

private:
    Result<formats::Model> train(const LanguageSettings& settings, Observer& observer, const QTemporaryDir& folder,
                                 std::stop_token stop = {}, int repeats = 200);
    pipeline::Catalogue m_catalogue = pipeline::Catalogue::create();
};

namespace {

data::TokenSet alphabet(int repeats)
{
    std::string text;
    for (int i = 0; i < repeats; ++i) text += "abcdefghij";
    const auto tokenizer = data::Tokenizer::characters(text);
    data::TokenSet tokens;
    tokens.tokenizer = tokenizer->toJson();
    tokens.ids = *tokenizer->encode(text);
    tokens.schema.features = Shape{1};
    tokens.schema.vocabulary = tokenizer->vocabulary();
    tokens.schema.target = pipeline::TargetKind::NextToken;
    return tokens;
}

LanguageSettings quickLanguage()
{
    LanguageSettings settings;
    settings.steps = 40;
    settings.context = 8;
    settings.batchSize = 8;
    settings.evaluateEvery = 10;
    settings.schedule.base = 0.01;
    settings.schedule.id = "cosine";
    settings.schedule.warmup = 5;
    settings.step.seed = 3;
    settings.step.threads = 1;
    settings.step.clipNorm = 1;
    return settings;
}

} // namespace

Result<formats::Model> LanguageTest::train(const LanguageSettings& settings, Observer& observer,
                                           const QTemporaryDir& folder, std::stop_token stop, int repeats)
{
    const auto tokens = std::make_shared<const data::TokenSet>(alphabet(repeats));
    pipeline::Node node;
    node.id = "gpt";
    node.type = "model.gpt";
    node.params = {{"layers", 1}, {"heads", 2}, {"width", 16}, {"context", 16}, {"dropout", 0.1}};
    MR_TRY(const auto layers, pipeline::expandModel(node, m_catalogue, windowSchema(*tokens, settings.context)));
    MR_TRY(auto checkpoints, formats::CheckpointStore::open(folder.path().toStdString()));
    return trainLanguage(settings, {tokens, layers, m_catalogue}, observer, checkpoints, std::move(stop));
}

void LanguageTest::windowsFollowSeedAndStep()
{
    const data::TokenSet tokens = alphabet(50);
    const auto labelsOf = [&](std::uint64_t seed, std::int64_t step) {
        TokenWindows windows(tokens.ids, 8, 4, 2, seed);
        windows.goTo(step);
        std::vector<std::int32_t> labels;
        for (int again = 0; again < 2; ++again) {
            labels.clear();
            if (!windows.begin()) return labels;
            while (const MicroBatch* batch = *windows.next()) {
                for (std::size_t i = 0; i + 1 < batch->tokens.size(); ++i)
                    if ((i + 1) % 8 != 0 && batch->labels[i] != batch->tokens[i + 1])
                        return std::vector<std::int32_t>();
                labels.insert(labels.end(), batch->labels.begin(), batch->labels.end());
            }
        }
        return labels;
    };
    QCOMPARE(labelsOf(1, 5).size(), std::size_t{2 * 4 * 8});
    QCOMPARE(labelsOf(1, 5), labelsOf(1, 5));
    QVERIFY(labelsOf(1, 5) != labelsOf(1, 6));
    QVERIFY(labelsOf(1, 5) != labelsOf(2, 5));
}

void LanguageTest::learnsWhatFollows()
{
    const QTemporaryDir folder;
    LanguageSettings settings = quickLanguage();
    settings.steps = 150;
    Recorder recorder;
    const auto model = train(settings, recorder, folder);
    QVERIFY2(model, model ? "" : model.error().toString().c_str());
    const auto& losses = recorder.metrics["validation.loss"];
    QCOMPARE(losses.size(), std::size_t{15});
    QVERIFY2(losses.at(150) < 0.5, qPrintable(QString::number(losses.at(150))));
    QCOMPARE(recorder.metrics["validation.perplexity"].at(150), std::exp(losses.at(150)));
    QCOMPARE(recorder.metrics["train.batch_loss"].size(), std::size_t{150});
    QVERIFY(recorder.last.samplesPerSecond.has_value());
    QCOMPARE(model->schema.features, Shape{8});
    QCOMPARE(model->preprocessing.steps.at(0).at("kind"), "tokenize");
}

void LanguageTest::resumesToTheSameBits()
{
    LanguageSettings settings = quickLanguage();
    settings.step.average = 0.9;
    settings.step.accumulation = 2;
    const QTemporaryDir straight, halved;
    Recorder reference, first, second;
    const auto expected = train(settings, reference, straight);
    QVERIFY2(expected, expected ? "" : expected.error().toString().c_str());
    first.stopAt = 17;
    const auto stopped = train(settings, first, halved, first.stop.get_token());
    QVERIFY(!stopped);
    QCOMPARE(stopped.error().code, Code::Cancelled);
    const auto resumed = train(settings, second, halved);
    QVERIFY2(resumed, resumed ? "" : resumed.error().toString().c_str());
    QVERIFY(sameTensors(*resumed, *expected));
    for (const auto& [name, points] : second.metrics)
        for (const auto& [step, value] : points) QCOMPARE(value, reference.metrics[name][step]);
}

void LanguageTest::aShortTextIsRefused()
{
    const QTemporaryDir folder;
    Recorder recorder;
    const auto model = train(quickLanguage(), recorder, folder, {}, 2);
    QVERIFY(!model);
    QCOMPARE(model.error().code, Code::InvalidArgument);
}

QTEST_GUILESS_MAIN(LanguageTest)
#include "language_test.moc"
