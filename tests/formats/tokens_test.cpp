// Tokens in the stage cache: back as they were, and refused where ids and tokenizer do not fit.
#include "engine/data/text.h"
#include "engine/formats/token_files.h"

#include <QtTest>

using namespace millrace;

class TokensTest : public QObject
{
    Q_OBJECT

private slots:
    void comeBack();
    void refusesWhatDoesNotFit();
};

void TokensTest::comeBack()
{
    for (const char* tokenizer : {"byte", "char", "bpe"}) {
        const std::string text = "one, two, one, two, \xFF";
        const auto tokens = data::readText(data::openMemory(text, "text"), {tokenizer, 300, {}, {}}, "text");
        QVERIFY(tokens);
        const auto files = formats::toFiles(*tokens, "tokens");
        QVERIFY(files);
        QCOMPARE(files->size(), 2u);
        const auto again = formats::tokensFromFiles(*files, "tokens");
        QVERIFY(again);
        QVERIFY(again->ids == tokens->ids && again->schema == tokens->schema);
        QVERIFY(again->tokenizer == tokens->tokenizer && again->notes == tokens->notes);
    }
}

void TokensTest::refusesWhatDoesNotFit()
{
    auto tokens = data::readText(data::openMemory("abc", "text"), {}, "text").value();
    tokens.ids[1] = 3; // the characters are 0, 1 and 2
    const auto outside = formats::tokensFromFiles(*formats::toFiles(tokens, "tokens"), "tokens");
    QVERIFY(!outside);
    QCOMPARE(outside.error().code, Code::InvalidFormat);
    tokens.ids[1] = 1;
    tokens.schema.vocabulary = 4;
    QVERIFY(!formats::tokensFromFiles(*formats::toFiles(tokens, "tokens"), "tokens"));
    tokens.schema.vocabulary = 3;
    tokens.schema.rows = 2;
    QVERIFY(!formats::tokensFromFiles(*formats::toFiles(tokens, "tokens"), "tokens"));
    QVERIFY(!formats::tokensFromFiles({}, "tokens"));
}

QTEST_APPLESS_MAIN(TokensTest)
#include "tokens_test.moc"
