// Loops over the windows of pooling, vector loops over channels inside: max and average, whatever the windows are.
//
// A type of windows has the dimensions height, width, channels, outputHeight(), outputWidth() of kernels/ops/, and
//   Window windowAt(row, column)        the window of an output, cut to the image
//   float averageFactor(row, column)    1 / the number of elements that its average counts
#pragma once

#include "kernels/cpu/vector_math.h"

#include <algorithm>

namespace millrace::kernels::cpu::pool_loops {

constexpr std::int64_t kChannels = 64; ///< handled together, on the stack

/// The larger of two, a NaN before all; without a branch, which the values would decide at random.
MR_INLINE float larger(float a, float b)
{
    const float most = a > b ? a : b; // b where one is NaN
    return a != a ? a : most;
}

/// The value, or zero, without a branch.
MR_INLINE float valueIf(bool condition, float value)
{
    return std::bit_cast<float>(std::bit_cast<std::uint32_t>(value) & (0U - static_cast<std::uint32_t>(condition)));
}

/// Rows top … bottom, columns left … right.
struct Window
{
    std::int64_t top, bottom, left, right;
};

/// Images begin … end.
template <class Windows>
MR_INLINE void maxForward(const Windows& p, const float* x, float* y, std::int64_t begin, std::int64_t end)
{
    const std::int64_t rows = p.outputHeight(), columns = p.outputWidth(), channels = p.channels;
    for (std::int64_t b = begin; b < end; ++b) {
        const float* image = x + b * p.height * p.width * channels;
        for (std::int64_t row = 0; row < rows; ++row) {
            for (std::int64_t column = 0; column < columns; ++column) {
                const Window w = p.windowAt(row, column);
                float* out = y + ((b * rows + row) * columns + column) * channels;
                std::copy_n(image + (w.top * p.width + w.left) * channels, channels, out);
                for (std::int64_t h = w.top; h < w.bottom; ++h) {
                    for (std::int64_t v = w.left; v < w.right; ++v) {
                        const float* in = image + (h * p.width + v) * channels;
                        for (std::int64_t c = 0; c < channels; ++c) out[c] = larger(out[c], in[c]);
                    }
                }
            }
        }
    }
}

/// The gradient of one window's outputs in channels first … first + width: each goes to its window's first maximum.
template <class Windows>
MR_INLINE void routeToMaximum(const Windows& p, const Window& w, const float* image, const float* dy, float* dImage,
                              std::int64_t first, std::int64_t width)
{
    float best[kChannels];
    std::int32_t where[kChannels] = {};
    std::copy_n(image + (w.top * p.width + w.left) * p.channels + first, width, best);
    std::int32_t index = 0;
    for (std::int64_t h = w.top; h < w.bottom; ++h) {
        for (std::int64_t v = w.left; v < w.right; ++v, ++index) {
            const float* in = image + (h * p.width + v) * p.channels + first;
            for (std::int64_t c = 0; c < width; ++c) {
                const bool better = (in[c] > best[c]) | (in[c] != in[c]);
                best[c] = larger(best[c], in[c]);
                where[c] += (index - where[c]) & (0 - static_cast<std::int32_t>(better));
            }
        }
    }
    index = 0;
    for (std::int64_t h = w.top; h < w.bottom; ++h) {
        for (std::int64_t v = w.left; v < w.right; ++v, ++index) {
            float* out = dImage + (h * p.width + v) * p.channels + first;
            for (std::int64_t c = 0; c < width; ++c) {
                out[c] += valueIf(where[c] == index, dy[first + c]);
            }
        }
    }
}

template <class Windows>
MR_INLINE void maxBackward(const Windows& p, const float* x, const float* dy, float* dx, std::int64_t begin,
                           std::int64_t end)
{
    const std::int64_t rows = p.outputHeight(), columns = p.outputWidth(), imageSize = p.height * p.width * p.channels;
    std::fill(dx + begin * imageSize, dx + end * imageSize, 0.0F);
    for (std::int64_t b = begin; b < end; ++b) {
        for (std::int64_t row = 0; row < rows; ++row) {
            for (std::int64_t column = 0; column < columns; ++column) {
                const Window w = p.windowAt(row, column);
                const float* gradient = dy + ((b * rows + row) * columns + column) * p.channels;
                for (std::int64_t first = 0; first < p.channels; first += kChannels)
                    routeToMaximum(p, w, x + b * imageSize, gradient, dx + b * imageSize, first,
                                   std::min(kChannels, p.channels - first));
            }
        }
    }
}

template <class Windows>
MR_INLINE void averageForward(const Windows& p, const float* x, float* y, std::int64_t begin, std::int64_t end)
{
    const std::int64_t rows = p.outputHeight(), columns = p.outputWidth(), channels = p.channels;
    for (std::int64_t b = begin; b < end; ++b) {
        const float* image = x + b * p.height * p.width * channels;
        for (std::int64_t row = 0; row < rows; ++row) {
            for (std::int64_t column = 0; column < columns; ++column) {
                const Window w = p.windowAt(row, column);
                const float factor = p.averageFactor(row, column);
                float* out = y + ((b * rows + row) * columns + column) * channels;
                std::fill_n(out, channels, 0.0F);
                for (std::int64_t h = w.top; h < w.bottom; ++h) {
                    for (std::int64_t v = w.left; v < w.right; ++v) {
                        const float* in = image + (h * p.width + v) * channels;
                        for (std::int64_t c = 0; c < channels; ++c) out[c] += in[c];
                    }
                }
                for (std::int64_t c = 0; c < channels; ++c) out[c] *= factor;
            }
        }
    }
}

template <class Windows>
MR_INLINE void averageBackward(const Windows& p, const float* dy, float* dx, std::int64_t begin, std::int64_t end)
{
    const std::int64_t rows = p.outputHeight(), columns = p.outputWidth(), imageSize = p.height * p.width * p.channels;
    std::fill(dx + begin * imageSize, dx + end * imageSize, 0.0F);
    for (std::int64_t b = begin; b < end; ++b) {
        for (std::int64_t row = 0; row < rows; ++row) {
            for (std::int64_t column = 0; column < columns; ++column) {
                const Window w = p.windowAt(row, column);
                const float factor = p.averageFactor(row, column);
                const float* gradient = dy + ((b * rows + row) * columns + column) * p.channels;
                for (std::int64_t h = w.top; h < w.bottom; ++h) {
                    for (std::int64_t v = w.left; v < w.right; ++v) {
                        float* out = dx + b * imageSize + (h * p.width + v) * p.channels;
                        for (std::int64_t c = 0; c < p.channels; ++c) out[c] += gradient[c] * factor;
                    }
                }
            }
        }
    }
}

} // namespace millrace::kernels::cpu::pool_loops
