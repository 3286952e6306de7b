// Text generation: reading piece by piece gives what reading at once gives, tokens come as often as they should, and
// the same seed gives the same text.
#include "engine/generate/generator.h"
#include "kernels/base/random.h"
#include "tests/generate/language_models.h"

#include <QtTest>

#include <cmath>

using namespace millrace;
using generate::Decoder;
using generate::GenerateOptions;
using generate::Generator;
using generate::SampleOptions;
using generate::Sampler;

namespace {

std::vector<std::int32_t> randomTokens(std::size_t count, std::uint64_t vocabulary)
{
    Random random(3, streamOf("tokens"));
    std::vector<std::int32_t> tokens(count);
    for (auto& token : tokens) token = static_cast<std::int32_t>(random.below(vocabulary));
    return tokens;
}

/// How often each token is drawn, of 40,000.
std::vector<double> frequencies(const SampleOptions& options, const std::vector<float>& logits)
{
    Sampler sampler(options);
    std::vector<double> counts(logits.size());
    for (int i = 0; i < 40'000; ++i) counts[static_cast<std::size_t>(*sampler.next(logits))] += 1.0 / 40'000;
    return counts;
}

std::string textOf(Generator& generator, const std::string& prompt, const GenerateOptions& options)
{
    std::string text;
    const auto done = generator.generate(prompt, options, [&](std::string_view piece) { text += piece; });
    return done ? text : done.error().toString();
}

} // namespace

class GenerateTest : public QObject
{
    Q_OBJECT

private slots:
    void piecesGiveWhatTheWholeGives_data();
    void piecesGiveWhatTheWholeGives();
    void whatNeedsTheWholeTextIsRefused_data();
    void whatNeedsTheWholeTextIsRefused();
    void idsAndPlacesAreChecked();
    void tokensComeAsOftenAsTheyShould();
    void onlyTheMostLikelyAreDrawn();
    void settingsOutOfTheirRangeAreRefused();
    void charactersComeWhole();
    void aFullContextSlides();
    void theSeedDecides();
    void stopsWhenAsked();
    void whatCannotBeGeneratedFromIsSaid();
};

void GenerateTest::piecesGiveWhatTheWholeGives_data()
{
    QTest::addColumn<QString>("type");
    QTest::addColumn<QString>("params");
    QTest::addColumn<int>("context");
    const QString gpt = QStringLiteral("model.gpt"), lstm = QStringLiteral("model.lstm");
    QTest::newRow("gpt") << gpt << QStringLiteral(R"({"layers": 2, "heads": 4, "width": 32, "context": 100})") << 100;
    QTest::newRow("gpt with more places than it was trained with")
        << gpt << QStringLiteral(R"({"layers": 1, "heads": 1, "width": 16, "context": 200, "dropout": 0.5})") << 90;
    QTest::newRow("lstm") << lstm << QStringLiteral(R"({"layers": 2, "units": 24, "embedding": 8})") << 20;
    QTest::newRow("gru") << lstm << QStringLiteral(R"({"layers": 1, "units": 24, "cell": "gru"})") << 20;
}

void GenerateTest::piecesGiveWhatTheWholeGives()
{
    QFETCH(QString, type);
    QFETCH(QString, params);
    QFETCH(int, context);
    const auto model = tests::languageModel(type.toStdString(), params.toStdString(), 13, context);
    const auto tokens = randomTokens(90, 13);
    const auto whole = tests::wholeLogits(model, tokens);

    auto decoder = Decoder::create(model, tests::catalogue(), {.threads = 1});
    QVERIFY2(decoder, decoder ? "" : decoder.error().toString().c_str());
    QCOMPARE(decoder->places(), type == QStringLiteral("model.gpt") ? context : 0);
    for (int round = 0; round < 2; ++round) { // the second after a reset
        std::size_t at = 0;
        for (const std::size_t count : {1u, 2u, 8u, 75u, 1u, 3u}) { // pieces of 64, 8 and 1
            const auto logits = decoder->read(std::span(tokens).subspan(at, count));
            QVERIFY2(logits, logits ? "" : logits.error().toString().c_str());
            at += count;
            QCOMPARE(decoder->length(), static_cast<std::int64_t>(at));
            for (std::size_t i = 0; i < 13; ++i) {
                const float difference = std::abs((*logits)[i] - whole[13 * (at - 1) + i]);
                QVERIFY2(difference < 1e-5f, qPrintable(QStringLiteral("%1 after %2").arg(difference).arg(at)));
            }
        }
        QVERIFY(decoder->reset().has_value());
    }
}

void GenerateTest::whatNeedsTheWholeTextIsRefused_data()
{
    QTest::addColumn<QString>("layer");
    QTest::addColumn<QString>("refused");
    QTest::newRow("attention that sees what comes")
        << QStringLiteral(R"("type": "layer.attention", "params": {"heads": 1, "causal": false})")
        << QStringLiteral("middle");
    QTest::newRow("statistics over the steps")
        << QStringLiteral(R"("type": "layer.group_norm", "params": {"groups": 1})") << QStringLiteral("middle");
    QTest::newRow("nothing") << QStringLiteral(R"("type": "layer.layer_norm")") << QString();
}

void GenerateTest::whatNeedsTheWholeTextIsRefused()
{
    QFETCH(QString, layer);
    QFETCH(QString, refused);
    const auto model = tests::modelOfLayers(R"({"nodes": [{"id": "in", "type": "layer.input"},
        {"id": "table", "type": "layer.embedding", "params": {"width": 8}}, {"id": "middle", )" +
                                                layer.toStdString() +
                                                R"(}, {"id": "answer", "type": "layer.dense"},
        {"id": "out", "type": "layer.output"}], "links": [["in.out", "table.in"], ["table.out", "middle.in"],
        ["middle.out", "answer.in"], ["answer.out", "out.in"]]})",
                                            5, 6);
    const auto decoder = Decoder::create(model, tests::catalogue(), {.threads = 1});
    QCOMPARE(static_cast<bool>(decoder), refused.isEmpty());
    if (decoder) return;
    QCOMPARE(decoder.error().code, Code::Unsupported);
    QCOMPARE(QString::fromStdString(decoder.error().subject.node), refused);
}

