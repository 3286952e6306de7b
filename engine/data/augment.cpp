#include "engine/data/augment.h"

#include "engine/data/encode.h"
#include "kernels/base/random.h"
#include "kernels/base/text.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace millrace::data {

namespace {
constexpr std::uint64_t kBlocksPerImage = 1u << 24; ///< of random numbers: noise takes one or two a value

/// The random numbers of one image, or of one blending.
Random randomOf(std::string_view what, std::uint64_t seed, std::int64_t epoch, std::int64_t place)
{
    return {seed, streamOf(str(what, "/", epoch)), static_cast<std::uint64_t>(place) * kBlocksPerImage};
}

/// In [-1, 1).
double around(Random& random)
{
    return 2 * random.uniformDouble() - 1;
}

/// Beta(alpha, alpha) for alpha up to 1; below 0.01 it would hardly differ from 0 or 1.   Source: Jöhnk 1964,
/// Metrika 8.
double beta(Random& random, double alpha)
{
    const double exponent = 1 / std::max(alpha, 0.01);
    for (;;) {
        const double x = std::pow(random.uniformDouble(), exponent), y = std::pow(random.uniformDouble(), exponent);
        if (x + y <= 1 && x + y > 0) return x / (x + y);
    }
}

/// The value of a pixel of that brightness (all pixels alike) after the rows' preprocessing.
Result<float> afterSteps(const Dataset& rows, float raw)
{
    const std::int64_t count = valuesBefore(rows.preprocessing, rows.schema.features.elements());
    std::vector<float> values(static_cast<std::size_t>(count), raw);
    MR_CHECK(apply(rows.preprocessing, count, values));
    return values.front();
}

/// A number from 0 to the largest allowed.
Result<double> numberOf(const nlohmann::json& json, const char* key, double maximum)
{
    const auto found = json.find(key);
    if (found == json.end() || !found->is_number() || !(*found >= 0) || !(*found <= maximum))
        return makeError(Code::InvalidFormat,
                         str("The augmentation's \"", key, "\" is no number from 0 to ", maximum, "."));
    return found->get<double>();
}
} // namespace

nlohmann::json toJson(const AugmentationRecipe& recipe)
{
    return {{"crop", recipe.crop},         {"flip", recipe.flip},
            {"rotate", recipe.rotate},     {"brightness", recipe.brightness},
            {"contrast", recipe.contrast}, {"noise", recipe.noise},
            {"cut_out", recipe.cutOut},    {"mix_up", recipe.mixUp}};
}

Result<AugmentationRecipe> augmentationFromJson(const nlohmann::json& json)
{
    constexpr double kPixels = 65536;
    if (!json.is_object() || !json.contains("flip") || !json["flip"].is_boolean())
        return makeError(Code::InvalidFormat, "The augmentation of the rows is no recipe.");
    AugmentationRecipe recipe;
    recipe.flip = json["flip"].get<bool>();
    MR_TRY(const double crop, numberOf(json, "crop", kPixels));
    MR_TRY(const double cutOut, numberOf(json, "cut_out", kPixels));
    recipe.crop = static_cast<std::int64_t>(crop);
    recipe.cutOut = static_cast<std::int64_t>(cutOut);
    MR_TRY(recipe.rotate, numberOf(json, "rotate", 180));
    MR_TRY(recipe.brightness, numberOf(json, "brightness", 1));
    MR_TRY(recipe.contrast, numberOf(json, "contrast", 1));
    MR_TRY(recipe.noise, numberOf(json, "noise", 1));
    MR_TRY(recipe.mixUp, numberOf(json, "mix_up", 1));
    return recipe;
}

Result<AugmentationRecipe> augmentationRecipe(const pipeline::Node& node, const pipeline::NodeSpec& spec)
{
    nlohmann::json json;
    for (const pipeline::ParamSpec& param : spec.params) json[param.id] = pipeline::paramValue(node, spec, param.id);
    return augmentationFromJson(json);
}

