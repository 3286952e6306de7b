// Images that training sees changed: each change for itself, the same whenever it is asked for, and through the loader.
#include "engine/data/augment.h"
#include "engine/data/loader.h"

#include <QtTest>
#include <algorithm>
#include <set>

using namespace millrace;
using namespace millrace::data;

namespace {
constexpr std::int64_t kSide = 6;
constexpr std::size_t kPixels = kSide * kSide;

/// Grey images of 6×6 whose pixels, 0 to 1, all differ; scaled as images from files are.
std::shared_ptr<Dataset> images(std::int64_t rows, const AugmentationRecipe& recipe)
{
    Dataset set;
    set.schema.features = Shape{kSide, kSide, 1};
    set.schema.image = true;
    set.schema.rows = rows;
    set.schema.target = pipeline::TargetKind::Classes;
    set.preprocessing.steps.push_back(
        {{"kind", "scale"}, {"offset", {0.0F}}, {"factor", {1.0F / 255}}, {"from", {0.0F, 255.0F}}});
    const std::size_t values = static_cast<std::size_t>(rows) * kPixels;
    for (std::size_t i = 0; i < values; ++i)
        set.features.push_back(static_cast<float>(i + 1) / static_cast<float>(values + 1));
    for (std::int64_t i = 0; i < rows; ++i) {
        set.schema.classes.push_back(std::to_string(i));
        set.labels.push_back(static_cast<std::int32_t>(i));
    }
    return std::make_shared<Dataset>(augmented(std::move(set), recipe).value());
}

std::vector<float> changed(const AugmentationRecipe& recipe, std::int64_t place = 3, std::uint64_t seed = 7)
{
    const auto set = images(1, recipe);
    std::vector<float> image(set->features);
    Augmenter::create(*set).value()->augment(seed, 2, place, image);
    return image;
}

std::vector<float> original()
{
    return images(1, {})->features;
}

/// All batches of an epoch, one after the other.
std::vector<float> epochOf(Loader& loader, std::int64_t epoch, std::int64_t firstStep,
                           std::vector<std::int32_t>& labels)
{
    std::vector<float> all;
    if (!loader.start(epoch, firstStep)) return {};
    for (;;) {
        const auto batch = loader.next({});
        if (!batch || *batch == nullptr) return all;
        all.insert(all.end(), (*batch)->features.begin(), (*batch)->features.end());
        labels.insert(labels.end(), (*batch)->labels.begin(), (*batch)->labels.end());
    }
}
} // namespace

class AugmentTest : public QObject
{
    Q_OBJECT

private slots:
    void nothingAskedNothingDone();
    void flipExchangesLeftAndRight();
    void cropShifts();
    void rotationTurnsAboutTheCentre();
    void brightnessAndContrastStayInTheRange();
    void noiseHasItsDeviation();
    void cutOutIsBlackEvenAfterStandardising();
    void sameSeedSameImage();
    void mixUpBlendsNeighboursAndChoosesLabels();
    void loaderResumesToTheSameImages();
    void recipesSurviveJson();
    void refusesWrongRecipes_data();
    void refusesWrongRecipes();
};

void AugmentTest::nothingAskedNothingDone()
{
    QVERIFY(changed({}) == original());
    Dataset plain;
    plain.schema.image = true;
    QVERIFY(!*Augmenter::create(plain));
    Dataset table;
    table.schema.features = Shape{3};
    QVERIFY(!augmented(table, {}));
}

void AugmentTest::flipExchangesLeftAndRight()
{
    std::vector<float> mirrored = original();
    for (std::size_t y = 0; y < kSide; ++y)
        std::reverse(mirrored.begin() + static_cast<std::ptrdiff_t>(y * kSide),
                     mirrored.begin() + static_cast<std::ptrdiff_t>((y + 1) * kSide));
    int flipped = 0;
    AugmentationRecipe recipe;
    recipe.flip = true;
    for (std::int64_t place = 0; place < 200; ++place) {
        const auto image = changed(recipe, place);
        QVERIFY(image == original() || image == mirrored);
        flipped += image == mirrored ? 1 : 0;
    }
    QVERIFY2(flipped > 70 && flipped < 130, qPrintable(QString::number(flipped)));
}