void GenerateTest::idsAndPlacesAreChecked()
{
    const auto model = tests::languageModel("model.gpt", R"({"size": "nano", "layers": 1, "context": 4})", 5, 4);
    auto decoder = Decoder::create(model, tests::catalogue(), {.threads = 1});
    QVERIFY(decoder);
    const std::vector<std::int32_t> outside{1, 5}, negative{-1}, tooMany{1, 2, 3, 4, 0};
    for (const auto& tokens : {outside, negative, tooMany}) {
        const auto logits = decoder->read(tokens);
        QVERIFY(!logits);
        QCOMPARE(logits.error().code, Code::InvalidArgument);
        QCOMPARE(decoder->length(), 0);
    }
}

void GenerateTest::tokensComeAsOftenAsTheyShould()
{
    const std::vector<float> logits{0.5f, -1.0f, 2.0f, 0.0f};
    for (const double temperature : {0.5, 1.0, 3.0}) {
        double sum = 0;
        for (const float logit : logits) sum += std::exp(static_cast<double>(logit) / temperature);
        const auto drawn = frequencies({temperature, 0, 1, 11}, logits);
        const auto stated = Sampler({temperature, 0, 1, 11}).probabilities(logits);
        for (std::size_t i = 0; i < logits.size(); ++i) {
            const double expected = std::exp(static_cast<double>(logits[i]) / temperature) / sum;
            QVERIFY(std::abs(stated[i] - expected) < 1e-12);
            QVERIFY2(std::abs(drawn[i] - expected) < 0.01, qPrintable(QString::number(drawn[i] - expected)));
        }
    }
}

