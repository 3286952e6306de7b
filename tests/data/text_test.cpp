// Texts as tokens: the division into pieces, the tokenizers, their files, and the node data.text (row B9 of the
// catalogue of faults). What byte-level BPE must give stands in text/, written by text/make.py with the tokenizers
// package.
#include "engine/data/data.h"
#include "engine/data/text.h"
#include "engine/data/tokenizer_files.h"
#include "engine/data/tokenizer_scheme.h"
#include "engine/data/tokenizer_train.h"
#include "kernels/base/files.h"
#include "kernels/base/text.h"

#include <QTemporaryDir>
#include <QtTest>
#include <sys/stat.h>

using namespace millrace;
using namespace millrace::data;

namespace {
using Ids = std::vector<std::int32_t>;

std::string fileText(const char* name)
{
    return readFile(str(MILLRACE_TEST_DATA "/text/", name), 1u << 20).value();
}

Result<Tokenizer> fromFiles(const std::string& vocab, const std::string& merges)
{
    return gpt2Tokenizer(vocab, "vocab.json", merges, "merges.txt");
}

/// The bytes as a small vocabulary and its merges: every byte a token, then the joint of "a" and "b".
std::string smallVocab(const std::string& last = "ab")
{
    nlohmann::json vocab;
    for (const char byte : bytesByLetter()) vocab[lettersOf({&byte, 1})] = vocab.size();
    vocab[last] = 256;
    return vocab.dump();
}

std::vector<std::string> pieces(std::string_view text)
{
    std::vector<std::string> all;
    while (!text.empty()) {
        all.emplace_back(text.substr(0, firstPiece(text, true)));
        text.remove_prefix(all.back().size());
    }
    return all;
}

/// The ids of the text when it arrives in parts of so many bytes.
Ids streamed(const Tokenizer& tokenizer, std::string_view text, std::size_t partBytes)
{
    Ids ids;
    TokenStream stream(tokenizer, ids);
    for (std::size_t at = 0; at < text.size(); at += partBytes)
        if (!stream.add(text.substr(at, partBytes))) return {};
    if (!stream.finish()) return {};
    return ids;
}

Tokenizer trained(std::string_view text, std::int64_t vocabulary)
{
    PieceCounter counter;
    if (!counter.add(text) || !counter.finish()) qFatal("the text cannot be counted");
    return trainBpe(counter, vocabulary).value();
}

/// So many times the same byte, without ever holding them.
OpenBytes endless(char byte, std::size_t count)
{
    return [=]() -> Result<ReadBytes> {
        return ReadBytes([byte, rest = count](char* buffer, std::size_t size) mutable -> Result<std::size_t> {
            const std::size_t now = std::min(size, rest);
            std::fill_n(buffer, now, byte);
            rest -= now;
            return now;
        });
    };
}
} // namespace

class TextTest : public QObject
{
    Q_OBJECT

private slots:
    void dividesAsGpt2_data();
    void dividesAsGpt2();
    void bytesAreTokens();
    void charactersAreTokens();
    void brokenUtf8IsReplacedAndCounted_data();
    void brokenUtf8IsReplacedAndCounted();
    void trainsTheMergesOfTheOracle();
    void encodesAsTheOracle();
    void divisionDoesNotMatter();
    void anyBytesComeBack();
    void survivesJson();
    void refusesWrongJson_data();
    void refusesWrongJson();
    void refusesWrongFiles_data();
    void refusesWrongFiles();
    void endlessLinesAreRead();
    void nodeGivesTokens_data();
    void nodeGivesTokens();
    void nodeReadsGpt2Files();
    void nodeRefuses_data();
    void nodeRefuses();

private:
    std::string write(const std::string& name, std::string_view bytes)
    {
        const std::string path = m_folder.filePath(QString::fromStdString(name)).toStdString();
        if (!durableReplace(path, bytes)) qFatal("the test's folder cannot be written");
        return name;
    }
    pipeline::Node node(std::initializer_list<std::pair<const char*, pipeline::Json>> params) const
    {
        pipeline::Node result;
        result.id = "text";
        result.type = "data.text";
        for (const auto& [name, value] : params) result.params[name] = value;
        return result;
    }
    const pipeline::NodeSpec& spec() const { return *m_catalogue.find("data.text"); }
    Folders folders() const { return {m_folder.path().toStdString(), {}}; }