Result<Dataset> augmented(Dataset rows, const AugmentationRecipe& recipe)
{
    if (!rows.schema.image)
        return makeError(Code::InvalidArgument, "These rows are no images; only images can be augmented.")
            .advise("Take the node out, or connect rows of images to it.");
    rows.augmentation = toJson(recipe);
    return rows;
}

Augmenter::Augmenter(AugmentationRecipe recipe, const Shape& shape, float black, float white)
    : m_recipe(recipe), m_height(shape[0]), m_width(shape[1]), m_channels(shape[2]), m_black(std::min(black, white)),
      m_white(std::max(black, white))
{
}

Result<std::optional<Augmenter>> Augmenter::create(const Dataset& rows)
{
    if (rows.augmentation.is_null() || !rows.schema.image) return std::optional<Augmenter>();
    MR_TRY(const AugmentationRecipe recipe, augmentationFromJson(rows.augmentation));
    const ValueRange range = rawRange(rows.preprocessing);
    MR_TRY(const float black, afterSteps(rows, range.minimum));
    MR_TRY(const float white, afterSteps(rows, range.maximum));
    return std::optional(Augmenter(recipe, rows.schema.features, black, white));
}

void Augmenter::augmentBatch(std::uint64_t seed, std::int64_t epoch, std::int64_t firstPlace, std::span<float> features,
                             std::span<std::int32_t> labels, std::span<float> targets)
{
    const auto values = static_cast<std::size_t>(m_height * m_width * m_channels);
    for (std::size_t i = 0; i * values < features.size(); ++i)
        augment(seed, epoch, firstPlace + static_cast<std::int64_t>(i), features.subspan(i * values, values));
    if (m_recipe.mixUp > 0) mixUp(seed, epoch, firstPlace, features, labels, targets);
}

void Augmenter::augment(std::uint64_t seed, std::int64_t epoch, std::int64_t place, std::span<float> image)
{
    // all numbers are drawn whatever the recipe, so that one more change leaves the others as they were
    Random random = randomOf("augment", seed, epoch, place);
    const auto border = static_cast<std::uint64_t>(2 * m_recipe.crop + 1);
    const auto down = static_cast<std::int64_t>(random.below(border)) - m_recipe.crop;
    const auto right = static_cast<std::int64_t>(random.below(border)) - m_recipe.crop;
    const bool flip = random.below(2) == 1 && m_recipe.flip;
    const double degrees = around(random) * m_recipe.rotate;
    const auto brightness = static_cast<float>(1 + around(random) * m_recipe.brightness);
    const auto contrast = static_cast<float>(1 + around(random) * m_recipe.contrast);
    const auto row = static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(m_height)));
    const auto column = static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(m_width)));

    if (down != 0 || right != 0 || flip) shiftAndFlip(down, right, flip, image);
    if (m_recipe.rotate > 0) rotate(degrees, image);
    if (m_recipe.brightness > 0)
        for (float& value : image) value = m_black + (value - m_black) * brightness;
    if (m_recipe.contrast > 0) {
        double sum = 0;
        for (const float value : image) sum += value;
        const auto mean = static_cast<float>(sum / static_cast<double>(image.size()));
        for (float& value : image) value = mean + (value - mean) * contrast;
    }
    if (m_recipe.noise > 0) {
        const double deviation = m_recipe.noise * (m_white - m_black);
        for (float& value : image) value += static_cast<float>(deviation * random.normal());
    }
    if (m_recipe.brightness > 0 || m_recipe.contrast > 0 || m_recipe.noise > 0)
        for (float& value : image) value = std::clamp(value, m_black, m_white);
    if (m_recipe.cutOut > 0) cutOut(row, column, image);
}

void Augmenter::shiftAndFlip(std::int64_t down, std::int64_t right, bool flip, std::span<float> image)
{
    m_scratch.assign(image.begin(), image.end());
    for (std::int64_t y = 0; y < m_height; ++y)
        for (std::int64_t x = 0; x < m_width; ++x) {
            const std::int64_t fromY = y + down, fromX = (flip ? m_width - 1 - x : x) + right;
            const bool inside = fromY >= 0 && fromY < m_height && fromX >= 0 && fromX < m_width;
            for (std::int64_t c = 0; c < m_channels; ++c)
                image[static_cast<std::size_t>((y * m_width + x) * m_channels + c)] =
                    inside ? m_scratch[static_cast<std::size_t>((fromY * m_width + fromX) * m_channels + c)] : m_black;
        }
}

