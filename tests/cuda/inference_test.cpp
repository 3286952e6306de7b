// Models on the device against the same models on the CPU: outputs of whole batches, and texts read piece by piece.
#include "engine/generate/decoder.h"
#include "engine/graph/operations.h"
#include "engine/pipeline/model_builder.h"
#include "kernels/base/random.h"
#include "kernels/base/text.h"
#include "tests/cuda/test_device.h"
#include "tests/generate/language_models.h"

#include <QtTest>

#include <cmath>

using namespace millrace;

namespace {

constexpr std::int64_t kRows = 3;

/// A model node with these parameters for rows of that shape, its weights drawn from one seed, at a place.
struct Model
{
    std::shared_ptr<execute::Weights> weights;
    std::unique_ptr<execute::Executor> executor;

    static Result<Model> create(const std::string& type, const std::string& params, const Shape& features,
                                const execute::Place& place)
    {
        pipeline::Node node;
        node.id = "net";
        node.type = type;
        node.params = pipeline::Json::parse(params);
        pipeline::RowsSchema schema;
        schema.features = features;
        schema.image = features.rank() == 3;
        schema.target = pipeline::TargetKind::Classes;
        for (int i = 0; i < 5; ++i) schema.classes.push_back(str("class ", i));
        MR_TRY(const auto layers, pipeline::expandModel(node, tests::catalogue(), schema));
        MR_TRY(auto graph, pipeline::buildModel(layers, tests::catalogue(), schema, kRows));
        MR_TRY(auto program, execute::planFor(std::move(graph), compile::Mode::Inference, place));
        Model model;
        MR_TRY(model.weights, execute::Weights::create(program, 3, place));
        MR_TRY(model.executor, execute::Executor::create(std::move(program), model.weights, 1));
        return model;
    }

    Result<std::vector<float>> outputs()
    {
        MR_TRY(const auto features, executor->floats("features"));
        Random random(5, 1);
        for (float& value : features) value = static_cast<float>(random.normal());
        MR_CHECK(executor->run(0, 0));
        MR_TRY(const auto output, executor->floats("output"));
        return std::vector<float>(output.begin(), output.end());
    }
};

double relativeError(std::span<const float> values, std::span<const float> expected)
{
    double difference = 0, norm = 0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
        const double d = static_cast<double>(values[i]) - static_cast<double>(expected[i]);
        difference += d * d;
        norm += static_cast<double>(expected[i]) * static_cast<double>(expected[i]);
    }
    return std::sqrt(difference / norm);
}

} // namespace

class CudaInferenceTest : public QObject
{
    Q_OBJECT

private slots:
    void init();
    void outputsAreThoseOfTheCpu_data();
    void outputsAreThoseOfTheCpu();
    void textsAreReadAsOnTheCpu_data();
    void textsAreReadAsOnTheCpu();
    void timesEachOperation();
    void namesTheLayerThatIsNotFinite();

private:
    std::shared_ptr<kernels::Device> m_device;
};

void CudaInferenceTest::init()
{
    m_device.reset();
    auto device = test::openTestDevice();
    MR_REQUIRE_DEVICE(device);
    m_device = std::move(*device);
}

void CudaInferenceTest::outputsAreThoseOfTheCpu_data()
{
    QTest::addColumn<QString>("type");
    QTest::addColumn<QString>("params");
    QTest::addColumn<bool>("image");
    QTest::addColumn<QString>("storage");
    const auto add = [](const char* type, const char* params, bool image) {
        for (const char* storage : {"f32", "bf16", "f16"})
            QTest::addRow("%s %s", type, storage)
                << QString::fromLatin1(type) << QString::fromLatin1(params) << image << QString::fromLatin1(storage);
    };
    add("model.mlp", R"({"hidden": [24, 16], "activation": "gelu"})", false);
    add("model.lenet", "{}", true);
    add("model.resnet", R"({"depth": "18", "width": 8})", true);
    add("model.mobilenet", R"({"width": 0.25})", true);
}

void CudaInferenceTest::outputsAreThoseOfTheCpu()
{
    QFETCH(QString, type);
    QFETCH(QString, params);
    QFETCH(bool, image);
    QFETCH(QString, storage);
    const Shape features = image ? Shape{16, 16, 1} : Shape{10};
    const DType stored = storage == QLatin1String("bf16")  ? DType::BF16
                         : storage == QLatin1String("f16") ? DType::F16
                                                           : DType::F32;
    const auto make = [&](const execute::Place& place) {
        return Model::create(type.toStdString(), params.toStdString(), features, place);
    };
    auto onCpu = make({.threads = 1}), onDevice = make({.device = m_device, .storage = stored});
    QVERIFY2(onCpu, onCpu ? "" : onCpu.error().toString().c_str());
    QVERIFY2(onDevice, onDevice ? "" : onDevice.error().toString().c_str());
    const auto expected = onCpu->outputs();
    QVERIFY(expected);
    for (int run = 0; run < 3; ++run) { // as it is, captured, launched again
        const auto values = onDevice->outputs();
        QVERIFY2(values, values ? "" : values.error().toString().c_str());
        const double error = relativeError(*values, *expected);
        const double allowed = stored == DType::F32 ? 1e-5 : stored == DType::F16 ? 5e-3 : 4e-2;
        QVERIFY2(error <= allowed, str("off by ", significant(error, 3)).c_str());
    }
}

