// Sampling, cleaning and encoding: exactly the rows and values they promise, fitted on one part alone, the same for
// rows on disk, and the same again for a raw row that a model is asked about.
#include "engine/data/clean.h"
#include "engine/data/csv.h"
#include "engine/data/encode.h"
#include "engine/data/fit.h"
#include "engine/data/recode.h"
#include "engine/data/sample.h"
#include "engine/data/shard_writer.h"
#include "engine/data/stored_rows.h"
#include "kernels/base/text.h"

#include <QTemporaryDir>
#include <QtTest>
#include <algorithm>
#include <cmath>
#include <cstring>

using namespace millrace;
using namespace millrace::data;

namespace {
const float kLost = std::nanf("");

Dataset classRows(const std::vector<int>& counts)
{
    Dataset rows;
    rows.schema.features = Shape{1};
    rows.schema.target = pipeline::TargetKind::Classes;
    for (std::size_t c = 0; c < counts.size(); ++c) {
        rows.schema.classes.push_back(str("class ", c));
        for (int i = 0; i < counts[c]; ++i) {
            rows.features.push_back(static_cast<float>(rows.features.size()));
            rows.labels.push_back(static_cast<std::int32_t>(c));
        }
    }
    rows.schema.rows = rows.rows();
    return rows;
}

Dataset table(std::vector<float> features, std::int64_t columns)
{
    Dataset rows;
    rows.schema.features = Shape{columns};
    rows.features = std::move(features);
    rows.schema.rows = rows.rows();
    return rows;
}

Dataset csv(const std::string& text)
{
    auto rows = readCsv(openMemory(text, "t.csv"), {}, "t.csv");
    if (!rows) qFatal("%s", rows.error().toString().c_str());
    return std::move(*rows);
}

bool same(const std::vector<float>& a, const std::vector<float>& b)
{
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](float x, float y) { return x == y || (std::isnan(x) && std::isnan(y)); });
}

bool anyNote(const Dataset& rows, std::string_view part)
{
    return std::any_of(rows.notes.begin(), rows.notes.end(),
                       [&](const std::string& note) { return note.find(part) != std::string::npos; });
}
} // namespace

class PrepareTest : public QObject
{
    Q_OBJECT
private slots:
    void samplesExactly_data();
    void samplesExactly();
    void everyRowIsAsLikely();
    void sampleRefusesWhatItCannotDo();
    void dropsDuplicates();
    void dropsRowsThatLackAValue();
    void fillsByEveryMethod();
    void dropsAndClipsOutliers();
    void fitsOnTheFirstPartAlone();
    void refusesToLeaveNothing();
    void cleansOnDiskAsInMemory();
    void recodesCategories();
    void answersRawRowsAsTrained();

private:
    QTemporaryDir m_folder;
};

void PrepareTest::samplesExactly_data()
{
    QTest::addColumn<int>("method");
    QTest::addColumn<double>("fraction");
    QTest::addColumn<QList<int>>("counts");
    QTest::newRow("all") << 0 << 1.0 << QList<int>{60, 30, 10};
    QTest::newRow("stratified half") << 1 << 0.5 << QList<int>{30, 15, 5};
    QTest::newRow("stratified, rounded") << 1 << 0.33 << QList<int>{20, 10, 3};
    QTest::newRow("balanced") << 2 << 1.0 << QList<int>{10, 10, 10};
    QTest::newRow("balanced half") << 2 << 0.5 << QList<int>{5, 5, 5};
    QTest::newRow("balanced, at least one") << 2 << 0.01 << QList<int>{1, 1, 1};
}

void PrepareTest::samplesExactly()
{
    QFETCH(int, method);
    QFETCH(double, fraction);
    QFETCH(QList<int>, counts);
    const Dataset rows = classRows({60, 30, 10});
    const auto part = sample(rows, fraction, static_cast<SampleMethod>(method), 3);
    QVERIFY2(part, part ? "" : part.error().toString().c_str());
    const auto got = countClasses(*part);
    QVERIFY(got);
    for (std::size_t c = 0; c < 3; ++c) QCOMPARE((*got)[c], counts[static_cast<int>(c)]);
    QVERIFY(std::is_sorted(part->features.begin(), part->features.end())); // the rows' order stays
    const auto again = sample(rows, fraction, static_cast<SampleMethod>(method), 3);
    QVERIFY(again->features == part->features);
}

void PrepareTest::everyRowIsAsLikely()
{
    const Dataset rows = classRows({50, 50});
    std::vector<int> taken(100);
    for (std::uint64_t seed = 0; seed < 1000; ++seed) {
        const auto part = sample(rows, 0.2, SampleMethod::Random, seed);
        QCOMPARE(part->rows(), 20);
        for (const float row : part->features) ++taken[static_cast<std::size_t>(row)];
    }
    // 200 of 1,000 expected, deviation 12.6
    QVERIFY(*std::min_element(taken.begin(), taken.end()) > 140);
    QVERIFY(*std::max_element(taken.begin(), taken.end()) < 260);
}