void Augmenter::rotate(double degrees, std::span<float> image)
{
    m_scratch.assign(image.begin(), image.end());
    const double angle = degrees * std::numbers::pi / 180, cosine = std::cos(angle), sine = std::sin(angle);
    const double middleY = static_cast<double>(m_height - 1) / 2, middleX = static_cast<double>(m_width - 1) / 2;
    const auto pixel = [&](std::int64_t y, std::int64_t x, std::int64_t c) {
        const bool inside = y >= 0 && y < m_height && x >= 0 && x < m_width;
        return inside ? m_scratch[static_cast<std::size_t>((y * m_width + x) * m_channels + c)] : m_black;
    };
    for (std::int64_t y = 0; y < m_height; ++y)
        for (std::int64_t x = 0; x < m_width; ++x) {
            const double dy = static_cast<double>(y) - middleY, dx = static_cast<double>(x) - middleX;
            const double fromY = middleY + cosine * dy - sine * dx, fromX = middleX + sine * dy + cosine * dx;
            const auto y0 = static_cast<std::int64_t>(std::floor(fromY));
            const auto x0 = static_cast<std::int64_t>(std::floor(fromX));
            const auto below = static_cast<float>(fromY - std::floor(fromY));
            const auto beside = static_cast<float>(fromX - std::floor(fromX));
            for (std::int64_t c = 0; c < m_channels; ++c)
                image[static_cast<std::size_t>((y * m_width + x) * m_channels + c)] =
                    (1 - below) * ((1 - beside) * pixel(y0, x0, c) + beside * pixel(y0, x0 + 1, c)) +
                    below * ((1 - beside) * pixel(y0 + 1, x0, c) + beside * pixel(y0 + 1, x0 + 1, c));
        }
}

void Augmenter::cutOut(std::int64_t row, std::int64_t column, std::span<float> image) const
{
    const std::int64_t top = row - m_recipe.cutOut / 2, left = column - m_recipe.cutOut / 2;
    for (std::int64_t y = std::max<std::int64_t>(top, 0); y < std::min(top + m_recipe.cutOut, m_height); ++y)
        for (std::int64_t x = std::max<std::int64_t>(left, 0); x < std::min(left + m_recipe.cutOut, m_width); ++x)
            for (std::int64_t c = 0; c < m_channels; ++c)
                image[static_cast<std::size_t>((y * m_width + x) * m_channels + c)] = m_black;
}

void Augmenter::mixUp(std::uint64_t seed, std::int64_t epoch, std::int64_t firstPlace, std::span<float> features,
                      std::span<std::int32_t> labels, std::span<float> targets)
{
    const auto values = static_cast<std::size_t>(m_height * m_width * m_channels);
    const std::size_t rows = features.size() / values;
    m_scratch.assign(features.begin(), features.end());
    const std::vector<std::int32_t> labelsBefore(labels.begin(), labels.end());
    const std::vector<float> targetsBefore(targets.begin(), targets.end());
    for (std::size_t i = 0; i < rows; ++i) {
        Random random = randomOf("mix-up", seed, epoch, firstPlace + static_cast<std::int64_t>(i));
        const double weight = beta(random, m_recipe.mixUp);
        const auto own = static_cast<float>(weight), other = static_cast<float>(1 - weight);
        const std::size_t next = (i + 1) % rows;
        for (std::size_t v = 0; v < values; ++v)
            features[i * values + v] = own * m_scratch[i * values + v] + other * m_scratch[next * values + v];
        if (!labels.empty() && random.uniformDouble() >= weight) labels[i] = labelsBefore[next];
        if (!targets.empty()) targets[i] = own * targetsBefore[i] + other * targetsBefore[next];
    }
}

} // namespace millrace::data