void CudaInferenceTest::textsAreReadAsOnTheCpu_data()
{
    QTest::addColumn<QString>("type");
    QTest::addColumn<QString>("params");
    QTest::addColumn<int>("context");
    QTest::addColumn<bool>("stored");
    const QString gpt = QStringLiteral("model.gpt"), lstm = QStringLiteral("model.lstm");
    const QString small = QStringLiteral(R"({"layers": 2, "heads": 4, "width": 32, "context": 100})");
    QTest::newRow("gpt") << gpt << small << 100 << false;
    QTest::newRow("gpt bf16") << gpt << small << 100 << true;
    QTest::newRow("lstm") << lstm << QStringLiteral(R"({"layers": 2, "units": 24, "embedding": 8})") << 20 << false;
    QTest::newRow("gru") << lstm << QStringLiteral(R"({"layers": 1, "units": 24, "cell": "gru"})") << 20 << false;
}

void CudaInferenceTest::textsAreReadAsOnTheCpu()
{
    QFETCH(QString, type);
    QFETCH(QString, params);
    QFETCH(int, context);
    QFETCH(bool, stored);
    constexpr std::size_t kVocabulary = 13;
    const auto model = tests::languageModel(type.toStdString(), params.toStdString(), kVocabulary, context);
    std::vector<std::int32_t> tokens(90);
    Random random(7, 1);
    for (std::int32_t& token : tokens) token = static_cast<std::int32_t>(random.bits32() % kVocabulary);
    const auto whole = tests::wholeLogits(model, tokens);
    auto decoder = generate::Decoder::create(model, tests::catalogue(),
                                             {.device = m_device, .storage = stored ? DType::BF16 : DType::F32});
    QVERIFY2(decoder, decoder ? "" : decoder.error().toString().c_str());
    for (int round = 0; round < 2; ++round) { // the second after a reset
        std::size_t at = 0;
        for (const std::size_t count : {1u, 2u, 8u, 75u, 1u, 3u}) { // pieces of 64, 8 and 1
            const auto logits = decoder->read(std::span(tokens).subspan(at, count));
            QVERIFY2(logits, logits ? "" : logits.error().toString().c_str());
            at += count;
            const auto expected = std::span<const float>(whole).subspan(kVocabulary * (at - 1), kVocabulary);
            const double error = relativeError(*logits, expected);
            QVERIFY2(error < (stored ? 3e-2 : 1e-5), str("off by ", significant(error, 3), " after ", at).c_str());
        }
        const Status forgot = decoder->reset();
        QVERIFY2(forgot, forgot ? "" : forgot.error().toString().c_str());
    }
}

void CudaInferenceTest::timesEachOperation()
{
    auto model = Model::create("model.mlp", R"({"hidden": [24, 16]})", Shape{10}, {.device = m_device});
    QVERIFY(model);
    const auto times = model->executor->time(0, 0);
    QCOMPARE(times.size(), model->executor->program().graph.operations().size());
    for (const auto& one : times) QVERIFY(one.seconds > 0);
    QVERIFY(model->executor->memoryBytes() >= model->executor->program().peakBytes());
}

void CudaInferenceTest::namesTheLayerThatIsNotFinite()
{
    auto model = Model::create("model.mlp", R"({"hidden": [24, 16]})", Shape{10}, {.device = m_device});
    QVERIFY(model);
    QVERIFY(model->outputs().has_value());
    QCOMPARE(model->executor->firstNonFinite(), std::string());
    for (auto& parameter : model->weights->namedParameters())
        if (parameter.shape == Shape{16, 24}) parameter.values[5] = std::nanf("");
    QVERIFY(model->weights->publish().has_value());
    const Status run = model->executor->run(0, 4, true);
    QVERIFY(!run);
    QCOMPARE(run.error().code, Code::Diverged);
    QCOMPARE(run.error().subject.node, model->executor->firstNonFinite());
    QVERIFY(!run.error().subject.node.empty());
}

QTEST_GUILESS_MAIN(CudaInferenceTest)
#include "inference_test.moc"
