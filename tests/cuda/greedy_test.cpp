// The likeliest continuation of several texts: on the CPU what logits say one by one, on the device the same tokens.
#include "engine/generate/greedy.h"
#include "engine/pipeline/model_builder.h"
#include "tests/cuda/test_device.h"
#include "tests/generate/language_models.h"

#include <QtTest>

#include <algorithm>
#include <cmath>
#include <set>

using namespace millrace;

namespace {

constexpr std::int64_t kTexts = 3, kPlaces = 24, kVocabulary = 40, kWidth = 32; // of its parameters below

/// A decoder of three texts with the weights that a small GPT starts with.
struct Texts
{
    std::shared_ptr<execute::Weights> weights;
    std::unique_ptr<execute::Executor> executor;

    static Result<Texts> create(const execute::Place& place)
    {
        pipeline::Node node;
        node.id = "net";
        node.type = "model.gpt";
        node.params = pipeline::Json::parse(R"({"layers": 2, "heads": 2, "width": 32, "context": 24, "dropout": 0})");
        pipeline::RowsSchema schema;
        schema.features = Shape{kPlaces};
        schema.target = pipeline::TargetKind::NextToken;
        schema.vocabulary = kVocabulary;
        MR_TRY(const auto layers, pipeline::expandModel(node, tests::catalogue(), schema));
        MR_TRY(auto graph, pipeline::buildDecoder(layers, tests::catalogue(), schema, 1, kPlaces, kTexts));
        MR_TRY(auto program, execute::planFor(std::move(graph), compile::Mode::Inference, place));
        Texts texts;
        MR_TRY(texts.weights, execute::Weights::create(program, 3, place));
        // as it starts it would repeat each token, which is most like itself: places shall say more than tokens
        for (const auto& parameter : texts.weights->namedParameters())
            for (float& value : parameter.values)
                value *= parameter.shape == Shape{kPlaces, kWidth} ? 60.0f : parameter.shape.rank() == 2 ? 10.0f : 1.0f;
        MR_CHECK(texts.weights->publish());
        MR_TRY(texts.executor, execute::Executor::create(std::move(program), texts.weights, 1));
        return texts;
    }
};

const std::vector<std::int32_t> kFirst{1, 20, 39};

/// By asking for each token's logits.
std::vector<std::int32_t> oneByOne(execute::Executor& executor, std::int64_t count)
{
    std::vector<std::int32_t> all, tokens = kFirst;
    for (std::int64_t at = 0; at < count; ++at) {
        std::ranges::copy(tokens, executor.integers("features")->begin());
        (*executor.integers("offset"))[0] = static_cast<std::int32_t>(at);
        if (!executor.run(0, 0)) return {};
        const auto logits = *executor.floats("output");
        for (std::size_t text = 0; text < tokens.size(); ++text) {
            const auto row = logits.subspan(text * kVocabulary, kVocabulary);
            tokens[text] = static_cast<std::int32_t>(std::ranges::max_element(row) - row.begin());
        }
        all.insert(all.end(), tokens.begin(), tokens.end());
    }
    return all;
}

} // namespace

class CudaGreedyTest : public QObject
{
    Q_OBJECT

private slots:
    void writesTheLikeliestTokens();
    void aNumberThatIsNoneIsSaid();
};

void CudaGreedyTest::writesTheLikeliestTokens()
{
    auto onCpu = Texts::create({.threads = 1});
    QVERIFY2(onCpu, onCpu ? "" : onCpu.error().toString().c_str());
    const auto expected = oneByOne(*onCpu->executor, kPlaces);
    QCOMPARE(expected.size(), static_cast<std::size_t>(kPlaces * kTexts));
    QVERIFY(std::set<std::int32_t>(expected.begin(), expected.end()).size() > 5); // it does not repeat itself only
    const auto check = [&](execute::Executor& executor, const execute::Place& place) {
        auto greedy = generate::Greedy::create(executor, place);
        QVERIFY2(greedy, greedy ? "" : greedy.error().toString().c_str());
        for (int round = 0; round < 2; ++round) { // in two pieces, and all anew in one
            std::vector<std::int32_t> written, last = kFirst;
            for (const std::int64_t count : round == 0 ? std::vector<std::int64_t>{10, 14} : std::vector{kPlaces}) {
                const auto before = static_cast<std::int64_t>(written.size()) / kTexts;
                const auto tokens = greedy->write(last, before, count);
                QVERIFY2(tokens, tokens ? "" : tokens.error().toString().c_str());
                written.insert(written.end(), tokens->begin(), tokens->end());
                last.assign(tokens->end() - kTexts, tokens->end());
            }
            QCOMPARE(written, expected);
        }
        QVERIFY(!greedy->write(std::span(kFirst).first(2), 0, 1)); // three are wanted
    };
    check(*onCpu->executor, {.threads = 1});
    auto device = test::openTestDevice();
    MR_REQUIRE_DEVICE(device);
    const execute::Place place{.device = std::move(*device)};
    auto onDevice = Texts::create(place);
    QVERIFY2(onDevice, onDevice ? "" : onDevice.error().toString().c_str());
    check(*onDevice->executor, place);
}

void CudaGreedyTest::aNumberThatIsNoneIsSaid()
{
    const auto check = [](const execute::Place& place) {
        auto texts = Texts::create(place);
        QVERIFY2(texts, texts ? "" : texts.error().toString().c_str());
        texts->weights->namedParameters().back().values[0] = std::nanf("");
        QVERIFY(texts->weights->publish().has_value());
        auto greedy = generate::Greedy::create(*texts->executor, place);
        QVERIFY(greedy);
        const auto tokens = greedy->write(kFirst, 0, 4);
        QVERIFY(!tokens && tokens.error().code == Code::Diverged);
    };
    check({.threads = 1});
    auto device = test::openTestDevice();
    MR_REQUIRE_DEVICE(device);
    check({.device = std::move(*device)});
}

QTEST_GUILESS_MAIN(CudaGreedyTest)
#include "greedy_test.moc"
