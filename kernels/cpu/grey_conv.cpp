#include "kernels/cpu/grey_conv.h"

#include "kernels/cpu/parallel.h"
#include "kernels/cpu/vector_math.h"

#include <algorithm>

namespace millrace::kernels::cpu {

namespace {

constexpr std::int64_t kLanes = 16, kStrip = 2 * kLanes; // pixels of a vector, and computed together
constexpr std::int64_t kFilters = 16;                    // there are fewer

using Lanes __attribute__((vector_size(kLanes * sizeof(float)), may_alias, aligned(4))) = float;

MR_INLINE Lanes load(const float* values)
{
    return *reinterpret_cast<const Lanes*>(values);
}

/// Sizes of one image: padded input rows and transposed result rows are so long that whole strips can be read.
struct Layout
{
    explicit Layout(const Conv2d& c)
        : kernel(c.kernelHeight), height(c.height), width(c.width), padding(c.padHeight), filters(c.outputChannels),
          rows(c.outputHeight()), columns(c.outputWidth()), strips((columns + kStrip - 1) / kStrip),
          paddedRow(strips * kStrip + kernel - 1 + kLanes), paddedRows(height + 2 * padding), resultRow(strips * kStrip)
    {
    }
    std::int64_t paddedFloats() const { return paddedRow * paddedRows; }
    std::int64_t resultFloats() const { return resultRow * rows * filters; }
    std::int64_t weightFloats() const { return filters * kernel * kernel; }

