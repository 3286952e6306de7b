// Changes images anew each time that training sees them, by a recipe that travels with the rows: what each image
// becomes is a pure function of (seed, epoch, place in the epoch), so that a resumed training sees the same.
#pragma once

#include "engine/data/dataset.h"
#include "engine/pipeline/catalogue.h"

#include <optional>
#include <span>

namespace millrace::data {

/// What is done to an image, in this order; 0 or false: not at all. JSON form: the members' names and values.
struct AugmentationRecipe
{
    std::int64_t crop = 0;   ///< shifted by up to so many pixels each way: a crop of the image with that border
    bool flip = false;       ///< left and right are exchanged in every second image
    double rotate = 0;       ///< turned about its centre by up to so many degrees either way (bilinear)
    double brightness = 0;   ///< distance from black times 1 - b … 1 + b
    double contrast = 0;     ///< distance from the image's mean times 1 - c … 1 + c
    double noise = 0;        ///< normal noise of that deviation, as a part of the range from black to white
    std::int64_t cutOut = 0; ///< a square of so many pixels a side becomes black; it may stand over the edge
    double mixUp = 0;        ///< alpha: blended with its neighbour in the batch, see augmentBatch

    bool operator==(const AugmentationRecipe&) const = default;
};

nlohmann::json toJson(const AugmentationRecipe& recipe);
/// Errors: InvalidFormat.
Result<AugmentationRecipe> augmentationFromJson(const nlohmann::json& json);

/// The parameters of a data.augment node. Errors: InvalidFormat.
Result<AugmentationRecipe> augmentationRecipe(const pipeline::Node& node, const pipeline::NodeSpec& spec);

/// The rows with the recipe (their own, if they have one, is replaced). Errors: InvalidArgument for rows that are no
/// images.
Result<Dataset> augmented(Dataset rows, const AugmentationRecipe& recipe);

/// A recipe for images of one shape.
class Augmenter
{
public:
    /// Of the rows' recipe; nothing where they have none. What is black and white after the rows' preprocessing is
    /// found out here. Errors: InvalidFormat.
    static Result<std::optional<Augmenter>> create(const Dataset& rows);

    /// The rows of a batch, of which the first is the `firstPlace`-th of the epoch: each image is changed; then, for
    /// mix-up, image i becomes λ·image i + (1 - λ)·image i+1 (of the last: the first), λ from Beta(alpha, alpha). A
    /// number to predict is blended alike. A class cannot be: the label is that of image i with probability λ, which
    /// has the expected loss of blended labels.   Sources: DeVries, Taylor 2017, arXiv:1708.04552 (cut-out); Zhang et
    /// al. 2018, arXiv:1710.09412 (mix-up). Shapes   features rows × H·W·C; labels and targets rows, or empty.
    void augmentBatch(std::uint64_t seed, std::int64_t epoch, std::int64_t firstPlace, std::span<float> features,
                      std::span<std::int32_t> labels, std::span<float> targets);

    /// One image, without mix-up.
    void augment(std::uint64_t seed, std::int64_t epoch, std::int64_t place, std::span<float> image);

private:
    Augmenter(AugmentationRecipe recipe, const Shape& shape, float black, float white);
    void shiftAndFlip(std::int64_t down, std::int64_t right, bool flip, std::span<float> image);
    void rotate(double degrees, std::span<float> image);
    void cutOut(std::int64_t row, std::int64_t column, std::span<float> image) const;
    void mixUp(std::uint64_t seed, std::int64_t epoch, std::int64_t firstPlace, std::span<float> features,
               std::span<std::int32_t> labels, std::span<float> targets);

    AugmentationRecipe m_recipe;
    std::int64_t m_height, m_width, m_channels;
    float m_black, m_white;
    std::vector<float> m_scratch; ///< an image, or for mix-up the batch as it was
};

} // namespace millrace::data
