// Max pooling over windows that lie side by side, of images with few channels: whole rows of windows at a time, because
// a handful of channels fills no vector.
#pragma once

#include "kernels/cpu/pool_loops.h"
#include "kernels/ops/pool2d.h"

#include <algorithm>

namespace millrace::kernels::cpu::pool_tiles {

using pool_loops::larger;
using pool_loops::valueIf;

constexpr std::int64_t kRow = 4096; ///< values of a row of windows, on the stack

/// Whether the windows are such, and a row of them fits.
inline bool suits(const Pool2d& p)
{
    return p.channels < 16 && p.padHeight == 0 && p.padWidth == 0 && p.strideHeight == p.kernelHeight &&
           p.strideWidth == p.kernelWidth && p.outputWidth() * p.kernelWidth * p.channels <= kRow;
}

/// best[column, channel]: the maxima of the windows whose first row is `rows`.
MR_INLINE void maxima(const Pool2d& p, const float* rows, float* best)
{
    const std::int64_t C = p.channels, columns = p.outputWidth(), used = columns * p.kernelWidth * C;
    float tallest[kRow];
    std::copy_n(rows, used, tallest);
    for (std::int64_t h = 1; h < p.kernelHeight; ++h) {
        const float* row = rows + h * p.width * C;
        for (std::int64_t i = 0; i < used; ++i) tallest[i] = larger(tallest[i], row[i]);
    }
    for (std::int64_t column = 0; column < columns; ++column) {
        const float* window = tallest + column * p.kernelWidth * C;
        for (std::int64_t c = 0; c < C; ++c) {
            float value = window[c];
            for (std::int64_t v = 1; v < p.kernelWidth; ++v) value = larger(value, window[v * C + c]);
            best[column * C + c] = value;
        }
    }
}

/// Images begin … end.
MR_INLINE void maxForward(const Pool2d& p, const float* x, float* y, std::int64_t begin, std::int64_t end)
{
    const std::int64_t rows = p.outputHeight(), rowSize = p.outputWidth() * p.channels;
    for (std::int64_t b = begin; b < end; ++b) {
        const float* image = x + b * p.height * p.width * p.channels;
        for (std::int64_t row = 0; row < rows; ++row)
            maxima(p, image + row * p.kernelHeight * p.width * p.channels, y + (b * rows + row) * rowSize);
    }
}

/// The gradients of one row of windows, each to its window's first maximum.
MR_INLINE void routeRow(const Pool2d& p, const float* x, const float* dy, float* dx)
{
    const std::int64_t C = p.channels, columns = p.outputWidth(), S = p.kernelWidth;
    float best[kRow], left[kRow]; // the maxima, and the gradients that have not found theirs yet
    maxima(p, x, best);
    std::copy_n(dy, columns * C, left);
    for (std::int64_t h = 0; h < p.kernelHeight; ++h) {
        for (std::int64_t column = 0; column < columns; ++column) {
            for (std::int64_t v = 0; v < S; ++v) {
                const std::int64_t pixel = (h * p.width + column * S + v) * C;
                for (std::int64_t c = 0; c < C; ++c) {
                    const float value = x[pixel + c], gradient = left[column * C + c];
                    const bool isMaximum = (value == best[column * C + c]) | (value != value);
                    dx[pixel + c] = valueIf(isMaximum, gradient);
                    left[column * C + c] = valueIf(!isMaximum, gradient);
                }
            }
        }
    }
}

/// Images begin … end.
MR_INLINE void maxBackward(const Pool2d& p, const float* x, const float* dy, float* dx, std::int64_t begin,
                           std::int64_t end)
{
    const std::int64_t rows = p.outputHeight(), rowSize = p.outputWidth() * p.channels;
    const std::int64_t image = p.height * p.width * p.channels;
    const bool covered = p.outputWidth() * p.kernelWidth == p.width && rows * p.kernelHeight == p.height;
    if (!covered) std::fill(dx + begin * image, dx + end * image, 0.0F);
    for (std::int64_t b = begin; b < end; ++b) {
        for (std::int64_t row = 0; row < rows; ++row) {
            const std::int64_t first = b * image + row * p.kernelHeight * p.width * p.channels;
            routeRow(p, x + first, dy + (b * rows + row) * rowSize, dx + first);
        }
    }
}

} // namespace millrace::kernels::cpu::pool_tiles