void GenerateTest::onlyTheMostLikelyAreDrawn()
{
    // probabilities 0.1, 0.4, 0.3, 0.2
    const std::vector<float> logits{std::log(0.1f), std::log(0.4f), std::log(0.3f), std::log(0.2f)};
    const auto close = [](const std::vector<double>& a, const std::vector<double>& b) {
        for (std::size_t i = 0; i < a.size(); ++i)
            if (std::abs(a[i] - b[i]) > 1e-6) return false;
        return a.size() == b.size();
    };
    const auto probabilities = [&](const SampleOptions& options) { return Sampler(options).probabilities(logits); };
    QVERIFY(close(probabilities({0, 0, 1, 0}), {0, 1, 0, 0}));
    QVERIFY(close(probabilities({1, 2, 1, 0}), {0, 4.0 / 7, 3.0 / 7, 0}));
    QVERIFY(close(probabilities({1, 9, 1, 0}), {0.1, 0.4, 0.3, 0.2}));
    QVERIFY(close(probabilities({1, 0, 0.3, 0}), {0, 1, 0, 0})); // the smallest set that has it: one token
    QVERIFY(close(probabilities({1, 0, 0.65, 0}), {0, 4.0 / 7, 3.0 / 7, 0}));
    QVERIFY(close(probabilities({1, 0, 0.75, 0}), {0, 4.0 / 9, 3.0 / 9, 2.0 / 9}));
    QVERIFY(close(probabilities({1, 2, 0.5, 0}), {0, 1, 0, 0})); // top-p of what top-k has left: 4/7
    const auto drawn = frequencies({1, 0, 0.75, 5}, logits);
    QCOMPARE(drawn[0], 0.0);
    QVERIFY(std::abs(drawn[3] - 2.0 / 9) < 0.01);
    const std::vector<float> equal(6, 1.0f); // ties by id
    QVERIFY(close(Sampler({1, 2, 1, 0}).probabilities(equal), {0.5, 0.5, 0, 0, 0, 0}));
    QVERIFY(!Sampler({1, 0, 1, 0}).next(std::vector<float>{0.0f, NAN}));
}

void GenerateTest::settingsOutOfTheirRangeAreRefused()
{
    QVERIFY(GenerateOptions().check());
    for (const SampleOptions& wrong :
         {SampleOptions{-0.1, 0, 1, 0}, SampleOptions{NAN, 0, 1, 0}, SampleOptions{1, -1, 1, 0},
          SampleOptions{1, 0, 0, 0}, SampleOptions{1, 0, 2, 0}})
        QVERIFY(!wrong.check());
    QVERIFY(!(GenerateOptions{0, {}}.check()));
}

void GenerateTest::charactersComeWhole()
{
    auto generator = Generator::create(tests::reciter("\xC3\xA9"), tests::catalogue(), {.threads = 1}); // é
    QVERIFY2(generator, generator ? "" : generator.error().toString().c_str());
    std::vector<std::string> pieces;
    const GenerateOptions greedy{5, {0, 0, 1, 0}};
    const auto done =
        generator->generate("\xC3\xA9", greedy, [&](std::string_view piece) { pieces.emplace_back(piece); });
    QVERIFY(done);
    QCOMPARE(done->promptTokens, 2);
    QCOMPARE(done->tokens, 5);
    QVERIFY(!done->stopped);
    QCOMPARE(pieces,
             (std::vector<std::string>{"\xC3\xA9", "\xC3\xA9", "\xC3"})); // what is left at the end comes as it is

    generator = Generator::create(tests::reciter("a\x80\xE2\x82\xAC"), tests::catalogue(), {.threads = 1}); // a, no character, €
    pieces.clear();
    QVERIFY(generator->generate("a", greedy, [&](std::string_view piece) { pieces.emplace_back(piece); }));
    QCOMPARE(pieces, (std::vector<std::string>{"\x80", "\xE2\x82\xAC", "a"}));
}