    pipeline::Catalogue m_catalogue = pipeline::Catalogue::create();
    QTemporaryDir m_folder;
};

void TextTest::dividesAsGpt2_data()
{
    QTest::addColumn<QString>("text");
    QTest::addColumn<QStringList>("expected");
    const auto row = [](const char* name, const char* text, std::initializer_list<const char*> expected) {
        QStringList list;
        for (const char* piece : expected) list << QString::fromUtf8(piece);
        QTest::newRow(name) << QString::fromUtf8(text) << list;
    };
    row("words", "Hello world", {"Hello", " world"});
    row("contractions", "it's we'll 'S", {"it", "'s", " we", "'ll", " '", "S"});
    row("numbers and letters", "12ab 3", {"12", "ab", " 3"});
    row("the last space belongs to the word", "a   b", {"a", "  ", " b"});
    row("spaces at the end", "a   ", {"a", "   "});
    row("lines", "a\n\nb", {"a", "\n", "\n", "b"});
    row("a space before a line", "a \nb", {"a", " ", "\n", "b"});
    row("signs", "a -- (b)!", {"a", " --", " (", "b", ")!"});
    row("letters of all scripts", "naïve Straße 日本語", {"naïve", " Straße", " 日本語"});
    row("numbers of all scripts", "½x ٣٤", {"½", "x", " ٣٤"});
    row("other spaces", "a\u00A0\u3000b", {"a", "\u00A0", "\u3000", "b"});
}

void TextTest::dividesAsGpt2()
{
    QFETCH(QString, text);
    QFETCH(QStringList, expected);
    QStringList found;
    for (const std::string& piece : pieces(text.toStdString())) found << QString::fromStdString(piece);
    QCOMPARE(found, expected);
}

void TextTest::bytesAreTokens()
{
    const Tokenizer tokenizer = Tokenizer::bytes();
    QCOMPARE(tokenizer.vocabulary(), 256);
    QCOMPARE(*tokenizer.encode({"a\0\xFF", 3}), (Ids{97, 0, 255}));
    QCOMPARE(*tokenizer.decode(Ids{97, 0, 255}), std::string("a\0\xFF", 3));
    const auto refused = tokenizer.decode(Ids{256});
    QVERIFY(!refused && refused.error().code == Code::InvalidArgument);
    QVERIFY(!tokenizer.decode(Ids{-1}));
}

void TextTest::charactersAreTokens()
{
    const auto tokenizer = Tokenizer::characters("cab\nä😀 b");
    QVERIFY(tokenizer);
    QCOMPARE(tokenizer->vocabulary(), 7); // \n, space, a, b, c, ä, 😀
    QCOMPARE(*tokenizer->encode("😀ab ä"), (Ids{6, 2, 3, 1, 5}));
    QCOMPARE(*tokenizer->decode(Ids{6, 4}), std::string("😀c"));
    const auto unknown = tokenizer->encode("abx");
    QVERIFY(!unknown);
    QCOMPARE(unknown.error().message, std::string("The character \"x\" is not among the 7 that the tokenizer knows."));
    QVERIFY(!Tokenizer::characters(""));
}