void AugmentTest::cropShifts()
{
    AugmentationRecipe recipe;
    recipe.crop = 2;
    std::set<std::pair<std::int64_t, std::int64_t>> seen;
    for (std::int64_t place = 0; place < 200; ++place) {
        const auto image = changed(recipe, place);
        bool found = false;
        for (std::int64_t down = -2; down <= 2; ++down)
            for (std::int64_t right = -2; right <= 2; ++right) {
                std::vector<float> expected(kPixels, 0.0F);
                for (std::int64_t y = 0; y < kSide; ++y)
                    for (std::int64_t x = 0; x < kSide; ++x)
                        if (y + down >= 0 && y + down < kSide && x + right >= 0 && x + right < kSide)
                            expected[static_cast<std::size_t>(y * kSide + x)] =
                                original()[static_cast<std::size_t>((y + down) * kSide + x + right)];
                if (image != expected) continue;
                found = true;
                seen.emplace(down, right);
            }
        QVERIFY(found);
    }
    QCOMPARE(seen.size(), 25u); // all of them occur
}

void AugmentTest::rotationTurnsAboutTheCentre()
{
    // one bright pixel right of the middle of an odd image goes to another place at the same distance
    AugmentationRecipe recipe;
    recipe.rotate = 180;
    auto set = images(1, recipe);
    set->schema.features = Shape{7, 7, 1};
    const auto augmenter = *Augmenter::create(*set);
    std::set<std::size_t> brightest;
    for (std::int64_t place = 0; place < 100; ++place) {
        std::vector<float> image(49, 0.0F);
        image[3 * 7 + 5] = 1;
        auto turning = *augmenter;
        turning.augment(7, 0, place, image);
        const auto at = static_cast<std::size_t>(std::max_element(image.begin(), image.end()) - image.begin());
        const auto dy = static_cast<double>(at / 7) - 3, dx = static_cast<double>(at % 7) - 3;
        QVERIFY(std::abs(std::hypot(dy, dx) - 2) < 0.9);
        brightest.insert(at);
    }
    QVERIFY(brightest.size() >= 8);
    std::vector<float> middle(49, 0.0F);
    middle[24] = 1;
    auto turning = *augmenter;
    turning.augment(7, 0, 1, middle);
    QVERIFY(std::abs(middle[24] - 1) < 1e-6F);
}

void AugmentTest::brightnessAndContrastStayInTheRange()
{
    AugmentationRecipe recipe;
    recipe.brightness = 0.5;
    const auto before = original(), brighter = changed(recipe);
    const float factor = brighter[0] / before[0];
    QVERIFY(factor >= 0.5F && factor <= 1.5F && factor != 1.0F);
    for (std::size_t i = 0; i < kPixels; ++i)
        QVERIFY(std::abs(brighter[i] - std::min(before[i] * factor, 1.0F)) < 1e-5F);
    recipe.brightness = 0;
    recipe.contrast = 1;
    for (std::int64_t place = 0; place < 20; ++place) {
        const auto image = changed(recipe, place);
        QVERIFY(std::all_of(image.begin(), image.end(), [](float v) { return v >= 0 && v <= 1; }));
        QVERIFY(std::is_sorted(image.begin(), image.end())); // as it was
    }
}

void AugmentTest::noiseHasItsDeviation()
{
    AugmentationRecipe recipe;
    recipe.noise = 0.02;
    const auto before = original();
    double sum = 0, squares = 0;
    int count = 0;
    for (std::int64_t place = 0; place < 200; ++place) {
        const auto image = changed(recipe, place);
        for (std::size_t i = 0; i < kPixels; ++i) {
            if (before[i] < 0.1F || before[i] > 0.9F) continue; // what is cut off at black and white
            const double difference = image[i] - before[i];
            sum += difference;
            squares += difference * difference;
            ++count;
        }
    }
    QVERIFY(std::abs(sum / count) < 0.002);
    QVERIFY(std::abs(std::sqrt(squares / count) - 0.02) < 0.001);
}

void AugmentTest::cutOutIsBlackEvenAfterStandardising()
{
    AugmentationRecipe recipe;
    recipe.cutOut = 3;
    auto set = images(1, recipe);
    set->preprocessing.steps.push_back({{"kind", "scale"}, {"offset", {0.25F}}, {"factor", {4.0F}}});
    std::vector<float> image(kPixels, 1.0F);
    Augmenter::create(*set).value()->augment(7, 0, 0, image);
    const auto black = std::count(image.begin(), image.end(), -1.0F); // (0 - 0.25) × 4
    QVERIFY(black >= 4 && black <= 9);
    QCOMPARE(black + std::count(image.begin(), image.end(), 1.0F), static_cast<std::ptrdiff_t>(kPixels));
}

void AugmentTest::sameSeedSameImage()
{
    const AugmentationRecipe all{2, true, 20, 0.2, 0.2, 0.05, 2, 0};
    QVERIFY(changed(all, 5) == changed(all, 5));
    QVERIFY(changed(all, 5) != changed(all, 6));
    QVERIFY(changed(all, 5, 7) != changed(all, 5, 8));
}