void GenerateTest::aFullContextSlides()
{
    auto model = tests::languageModel("model.gpt", R"({"size": "nano", "layers": 1, "context": 8})", 256, 8);
    model.preprocessing.steps.push_back(data::Tokenizer::bytes().toJson());
    auto generator = Generator::create(model, tests::catalogue(), {.threads = 1});
    QVERIFY(generator);
    const std::string prompt = "a prompt of more than eight bytes";
    const GenerateOptions greedy{20, {0, 0, 1, 0}};
    const std::string text = textOf(*generator, prompt, greedy);

    // by hand: each time from the whole window, which begins anew with its last four when eight are full
    auto all = *data::Tokenizer::bytes().encode(prompt);
    std::vector<std::int32_t> window(all.end() - 8, all.end()), drawn;
    while (drawn.size() < 20) {
        const auto logits = tests::wholeLogits(model, window);
        const auto last = logits.end() - 256;
        drawn.push_back(static_cast<std::int32_t>(std::max_element(last, logits.end()) - last));
        window.push_back(drawn.back());
        if (window.size() > 8) window.erase(window.begin(), window.end() - 4);
    }
    QCOMPARE(text, *data::Tokenizer::bytes().decode(drawn));
}

void GenerateTest::theSeedDecides()
{
    auto model = tests::languageModel("model.lstm", R"({"units": 16})", 256, 8);
    model.preprocessing.steps.push_back(data::Tokenizer::bytes().toJson());
    auto generator = Generator::create(model, tests::catalogue(), {.threads = 1});
    auto other = Generator::create(model, tests::catalogue(), {.threads = 1});
    QVERIFY(generator && other);
    const GenerateOptions one{60, {1, 50, 0.9, 1}}, two{60, {1, 50, 0.9, 2}};
    const std::string text = textOf(*generator, "once", one);
    QVERIFY(textOf(*generator, "once", two) != text);
    QCOMPARE(textOf(*generator, "once", one), text); // nothing is left of what was generated before
    QCOMPARE(textOf(*other, "once", one), text);
}

void GenerateTest::stopsWhenAsked()
{
    auto generator = Generator::create(tests::reciter("abcdef"), tests::catalogue(), {.threads = 1});
    std::stop_source stop;
    std::string text;
    const auto done = generator->generate(
        "a", {1000, {0, 0, 1, 0}},
        [&](std::string_view piece) {
            text += piece;
            if (text.size() == 3) stop.request_stop();
        },
        stop.get_token());
    QVERIFY(done);
    QVERIFY(done->stopped);
    QCOMPARE(done->tokens, 3);
    QCOMPARE(text, std::string("bcd"));
}

void GenerateTest::whatCannotBeGeneratedFromIsSaid()
{
    auto generator = Generator::create(tests::reciter("ab"), tests::catalogue(), {.threads = 1});
    QVERIFY(generator);
    const auto ignore = [](std::string_view) {};
    QVERIFY(!generator->generate("", {}, ignore));
    auto model = tests::languageModel("model.lstm", R"({"units": 4})", 2, 8);
    QVERIFY(!Generator::create(model, tests::catalogue(), {.threads = 1})); // no tokenizer
    model.preprocessing.steps.push_back(data::Tokenizer::characters("abc")->toJson());
    QVERIFY(!Generator::create(model, tests::catalogue(), {.threads = 1})); // one token more than the model takes
    model.preprocessing.steps = nlohmann::json::array({data::Tokenizer::characters("ab")->toJson()});
    generator = Generator::create(model, tests::catalogue(), {.threads = 1});
    QVERIFY(generator);
    QVERIFY(!generator->generate("abc", {}, ignore));
    model.tensors.pop_back();
    const auto broken = Generator::create(model, tests::catalogue(), {.threads = 1});
    QVERIFY(!broken);
    QCOMPARE(broken.error().code, Code::InvalidFormat);
}

QTEST_GUILESS_MAIN(GenerateTest)
#include "generate_test.moc"