void PrepareTest::sampleRefusesWhatItCannotDo()
{
    QVERIFY(!sample(classRows({5, 5}), 0, SampleMethod::Random, 1));
    QVERIFY(!sample(classRows({5, 5}), 1.5, SampleMethod::Random, 1));
    QVERIFY(!sample(classRows({5, 5}), kLost, SampleMethod::Random, 1));
    QVERIFY(!sample(classRows({}), 0.5, SampleMethod::Random, 1));
    QVERIFY(!sample(table({1, 2, 3}, 1), 0.5, SampleMethod::Balanced, 1));
}

void PrepareTest::dropsDuplicates()
{
    const Dataset rows = table({1, 2, 3, 4, 1, 2, 5, 6, 3, 4}, 2), test = table({5, 6, 7, 8, 7, 8}, 2);
    const auto parts = clean(rows, &test, {std::nullopt, 0, true});
    QVERIFY2(parts, parts ? "" : parts.error().toString().c_str());
    QCOMPARE(parts->train.features, (std::vector<float>{1, 2, 3, 4, 5, 6}));
    QCOMPARE(parts->test.features, (std::vector<float>{7, 8})); // 5 6 is in the other part
    QVERIFY(anyNote(parts->train, "2 of 5 rows are left out"));
    QVERIFY(anyNote(parts->test, "2 of 3 rows are left out"));
    // rows that differ in their answer alone are not equal
    Dataset labelled = classRows({1, 1});
    labelled.features = {4, 4};
    const auto kept = clean(labelled, nullptr, {std::nullopt, 0, true});
    QVERIFY(kept);
    QCOMPARE(kept->train.rows(), 2);
}

void PrepareTest::dropsRowsThatLackAValue()
{
    const auto parts = clean(table({1, 2, kLost, 4, 5, 6, 7, kLost}, 2), nullptr, {std::nullopt});
    QVERIFY(parts);
    QCOMPARE(parts->train.features, (std::vector<float>{1, 2, 5, 6}));
    QVERIFY(anyNote(parts->train, "2 of 4 rows are left out: they lack a value."));
}

void PrepareTest::fillsByEveryMethod()
{
    const Dataset rows = table({1, kLost, 2, 9, 6, kLost, 1, 9, kLost, 3}, 2);
    const auto filledBy = [&](FillMethod method) { return clean(rows, nullptr, {method, -7})->train.features; };
    QCOMPARE(filledBy(FillMethod::Mean), (std::vector<float>{1, 7, 2, 9, 6, 7, 1, 9, 2.5F, 3}));
    QCOMPARE(filledBy(FillMethod::Median), (std::vector<float>{1, 9, 2, 9, 6, 9, 1, 9, 1.5F, 3}));
    QCOMPARE(filledBy(FillMethod::Mode), (std::vector<float>{1, 9, 2, 9, 6, 9, 1, 9, 1, 3}));
    QCOMPARE(filledBy(FillMethod::Constant), (std::vector<float>{1, -7, 2, 9, 6, -7, 1, 9, -7, 3}));
}

void PrepareTest::dropsAndClipsOutliers()
{
    std::vector<float> values(20, 0);
    values[7] = 100; // mean 5, deviation 21.8
    CleanOptions options{FillMethod::Median, 0, false, Outliers::Drop, 3};
    const auto dropped = clean(table(values, 1), nullptr, options);
    QVERIFY2(dropped, dropped ? "" : dropped.error().toString().c_str());
    QCOMPARE(dropped->train.features, std::vector<float>(19, 0));
    options.outliers = Outliers::Clip;
    const auto clipped = clean(table(values, 1), nullptr, options);
    QVERIFY(clipped);
    QCOMPARE(clipped->train.rows(), 20);
    QVERIFY(std::abs(clipped->train.features[7] - (5 + 3 * std::sqrt(475.0F))) < 1e-3F);
    // a model does the same with what it is asked about
    const auto asked = encodeNumbers(clipped->train.schema, clipped->train.preprocessing, std::vector<float>{1e6F});
    QVERIFY(asked);
    QCOMPARE((*asked)[0], clipped->train.features[7]);
    options.range = 10;
    QCOMPARE(clean(table(values, 1), nullptr, options)->train.features, values);
}

void PrepareTest::fitsOnTheFirstPartAlone()
{
    const Dataset rows = table({1, 3, kLost}, 1), test = table({1000, kLost}, 1);
    const auto parts = clean(rows, &test, {FillMethod::Mean});
    QVERIFY(parts);
    QCOMPARE(parts->train.features, (std::vector<float>{1, 3, 2}));
    QCOMPARE(parts->test.features, (std::vector<float>{1000, 2}));
    QVERIFY(parts->train.preprocessing == parts->test.preprocessing);
    const Dataset wider = table({1, 2}, 2);
    QVERIFY(!clean(rows, &wider, {}));
}

void PrepareTest::refusesToLeaveNothing()
{
    const auto nothing = clean(table({kLost, kLost}, 1), nullptr, {std::nullopt});
    QVERIFY(!nothing);
    QVERIFY(nothing.error().message.find("All 2 rows are left out") != std::string::npos);
    QVERIFY(!nothing.error().advice.empty());
}