void AugmentTest::mixUpBlendsNeighboursAndChoosesLabels()
{
    AugmentationRecipe recipe;
    recipe.mixUp = 1;
    constexpr std::int64_t kRows = 400;
    const auto set = images(kRows, recipe);
    std::vector<float> features = set->features, targets;
    std::vector<std::int32_t> labels = set->labels;
    for (std::int64_t i = 0; i < kRows; ++i) targets.push_back(static_cast<float>(i));
    Augmenter::create(*set).value()->augmentBatch(7, 0, 0, features, labels, targets);
    int own = 0;
    for (std::int64_t i = 0; i + 1 < kRows; ++i) {
        const auto at = static_cast<std::size_t>(i);
        // target = weight·i + (1 - weight)·(i + 1)
        const double weight = static_cast<double>(i + 1) - static_cast<double>(targets[at]);
        QVERIFY(weight >= -1e-3 && weight <= 1 + 1e-3);
        const double expected = weight * set->features[at * kPixels] + (1 - weight) * set->features[(at + 1) * kPixels];
        QVERIFY(std::abs(features[at * kPixels] - expected) < 1e-5);
        QVERIFY(labels[at] == i || labels[at] == i + 1);
        own += labels[at] == i ? 1 : 0;
    }
    QVERIFY(own > 150 && own < 250); // λ is uniform for alpha 1
}

void AugmentTest::loaderResumesToTheSameImages()
{
    const auto set = images(20, {2, true, 10, 0, 0, 0.05, 0, 0.4});
    LoaderOptions options;
    options.batchSize = 6;
    options.seed = 11;
    options.augment = true;
    const auto loader = Loader::create(set, options), again = Loader::create(set, options);
    QVERIFY(loader && again);
    std::vector<std::int32_t> labels, laterLabels, otherLabels;
    const auto whole = epochOf(**loader, 1, 0, labels);
    QCOMPARE(whole.size(), 20 * kPixels);
    const auto later = epochOf(**again, 1, 2, laterLabels);
    QCOMPARE(later.size(), 8 * kPixels);
    QVERIFY(std::equal(later.begin(), later.end(), whole.begin() + 12 * static_cast<std::ptrdiff_t>(kPixels)));
    QVERIFY(std::equal(laterLabels.begin(), laterLabels.end(), labels.begin() + 12));
    QVERIFY(epochOf(**again, 2, 0, otherLabels) != whole);
    // evaluation sees the rows as they are
    options.augment = false;
    options.shuffle = false;
    otherLabels.clear();
    QVERIFY(epochOf(**Loader::create(set, options), 0, 0, otherLabels) == set->features);
}

void AugmentTest::recipesSurviveJson()
{
    const AugmentationRecipe recipe{4, true, 15, 0.1, 0.2, 0.05, 8, 0.4};
    QVERIFY(*augmentationFromJson(nlohmann::json::parse(toJson(recipe).dump())) == recipe);
    const auto catalogue = pipeline::Catalogue::create();
    pipeline::Node node;
    node.type = "data.augment";
    node.params = {{"crop", 2}, {"mix_up", 0.5}};
    const auto read = augmentationRecipe(node, *catalogue.find("data.augment"));
    QVERIFY(read);
    QVERIFY((*read == AugmentationRecipe{2, true, 0, 0, 0, 0, 0, 0.5}));
}

void AugmentTest::refusesWrongRecipes_data()
{
    QTest::addColumn<QByteArray>("key");
    QTest::addColumn<QByteArray>("value");
    QTest::newRow("flip") << QByteArray("flip") << QByteArray("1");
    QTest::newRow("negative") << QByteArray("crop") << QByteArray("-1");
    QTest::newRow("too large") << QByteArray("rotate") << QByteArray("181");
    QTest::newRow("text") << QByteArray("noise") << QByteArray("\"much\"");
    QTest::newRow("mix-up over 1") << QByteArray("mix_up") << QByteArray("1.5");
}

void AugmentTest::refusesWrongRecipes()
{
    QFETCH(QByteArray, key);
    QFETCH(QByteArray, value);
    nlohmann::json json = toJson(AugmentationRecipe{});
    json[key.toStdString()] = nlohmann::json::parse(value.toStdString());
    QVERIFY(!augmentationFromJson(json));
    json.erase(key.toStdString());
    QVERIFY(!augmentationFromJson(json));
    QVERIFY(!augmentationFromJson(nlohmann::json()));
}

QTEST_APPLESS_MAIN(AugmentTest)
#include "augment_test.moc"
