// Resizing, first along the rows, then along the columns.   Source: Pillow, src/libImaging/Resample.c (the method).
#include "engine/data/image.h"

#include <algorithm>
#include <cmath>

namespace millrace::data {

namespace {
/// Which source pixels make one of the result, and with which weights (their sum is 1).
struct Taps
{
    std::size_t first = 0;
    std::vector<float> weights;
};

std::vector<Taps> tapsOf(std::size_t from, std::size_t to)
{
    const double scale = static_cast<double>(from) / static_cast<double>(to);
    const double reach = std::max(scale, 1.0); // half the base of the triangle
    std::vector<Taps> all(to);
    for (std::size_t i = 0; i < to; ++i) {
        const double centre = (static_cast<double>(i) + 0.5) * scale;
        const double begin = std::max(std::floor(centre - reach + 0.5), 0.0);
        const double end = std::min(std::floor(centre + reach + 0.5), static_cast<double>(from));
        all[i].first = static_cast<std::size_t>(begin);
        double sum = 0;
        for (double x = begin; x < end; x += 1)
            sum +=
                all[i].weights.emplace_back(static_cast<float>(std::max(0.0, 1 - std::abs(x + 0.5 - centre) / reach)));
        for (float& weight : all[i].weights) weight = static_cast<float>(weight / sum);
    }
    return all;
}
} // namespace

Image resized(const Image& image, std::size_t height, std::size_t width)
{
    if (image.height == height && image.width == width) return image;
    const std::size_t C = image.channels;
    const auto acrossTaps = tapsOf(image.width, width), downTaps = tapsOf(image.height, height);
    std::vector<float> narrow(image.height * width * C, 0.0F);
    for (std::size_t y = 0; y < image.height; ++y)
        for (std::size_t x = 0; x < width; ++x)
            for (std::size_t k = 0; k < acrossTaps[x].weights.size(); ++k)
                for (std::size_t c = 0; c < C; ++c)
                    narrow[(y * width + x) * C + c] +=
                        acrossTaps[x].weights[k] *
                        static_cast<float>(image.pixels[(y * image.width + acrossTaps[x].first + k) * C + c]);
    Image result{height, width, C, {}};
    result.pixels.reserve(height * width * C);
    std::vector<float> row(width * C);
    for (std::size_t y = 0; y < height; ++y) {
        std::fill(row.begin(), row.end(), 0.0F);
        for (std::size_t k = 0; k < downTaps[y].weights.size(); ++k)
            for (std::size_t i = 0; i < row.size(); ++i)
                row[i] += downTaps[y].weights[k] * narrow[(downTaps[y].first + k) * width * C + i];
        for (const float value : row)
            result.pixels.push_back(static_cast<std::uint8_t>(std::clamp(value + 0.5F, 0.0F, 255.0F)));
    }
    return result;
}

} // namespace millrace::data