void PrepareTest::cleansOnDiskAsInMemory()
{
    std::string text = "a,b,colour,k\n";
    for (int i = 0; i < 600; ++i)
        text += str(i % 9 == 0 ? std::string() : str(i % 50), ",", i == 77 ? 1e6 : i % 7, ",",
                    i % 3 == 0 ? "red" : "blue", ",", i % 2 == 0 ? "yes" : "no", "\n");
    const Dataset memory = csv(text);
    const std::string path = m_folder.filePath(QStringLiteral("cleaned")).toStdString();
    QVERIFY(writeShards(memory, path, {300, 4000}, {}));
    const auto disk = openShards(path, 0);
    QVERIFY(disk && disk->stored);
    for (const auto& fill :
         {std::optional<FillMethod>(), std::optional(FillMethod::Mean), std::optional(FillMethod::Mode)})
        for (const Outliers outliers : {Outliers::Keep, Outliers::Drop, Outliers::Clip}) {
            const CleanOptions options{fill, 0, true, outliers, 4};
            const auto a = clean(memory, nullptr, options), b = clean(*disk, nullptr, options);
            QVERIFY(a && b);
            QVERIFY(a->train.rows() < 600);
            QCOMPARE(a->train.notes, b->train.notes);
            QVERIFY(a->train.preprocessing == b->train.preprocessing);
            const auto back = inMemory(b->train);
            QVERIFY(back && same(back->features, a->train.features));
        }
}

void PrepareTest::recodesCategories()
{
    const Dataset rows =
        csv("colour,a,size,k\nred,1,s,x\nblue,2,m,y\n?,3,s,x\nred,4,l,y\nblue,5,m,x\nred,6,s,y\nred,7,l,"
            "x\ngreen,8,m,x\n");
    QCOMPARE(rows.schema.features, Shape{7});
    const auto oneHot = recode(rows, nullptr, CategoryCode::OneHot);
    QVERIFY(oneHot && oneHot->train.features == rows.features);
    const auto ordinal = recode(rows, &rows, CategoryCode::Ordinal);
    QVERIFY2(ordinal, ordinal ? "" : ordinal.error().toString().c_str());
    QCOMPARE(ordinal->train.schema.features, Shape{3});
    QCOMPARE(ordinal->train.schema.columns[0].name, std::string("colour"));
    QCOMPARE(ordinal->train.schema.columns[1].name, std::string("a"));
    // blue 1, green 2, red 3; l 1, m 2, s 3
    QCOMPARE(ordinal->train.features,
             (std::vector<float>{3, 1, 3, 1, 2, 2, 0, 3, 3, 3, 4, 1, 1, 5, 2, 3, 6, 3, 3, 7, 1, 2, 8, 2}));
    QVERIFY(ordinal->test.features == ordinal->train.features);
    const auto frequency = recode(rows, nullptr, CategoryCode::Frequency);
    QVERIFY(frequency);
    QCOMPARE(frequency->train.features[0], 0.5F);    // red
    QCOMPARE(frequency->train.features[3], 0.25F);   // blue
    QCOMPARE(frequency->train.features[6], 0.0F);    // none
    QCOMPARE(frequency->train.features[21], 0.125F); // green
    QVERIFY(!recode(ordinal->train, nullptr, CategoryCode::Ordinal));
    // on disk the same
    const std::string path = m_folder.filePath(QStringLiteral("recoded")).toStdString();
    QVERIFY(writeShards(rows, path, {100, 4000}, {}));
    const auto disk = openShards(path, 0);
    const auto recoded = recode(*disk, nullptr, CategoryCode::Ordinal);
    QVERIFY(recoded && recoded->train.stored);
    QVERIFY(inMemory(recoded->train)->features == ordinal->train.features);
}

void PrepareTest::answersRawRowsAsTrained()
{
    const std::vector<std::string> lines{"red,1,x", "blue,,y", "?,3,x", "red,4,y", "blue,5,x", "red,6,y"};
    const Dataset rows = csv("colour,a,k\n" + joined(lines, "\n") + "\n");
    const auto coded = recode(rows, nullptr, CategoryCode::Ordinal);
    const auto cleaned = clean(coded->train, nullptr, {FillMethod::Mean, 0, false, Outliers::Clip, 1});
    const auto ready = scaled(cleaned->train, nullptr, ScaleMethod::MinMax);
    QVERIFY2(ready, ready ? "" : ready.error().toString().c_str());
    for (std::size_t i = 0; i < lines.size(); ++i) {
        const auto asked = encodeLine(ready->train.schema, ready->train.preprocessing, lines[i]);
        QVERIFY2(asked, asked ? "" : asked.error().toString().c_str());
        const auto trained = ready->train.row(static_cast<std::int64_t>(i));
        QVERIFY(std::equal(trained.begin(), trained.end(), asked->begin(), asked->end()));
    }
}

QTEST_APPLESS_MAIN(PrepareTest)
#include "prepare_test.moc"
