// Max and average pooling: loops over windows outside, vector loops over channels inside.
#include "kernels/ops/pool2d.h"

#include "kernels/cpu/make_kernel.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/vector_math.h"

#include <algorithm>

namespace millrace::kernels::cpu {

namespace {

constexpr std::int64_t kChannels = 64; // handled together, on the stack

Status check(const Pool2d& p)
{
    MR_CHECK(requirePositive("pool2d", {{"batch", p.batch},
                                        {"height", p.height},
                                        {"width", p.width},
                                        {"channels", p.channels},
                                        {"kernel height", p.kernelHeight},
                                        {"kernel width", p.kernelWidth},
                                        {"stride", std::min(p.strideHeight, p.strideWidth)}}));
    if (std::min(p.padHeight, p.padWidth) < 0 || 2 * p.padHeight > p.kernelHeight || 2 * p.padWidth > p.kernelWidth)
        return makeError(Code::InvalidArgument,
                         str("pool2d: the padding ", p.padHeight, "×", p.padWidth,
                             " is not between 0 and half the window ", p.kernelHeight, "×", p.kernelWidth, "."));
    return requireFit("pool2d", p.kernelHeight, p.kernelWidth, p.height + 2 * p.padHeight, p.width + 2 * p.padWidth);
}

/// One window, cut to the image: rows top … bottom, columns left … right.
struct Window
{
    std::int64_t top, bottom, left, right;
};

MR_INLINE Window windowAt(const Pool2d& p, std::int64_t row, std::int64_t column)
{
    const std::int64_t top = row * p.strideHeight - p.padHeight, left = column * p.strideWidth - p.padWidth;
    return {std::max<std::int64_t>(top, 0), std::min(top + p.kernelHeight, p.height), std::max<std::int64_t>(left, 0),
            std::min(left + p.kernelWidth, p.width)};
}

/// 1 / the number of elements that an average counts: padding included or not, but never what lies beyond the padding.
MR_INLINE float averageFactor(const Pool2d& p, std::int64_t row, std::int64_t column)
{
    const Window w = windowAt(p, row, column);
    if (!p.countPadding) return 1.0F / static_cast<float>((w.bottom - w.top) * (w.right - w.left));
    return 1.0F / static_cast<float>(p.kernelHeight * p.kernelWidth);
}

/// Images begin … end.
MR_VECTORISED void maxForward(const Pool2d& p, const float* x, float* y, std::int64_t begin, std::int64_t end)
{
    const std::int64_t rows = p.outputHeight(), columns = p.outputWidth(), channels = p.channels;
    for (std::int64_t b = begin; b < end; ++b) {
        const float* image = x + b * p.height * p.width * channels;
        for (std::int64_t row = 0; row < rows; ++row) {
            for (std::int64_t column = 0; column < columns; ++column) {
                const Window w = windowAt(p, row, column);
                float* out = y + ((b * rows + row) * columns + column) * channels;
                std::copy_n(image + (w.top * p.width + w.left) * channels, channels, out);
                for (std::int64_t h = w.top; h < w.bottom; ++h) {
                    for (std::int64_t v = w.left; v < w.right; ++v) {
                        const float* in = image + (h * p.width + v) * channels;
                        for (std::int64_t c = 0; c < channels; ++c)
                            out[c] = ((in[c] > out[c]) | (in[c] != in[c])) ? in[c] : out[c];
                    }
                }
            }
        }
    }
}

/// The gradient of one window's outputs in channels first … first + width: each goes to its window's first maximum.
MR_INLINE void routeToMaximum(const Pool2d& p, const Window& w, const float* image, const float* dy, float* dImage,
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
                best[c] = better ? in[c] : best[c];
                where[c] = better ? index : where[c];
            }
        }
    }
    index = 0;
    for (std::int64_t h = w.top; h < w.bottom; ++h) {
        for (std::int64_t v = w.left; v < w.right; ++v, ++index) {
            float* out = dImage + (h * p.width + v) * p.channels + first;
            for (std::int64_t c = 0; c < width; ++c) {
                const float gradient = dy[first + c]; // read in any case: a choice, not a branch
                out[c] += where[c] == index ? gradient : 0.0F;
            }
        }
    }
}

