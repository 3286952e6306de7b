#include "kernels/cpu/channel_rows.h"

#include "kernels/cpu/vector_math.h"

#include <algorithm>

namespace millrace::kernels::cpu::channel_rows {

namespace {

constexpr std::int64_t kChannels = 64; // handled together, so that their sums stay in registers and the first cache

} // namespace

MR_VECTORISED void sum(const float* x, double* sums, double* squares, std::int64_t channels, std::int64_t begin,
                       std::int64_t end)
{
    for (std::int64_t first = 0; first < channels; first += kChannels) {
        const std::int64_t width = std::min(kChannels, channels - first);
        double total[kChannels] = {}, square[kChannels] = {};
        for (std::int64_t r = begin; r < end; ++r) {
            const float *row = x + r * channels + first, *origin = x + first;
            for (std::int64_t c = 0; c < width; ++c) {
                const double d = static_cast<double>(row[c]) - static_cast<double>(origin[c]);
                total[c] += d;
                square[c] += d * d;
            }
        }
        std::copy_n(total, width, sums + first);
        std::copy_n(square, width, squares + first);
    }
}

MR_VECTORISED void scale(const float* x, float* y, const float* factor, const float* shift, std::int64_t channels,
                         std::int64_t begin, std::int64_t end)
{
    for (std::int64_t r = begin; r < end; ++r) {
        const float* row = x + r * channels;
        float* out = y + r * channels;
        for (std::int64_t c = 0; c < channels; ++c) out[c] = row[c] * factor[c] + shift[c];
    }
}

MR_VECTORISED void sumBackward(const float* x, const float* dy, const float* mean, double* sums, double* products,
                               std::int64_t channels, std::int64_t begin, std::int64_t end)
{
    for (std::int64_t first = 0; first < channels; first += kChannels) {
        const std::int64_t width = std::min(kChannels, channels - first);
        double total[kChannels] = {}, product[kChannels] = {};
        for (std::int64_t r = begin; r < end; ++r) {
            const float *row = x + r * channels + first, *gradient = dy + r * channels + first, *m = mean + first;
            for (std::int64_t c = 0; c < width; ++c) {
                const double d = static_cast<double>(gradient[c]);
                total[c] += d;
                product[c] += d * static_cast<double>(row[c] - m[c]);
            }
        }
        std::copy_n(total, width, sums + first);
        std::copy_n(product, width, products + first);
    }
}

MR_VECTORISED void inputGradient(const GradientOperands& operands, float* dx, std::int64_t channels, std::int64_t begin,
                                 std::int64_t end)
{
    const auto [allX, allDy, mean, factor, slope, shift] = operands;
    for (std::int64_t r = begin; r < end; ++r) {
        const float *x = allX + r * channels, *dy = allDy + r * channels;
        float* out = dx + r * channels;
        for (std::int64_t c = 0; c < channels; ++c) out[c] = dy[c] * factor[c] + (x[c] - mean[c]) * slope[c] + shift[c];
    }
}

} // namespace millrace::kernels::cpu::channel_rows
