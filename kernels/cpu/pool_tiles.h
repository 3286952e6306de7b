// Max pooling over windows that lie side by side, of images with few channels: whole rows of windows at a time, because
// a handful of channels fills no vector.
#pragma once

#include "kernels/cpu/pool_loops.h"
#include "kernels/ops/pool2d.h"

#include <algorithm>

namespace millrace::kernels::cpu::pool_tiles {

using pool_loops::larger;

constexpr std::int64_t kRow = 4096; ///< values of a row of windows, on the stack

/// Whether the windows are such, of 2×2 or 3×3, and a row of them fits.
inline bool suits(const Pool2d& p)
{
    const bool square = p.kernelHeight == p.kernelWidth && (p.kernelWidth == 2 || p.kernelWidth == 3);
    const bool apart = p.strideHeight == p.kernelHeight && p.strideWidth == p.kernelWidth;
    return p.channels < 16 && square && apart && p.padHeight == 0 && p.padWidth == 0 &&
           p.outputWidth() * p.kernelWidth * p.channels <= kRow;
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

/// The gradients of one row of windows of size×size, each to its window's first maximum.
template <int size> MR_INLINE void routeRow(const Pool2d& p, const float* x, const float* dy, float* dx)
{
    const std::int64_t C = p.channels, columns = p.outputWidth(), row = p.width * C;
    float maximum[kRow];
    maxima(p, x, maximum);
    for (std::int64_t column = 0; column < columns; ++column) {
        for (std::int64_t c = 0; c < C; ++c) {
            const std::int64_t first = column * size * C + c;
            const float best = maximum[column * C + c];
            // the gradient's bits, until it has found its maximum; choices by masks, for branches on what is random are
            // slow
            auto left = std::bit_cast<std::uint32_t>(dy[column * C + c]);
            for (std::int64_t h = 0; h < size; ++h) {
                for (std::int64_t v = 0; v < size; ++v) {
                    const std::int64_t pixel = first + h * row + v * C;
                    const bool isMaximum = (x[pixel] == best) | (x[pixel] != x[pixel]);
                    const std::uint32_t mask = 0U - static_cast<std::uint32_t>(isMaximum);
                    dx[pixel] = std::bit_cast<float>(left & mask);
                    left &= ~mask;
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
            const float* gradient = dy + (b * rows + row) * rowSize;
            if (p.kernelWidth == 2)
                routeRow<2>(p, x + first, gradient, dx + first);
            else
                routeRow<3>(p, x + first, gradient, dx + first);
        }
    }
}

} // namespace millrace::kernels::cpu::pool_tiles