MR_VECTORISED void maxBackward(const Pool2d& p, const float* x, const float* dy, float* dx, std::int64_t begin,
                               std::int64_t end)
{
    const std::int64_t rows = p.outputHeight(), columns = p.outputWidth(), imageSize = p.height * p.width * p.channels;
    std::fill(dx + begin * imageSize, dx + end * imageSize, 0.0F);
    for (std::int64_t b = begin; b < end; ++b) {
        for (std::int64_t row = 0; row < rows; ++row) {
            for (std::int64_t column = 0; column < columns; ++column) {
                const Window w = windowAt(p, row, column);
                const float* gradient = dy + ((b * rows + row) * columns + column) * p.channels;
                for (std::int64_t first = 0; first < p.channels; first += kChannels)
                    routeToMaximum(p, w, x + b * imageSize, gradient, dx + b * imageSize, first,
                                   std::min(kChannels, p.channels - first));
            }
        }
    }
}

MR_VECTORISED void averageForward(const Pool2d& p, const float* x, float* y, std::int64_t begin, std::int64_t end)
{
    const std::int64_t rows = p.outputHeight(), columns = p.outputWidth(), channels = p.channels;
    for (std::int64_t b = begin; b < end; ++b) {
        const float* image = x + b * p.height * p.width * channels;
        for (std::int64_t row = 0; row < rows; ++row) {
            for (std::int64_t column = 0; column < columns; ++column) {
                const Window w = windowAt(p, row, column);
                const float factor = averageFactor(p, row, column);
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

MR_VECTORISED void averageBackward(const Pool2d& p, const float* dy, float* dx, std::int64_t begin, std::int64_t end)
{
    const std::int64_t rows = p.outputHeight(), columns = p.outputWidth(), imageSize = p.height * p.width * p.channels;
    std::fill(dx + begin * imageSize, dx + end * imageSize, 0.0F);
    for (std::int64_t b = begin; b < end; ++b) {
        for (std::int64_t row = 0; row < rows; ++row) {
            for (std::int64_t column = 0; column < columns; ++column) {
                const Window w = windowAt(p, row, column);
                const float factor = averageFactor(p, row, column);
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

double imageNanoseconds(const Pool2d& p)
{
    return 0.2 * static_cast<double>(p.outputHeight() * p.outputWidth() * p.kernelHeight * p.kernelWidth * p.channels);
}

} // namespace

KernelResult makeMaxPool2d(const Pool2d& pool, int threads)
{
    MR_CHECK(check(pool));
    return makeKernel([pool, threads](const Arguments& arguments) {
        parallelFor(threads, pool.batch, imageNanoseconds(pool), [&](std::int64_t begin, std::int64_t end) {
            maxForward(pool, arguments.input(0), arguments.output(0), begin, end);
        });
    });
}

KernelResult makeMaxPool2dBackward(const Pool2d& pool, int threads)
{
    MR_CHECK(check(pool));
    return makeKernel([pool, threads](const Arguments& arguments) {
        parallelFor(threads, pool.batch, imageNanoseconds(pool), [&](std::int64_t begin, std::int64_t end) {
            maxBackward(pool, arguments.input(0), arguments.input(1), arguments.output(0), begin, end);
        });
    });
}

KernelResult makeAveragePool2d(const Pool2d& pool, int threads)
{
    MR_CHECK(check(pool));
    return makeKernel([pool, threads](const Arguments& arguments) {
        parallelFor(threads, pool.batch, imageNanoseconds(pool), [&](std::int64_t begin, std::int64_t end) {
            averageForward(pool, arguments.input(0), arguments.output(0), begin, end);
        });
    });
}

KernelResult makeAveragePool2dBackward(const Pool2d& pool, int threads)
{
    MR_CHECK(check(pool));
    return makeKernel([pool, threads](const Arguments& arguments) {
        parallelFor(threads, pool.batch, imageNanoseconds(pool), [&](std::int64_t begin, std::int64_t end) {
            averageBackward(pool, arguments.input(0), arguments.output(0), begin, end);
        });
    });
}

} // namespace millrace::kernels::cpu