    std::int64_t kernel, height, width, padding, filters, rows, columns, strips, paddedRow, paddedRows, resultRow;
};

/// What one thread works in.
struct Workspace
{
    static std::int64_t floats(const Layout& l)
    {
        return l.paddedFloats() + l.resultFloats() + l.weightFloats() + 2 * (l.weightFloats() + l.filters);
    }
    Workspace(std::byte* scratch, const Layout& l, std::int64_t piece)
        : sums(reinterpret_cast<double*>(scratch) + piece * ((floats(l) + 1) / 2)),
          padded(reinterpret_cast<float*>(sums + l.weightFloats() + l.filters)), results(padded + l.paddedFloats()),
          weight(results + l.resultFloats())
    {
    }
    double* sums; ///< of the weights' and then the biases' gradients
    float *padded, *results, *weight;
};

void padImage(const Layout& l, const float* image, float* padded)
{
    std::fill_n(padded, l.paddedFloats(), 0.0F);
    for (std::int64_t r = 0; r < l.height; ++r)
        std::copy_n(image + r * l.width, l.width, padded + (r + l.padding) * l.paddedRow + l.padding);
}

/// One strip of a row of results for `count` filters from `first` on.
template <int count>
MR_INLINE void strip(const Layout& l, const float* padded, const float* weight, const float* bias, std::int64_t first,
                     float* out, std::int64_t columns)
{
    Lanes sums[count][2];
    for (int f = 0; f < count; ++f) sums[f][0] = sums[f][1] = Lanes{} + (bias ? bias[first + f] : 0.0F);
    for (std::int64_t u = 0; u < l.kernel; ++u) {
        for (std::int64_t v = 0; v < l.kernel; ++v) {
            const float* pixels = padded + u * l.paddedRow + v;
            const Lanes left = load(pixels), right = load(pixels + kLanes);
            const float* taps = weight + (u * l.kernel + v) * l.filters + first;
#pragma GCC unroll 8
            for (int f = 0; f < count; ++f) {
                sums[f][0] += left * taps[f];
                sums[f][1] += right * taps[f];
            }
        }
    }
    float values[count][kStrip];
    for (int f = 0; f < count; ++f) {
        *reinterpret_cast<Lanes*>(values[f]) = sums[f][0];
        *reinterpret_cast<Lanes*>(values[f] + kLanes) = sums[f][1];
    }
    for (std::int64_t c = 0; c < columns; ++c)
        for (int f = 0; f < count; ++f) out[c * l.filters + first + f] = values[f][c];
}

MR_VECTORISED void convolveImage(const Layout& l, const float* padded, const float* weight, const float* bias, float* y)
{
    for (std::int64_t r = 0; r < l.rows; ++r) {
        for (std::int64_t s = 0; s < l.strips; ++s) {
            const float* from = padded + r * l.paddedRow + s * kStrip;
            float* to = y + (r * l.columns + s * kStrip) * l.filters;
            const std::int64_t columns = std::min(kStrip, l.columns - s * kStrip);
            std::int64_t first = 0;
            for (; first + 6 <= l.filters; first += 6) strip<6>(l, from, weight, bias, first, to, columns);
            for (; first + 2 <= l.filters; first += 2) strip<2>(l, from, weight, bias, first, to, columns);
            for (; first < l.filters; ++first) strip<1>(l, from, weight, bias, first, to, columns);
        }
    }
}

/// results[filter][row][column] of one image's dy, zero beyond the last column.
void transposeResults(const Layout& l, const float* dy, float* results)
{
    std::fill_n(results, l.resultFloats(), 0.0F);
    for (std::int64_t r = 0; r < l.rows; ++r)
        for (std::int64_t c = 0; c < l.columns; ++c)
            for (std::int64_t f = 0; f < l.filters; ++f)
                results[(f * l.rows + r) * l.resultRow + c] = dy[(r * l.columns + c) * l.filters + f];
}

MR_INLINE double total(const Lanes& lanes)
{
    double sum = 0;
    for (int i = 0; i < kLanes; ++i) sum += static_cast<double>(lanes[i]);
    return sum;
}

/// Adds one image's share to the sums of one filter's row of taps.
template <int kernel> MR_INLINE void addTaps(const Layout& l, const float* padded, const float* results, double* sums)
{
    Lanes products[kernel] = {};
    for (std::int64_t r = 0; r < l.rows; ++r) {
        for (std::int64_t c = 0; c < l.resultRow; c += kLanes) {
            const Lanes gradient = load(results + r * l.resultRow + c);
            const float* pixels = padded + r * l.paddedRow + c;
#pragma GCC unroll 8
            for (int v = 0; v < kernel; ++v) products[v] += load(pixels + v) * gradient;
        }
    }
    for (int v = 0; v < kernel; ++v) sums[v] += total(products[v]);
}

MR_VECTORISED void addImageGradient(const Layout& l, const float* padded, const float* results, double* sums)
{
    const std::int64_t K = l.kernel;
    for (std::int64_t f = 0; f < l.filters; ++f) {
        const float* rows = results + f * l.rows * l.resultRow;
        for (std::int64_t u = 0; u < K; ++u) {
            double* taps = sums + (f * K + u) * K;
            if (K == 3) addTaps<3>(l, padded + u * l.paddedRow, rows, taps);
            if (K == 5) addTaps<5>(l, padded + u * l.paddedRow, rows, taps);
            if (K == 7) addTaps<7>(l, padded + u * l.paddedRow, rows, taps);
        }
        Lanes bias{};
        for (std::int64_t i = 0; i < l.rows * l.resultRow; i += kLanes) bias += load(rows + i);
        sums[l.weightFloats() + f] += total(bias);
    }
}

double imageNanoseconds(const Layout& l)
{
    return 0.1 * static_cast<double>(l.rows * l.strips * kStrip * l.weightFloats()) / kLanes;
}

} // namespace

bool GreyConvolution::suits(const Conv2d& c)
{
    const bool square = c.kernelHeight == c.kernelWidth && c.padHeight == c.padWidth && c.padHeight < c.kernelHeight;
    const bool plain =
        c.strideHeight == 1 && c.strideWidth == 1 && c.dilationHeight == 1 && c.dilationWidth == 1 && c.groups == 1;
    const bool size = c.kernelWidth == 3 || c.kernelWidth == 5 || c.kernelWidth == 7;
    return c.channels == 1 && c.outputChannels < kFilters && square && plain && size;
}

GreyConvolution::GreyConvolution(const Conv2d& conv, int threads) : m_conv(conv), m_threads(threads) {}

std::uint64_t GreyConvolution::scratchBytes() const
{
    return static_cast<std::uint64_t>(m_threads * ((Workspace::floats(Layout(m_conv)) + 1) / 2)) * sizeof(double);
}

void GreyConvolution::forward(const float* x, const float* weight, const float* bias, float* y,
                              std::byte* scratch) const
{
    const Layout l(m_conv);
    parallelFor(m_threads, m_threads, imageNanoseconds(l) * static_cast<double>(m_conv.batch) / m_threads,
                [&](std::int64_t begin, std::int64_t end) {
                    for (std::int64_t piece = begin; piece < end; ++piece) {
                        const Workspace w(scratch, l, piece);
                        for (std::int64_t f = 0; f < l.filters; ++f)
                            for (std::int64_t t = 0; t < l.kernel * l.kernel; ++t)
                                w.weight[t * l.filters + f] = weight[f * l.kernel * l.kernel + t];
                        for (std::int64_t b = m_conv.batch * piece / m_threads;
                             b < m_conv.batch * (piece + 1) / m_threads; ++b) {
                            padImage(l, x + b * l.height * l.width, w.padded);
                            convolveImage(l, w.padded, w.weight, bias, y + b * l.rows * l.columns * l.filters);
                        }
                    }
                });
}

void GreyConvolution::backwardWeights(const float* x, const float* dy, float* dweight, float* dbias,
                                      std::byte* scratch) const
{
    const Layout l(m_conv);
    const std::int64_t sums = l.weightFloats() + l.filters;
    parallelFor(m_threads, m_threads, imageNanoseconds(l) * static_cast<double>(m_conv.batch) / m_threads,
                [&](std::int64_t begin, std::int64_t end) {
                    for (std::int64_t piece = begin; piece < end; ++piece) {
                        const Workspace w(scratch, l, piece);
                        std::fill_n(w.sums, sums, 0.0);
                        for (std::int64_t b = m_conv.batch * piece / m_threads;
                             b < m_conv.batch * (piece + 1) / m_threads; ++b) {
                            padImage(l, x + b * l.height * l.width, w.padded);
                            transposeResults(l, dy + b * l.rows * l.columns * l.filters, w.results);
                            addImageGradient(l, w.padded, w.results, w.sums);
                        }
                    }
                });
    for (std::int64_t i = 0; i < sums; ++i) {
        double sum = 0;
        for (int piece = 0; piece < m_threads; ++piece) sum += Workspace(scratch, l, piece).sums[i];
        if (i < l.weightFloats() && dweight) dweight[i] = static_cast<float>(sum);
        if (i >= l.weightFloats() && dbias) dbias[i - l.weightFloats()] = static_cast<float>(sum);
    }
}

} // namespace millrace::kernels::cpu