void TextTest::brokenUtf8IsReplacedAndCounted_data()
{
    QTest::addColumn<QByteArray>("bytes");
    QTest::addColumn<int>("replaced");
    QTest::newRow("none") << QByteArray("ä€😀") << 0;
    QTest::newRow("a lone continuation") << QByteArray("a\x80z") << 1;
    QTest::newRow("cut at the end") << QByteArray("a\xE2\x82") << 2;
    QTest::newRow("cut by another") << QByteArray("\xC3z") << 1;
    QTest::newRow("overlong") << QByteArray("\xC0\xAF") << 2;
    QTest::newRow("surrogate") << QByteArray("\xED\xA0\x80") << 3;
    QTest::newRow("over U+10FFFF") << QByteArray("\xF4\x90\x80\x80") << 4;
    QTest::newRow("Latin-1") << QByteArray("caf\xE9") << 1;
}

void TextTest::brokenUtf8IsReplacedAndCounted()
{
    QFETCH(QByteArray, bytes);
    QFETCH(int, replaced);
    const std::string text = bytes.toStdString();
    const auto set = readText(openMemory(text, "t"), {}, "t");
    QVERIFY(set);
    QCOMPARE(set->notes.size(), replaced > 0 ? 1u : 0u);
    if (replaced > 0) {
        QVERIFY2(set->notes[0].starts_with(str(replaced, replaced == 1 ? " byte is" : " bytes are", " not UTF-8")),
                 set->notes[0].c_str());
        const std::string back = *Tokenizer::fromJson(set->tokenizer)->decode(set->ids);
        QVERIFY(isUtf8(back) && back.find("\uFFFD") != std::string::npos);
    }
    // bytes and pairs of bytes lose nothing
    const auto exact = readText(openMemory(text, "t"), {"bpe", 300, {}, {}}, "t");
    QCOMPARE(*Tokenizer::fromJson(exact->tokenizer)->decode(exact->ids), text);
}

void TextTest::trainsTheMergesOfTheOracle()
{
    const auto oracle = fromFiles(fileText("vocab.json"), fileText("merges.txt"));
    QVERIFY2(oracle, oracle ? "" : oracle.error().toString().c_str());
    const Tokenizer ours = trained(fileText("sample.txt"), 700); // no pair occurs twice after 535
    QCOMPARE(ours.vocabulary(), oracle->vocabulary());
    QVERIFY(ours.toJson() == oracle->toJson());
    // bytes that never stand together twice
    QCOMPARE(trained("abcdefgh", 400).vocabulary(), 256);
    QVERIFY(!trainBpe(PieceCounter(), 255));
}

void TextTest::encodesAsTheOracle()
{
    const auto tokenizer = fromFiles(fileText("vocab.json"), fileText("merges.txt"));
    const auto cases = nlohmann::json::parse(fileText("cases.json"));
    QVERIFY(tokenizer && cases.size() > 20);
    for (const auto& each : cases) {
        const auto text = each.at("text").get<std::string>();
        const auto ids = tokenizer->encode(text);
        QVERIFY2(ids && *ids == each.at("ids").get<Ids>(), text.c_str());
        QCOMPARE(*tokenizer->decode(*ids), text);
    }
}

void TextTest::divisionDoesNotMatter()
{
    const std::string text = fileText("sample.txt").substr(0, 6000);
    const auto bpe = fromFiles(fileText("vocab.json"), fileText("merges.txt"));
    for (const Tokenizer& tokenizer : {Tokenizer::bytes(), *Tokenizer::characters(text), *bpe}) {
        const Ids whole = *tokenizer.encode(text);
        for (const std::size_t bytes : {1u, 2u, 3u, 7u, 1000u}) QVERIFY(streamed(tokenizer, text, bytes) == whole);
    }
    // a piece longer than any part is cut where it would be cut anyway
    const std::string longPiece = std::string(200'000, 'a') + std::string(150'000, ' ') + "b";
    QVERIFY(streamed(*bpe, longPiece, 1000) == *bpe->encode(longPiece));
    QVERIFY(streamed(*bpe, longPiece, 65'536) == *bpe->encode(longPiece));
}

void TextTest::anyBytesComeBack()
{
    std::string bytes;
    for (int i = 0; i < 3000; ++i) bytes += static_cast<char>(i * 7919 >> 3);
    const auto bpe = fromFiles(fileText("vocab.json"), fileText("merges.txt"));
    for (const Tokenizer& tokenizer : {Tokenizer::bytes(), *bpe, trained(bytes, 500)})
        QCOMPARE(*tokenizer.decode(*tokenizer.encode(bytes)), bytes);
}

void TextTest::survivesJson()
{
    const std::string text = fileText("sample.txt");
    for (const Tokenizer& tokenizer : {Tokenizer::bytes(), *Tokenizer::characters(text), trained(text, 300)}) {
        const auto again = Tokenizer::fromJson(nlohmann::json::parse(tokenizer.toJson().dump()));
        QVERIFY(again);
        QVERIFY(*again->encode(text) == *tokenizer.encode(text));
        QVERIFY(again->toJson() == tokenizer.toJson());
        QCOMPARE(again->toJson().at("kind").get<std::string>(), std::string("tokenize"));
    }
}

void TextTest::refusesWrongJson_data()
{
    QTest::addColumn<QByteArray>("json");
    QTest::addColumn<QByteArray>("expected");
    QTest::newRow("no object") << QByteArray("[]") << QByteArray("does not say of which kind");
    QTest::newRow("no kind") << QByteArray("{\"tokenizer\": 3}") << QByteArray("does not say of which kind");
    QTest::newRow("unknown") << QByteArray("{\"tokenizer\": \"word\"}") << QByteArray("\"word\" is not byte");
    QTest::newRow("no characters") << QByteArray("{\"tokenizer\": \"char\"}") << QByteArray("names no characters");
    QTest::newRow("order") << QByteArray(R"({"kind": "tokenize", "tokenizer": "char", "characters": "ba"})")
                           << QByteArray("not in the order");
    QTest::newRow("no merges") << QByteArray("{\"tokenizer\": \"bpe\", \"tokens\": []}") << QByteArray("one of merges");
    QTest::newRow("no bytes") << QByteArray(R"({"tokenizer": "bpe", "tokens": ["a"], "merges": []})")
                              << QByteArray("the byte 0 has no token");
    QTest::newRow("foreign letter") << QByteArray(R"({"tokenizer": "bpe", "tokens": ["日"], "merges": []})")
                                    << QByteArray("stands for no byte");
    QTest::newRow("wrong pair") << QByteArray(R"({"tokenizer": "bpe", "tokens": ["a"], "merges": [[0, 1]]})")
                                << QByteArray("merge 0 is no pair");
}

void TextTest::refusesWrongJson()
{
    QFETCH(QByteArray, json);
    QFETCH(QByteArray, expected);
    const auto tokenizer = Tokenizer::fromJson(nlohmann::json::parse(json.toStdString()));
    QVERIFY(!tokenizer);
    QCOMPARE(tokenizer.error().code, Code::InvalidFormat);
    QVERIFY2(tokenizer.error().message.find(expected.toStdString()) != std::string::npos,
             tokenizer.error().message.c_str());
}

void TextTest::refusesWrongFiles_data()
{
    QTest::addColumn<QByteArray>("vocab");
    QTest::addColumn<QByteArray>("merges");
    QTest::addColumn<QByteArray>("expected");
    const auto small = QByteArray::fromStdString(smallVocab());
    QTest::newRow("no JSON") << QByteArray("{") << QByteArray() << QByteArray("vocab.json: ");
    QTest::newRow("a list") << QByteArray("[1]") << QByteArray() << QByteArray("not a JSON object");
    QTest::newRow("number too large") << QByteArray("{\"a\": 1}") << QByteArray() << QByteArray("\"a\" is 1; 0 to 0");
    QTest::newRow("no number") << QByteArray("{\"a\": \"0\"}") << QByteArray() << QByteArray("\"a\" is \"0\"");
    QTest::newRow("twice") << QByteArray("{\"a\": 0, \"b\": 0}") << QByteArray() << QByteArray("two tokens have");
    QTest::newRow("bytes missing") << QByteArray("{\"a\": 0}") << QByteArray() << QByteArray("the byte 0 has no token");
    QTest::newRow("one word a line") << small << QByteArray("#version: 0.2\nab\n") << QByteArray("merges.txt, line 2");
    QTest::newRow("three words") << small << QByteArray("a b c\n") << QByteArray("merges.txt, line 1");
    QTest::newRow("unknown part") << small << QByteArray("a b\nab cd\n") << QByteArray("merges.txt, line 2");
    QTest::newRow("unknown joint") << small << QByteArray("a c\n") << QByteArray("makes \"ac\"");
    QTest::newRow("merge twice") << small << QByteArray("a b\r\na b\r\n") << QByteArray("was there before");
}

void TextTest::refusesWrongFiles()
{
    QFETCH(QByteArray, vocab);
    QFETCH(QByteArray, merges);
    QFETCH(QByteArray, expected);
    const auto tokenizer = fromFiles(vocab.toStdString(), merges.toStdString());
    QVERIFY(!tokenizer);
    const std::string text = tokenizer.error().toString();
    QVERIFY2(text.find(expected.toStdString()) != std::string::npos, text.c_str());

    const auto right = fromFiles(smallVocab(), "#version: 0.2\na b\n");
    QVERIFY(right);
    QCOMPARE(*right->encode("ab"), Ids{256});
    // a token that no merge makes is read, but not written
    const auto special = fromFiles(smallVocab("<|end|>"), "");
    QVERIFY(special);
    QCOMPARE(special->encode("<|end|>")->size(), 7u);
    QCOMPARE(*special->decode(Ids{256}), std::string("<|end|>"));
}

void TextTest::endlessLinesAreRead()
{
    constexpr std::size_t kBytes = 4u << 20;
    for (const char byte : {'a', ' ', '\x80'}) {
        const auto set = readText(endless(byte, kBytes), {"bpe", 400, {}, {}}, "endless");
        QVERIFY(set);
        QVERIFY(set->ids.size() < kBytes / 1000); // pairs of pairs of pairs …
        std::size_t bytes = 0;
        const auto tokenizer = Tokenizer::fromJson(set->tokenizer);
        for (const std::int32_t id : set->ids) bytes += tokenizer->scheme().bytesOf(id).size();
        QCOMPARE(bytes, kBytes);
    }
}

void TextTest::nodeGivesTokens_data()
{
    QTest::addColumn<QString>("tokenizer");
    QTest::addColumn<QByteArray>("file");
    QTest::addColumn<int>("vocabulary");
    QTest::addColumn<QByteArray>("text");
    const QByteArray plain("to be, or not to be\n");
    QTest::newRow("bytes") << "byte" << plain << 256 << plain;
    QTest::newRow("characters") << "char" << plain << 9 << plain;
    QTest::newRow("pairs") << "bpe" << plain << 0 << plain;
    QTest::newRow("mark") << "char" << QByteArray("\xEF\xBB\xBF") + plain << 9 << plain;
    QTest::newRow("UTF-16") << "char" << QByteArray("\xFF\xFE\x61\x00\xE4\x00", 6) << 2 << QByteArray("aä");
}

void TextTest::nodeGivesTokens()
{
    QFETCH(QString, tokenizer);
    QFETCH(QByteArray, file);
    QFETCH(int, vocabulary);
    QFETCH(QByteArray, text);
    const auto text2 = node({{"path", write("text.txt", file.toStdString())}, {"tokenizer", tokenizer.toStdString()}});
    const auto set = loadTokens(text2, spec(), folders());
    QVERIFY2(set, set ? "" : set.error().toString().c_str());
    if (tokenizer != QLatin1String("bpe")) QCOMPARE(set->schema.vocabulary, vocabulary);
    QCOMPARE(set->schema.rows, static_cast<std::int64_t>(set->ids.size()));
    QCOMPARE(set->schema.target, pipeline::TargetKind::NextToken);
    QVERIFY(std::all_of(set->ids.begin(), set->ids.end(), [&](auto id) { return id < set->schema.vocabulary; }));
    const auto used = Tokenizer::fromJson(set->tokenizer);
    QCOMPARE(*used->decode(set->ids), text.toStdString());
    const auto schema = inspect(text2, spec(), folders());
    QVERIFY(schema);
    if (tokenizer != QLatin1String("bpe"))
        QVERIFY(*schema == set->schema);
    else
        QCOMPARE(schema->vocabulary, 1024); // what is asked for
    const auto hash = contentHash(text2, spec(), folders());
    write("text.txt", file.toStdString() + "x");
    QVERIFY(hash && *contentHash(text2, spec(), folders()) != *hash);
}

void TextTest::nodeReadsGpt2Files()
{
    write("text.txt", fileText("sample.txt"));
    write("vocab.json", fileText("vocab.json"));
    write("merges.txt", fileText("merges.txt"));
    const auto text =
        node({{"path", "text.txt"}, {"tokenizer", "gpt2"}, {"vocab", "vocab.json"}, {"merges", "merges.txt"}});
    const auto set = loadTokens(text, spec(), folders());
    QVERIFY2(set, set ? "" : set.error().toString().c_str());
    QCOMPARE(set->schema.vocabulary, 535);
    QVERIFY(*inspect(text, spec(), folders()) == set->schema);
    const auto hash = contentHash(text, spec(), folders());
    write("merges.txt", "");
    QVERIFY(hash && *contentHash(text, spec(), folders()) != *hash);
    const auto other = loadTokens(text, spec(), folders());
    QVERIFY(other && other->ids.size() > set->ids.size());
}

void TextTest::nodeRefuses_data()
{
    QTest::addColumn<QString>("tokenizer");
    QTest::addColumn<QString>("path");
    QTest::addColumn<Code>("code");
    QTest::addColumn<QString>("parameter");
    QTest::newRow("nothing there") << "char"
                                   << "nowhere.txt" << Code::NotFound << "path";
    QTest::newRow("empty") << "char"
                           << "empty.txt" << Code::InvalidArgument << "path";
    QTest::newRow("empty bytes") << "byte"
                                 << "empty.txt" << Code::InvalidArgument << "path";
    QTest::newRow("FIFO") << "char"
                          << "fifo" << Code::InvalidFormat << "path";
    QTest::newRow("folder") << "char"
                            << "." << Code::InvalidFormat << "path";
    QTest::newRow("half a UTF-16 character") << "char"
                                             << "half.txt" << Code::InvalidFormat << "path";
    QTest::newRow("bad vocabulary") << "gpt2"
                                    << "text.txt" << Code::InvalidFormat << "vocab";
}

void TextTest::nodeRefuses()
{
    QFETCH(QString, tokenizer);
    QFETCH(QString, path);
    QFETCH(Code, code);
    QFETCH(QString, parameter);
    write("empty.txt", "");
    write("text.txt", "text");
    write("half.txt", {"\xFF\xFE\x61\x00\x62", 5});
    write("vocab.json", "{}");
    write("merges.txt", "");
    ::mkfifo(m_folder.filePath(QStringLiteral("fifo")).toLocal8Bit().constData(), 0600);
    const auto text = node({{"path", path.toStdString()},
                            {"tokenizer", tokenizer.toStdString()},
                            {"vocab", "vocab.json"},
                            {"merges", "merges.txt"}});
    const auto set = loadTokens(text, spec(), folders());
    QVERIFY(!set);
    QCOMPARE(set.error().code, code);
    QCOMPARE(set.error().subject.node, std::string("text"));
    QCOMPARE(set.error().subject.parameter, parameter.toStdString());
    QVERIFY(!inspect(text, spec(), folders()));
}

QTEST_APPLESS_MAIN(TextTest)
#include "text_test.moc"
