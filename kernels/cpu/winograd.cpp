#include "kernels/cpu/winograd.h"

#include "kernels/cpu/onednn.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/vector_math.h"

#include <algorithm>
#include <cstring>

namespace millrace::kernels::cpu {

namespace {

constexpr std::int64_t kLanes = 16;     // channels transformed together
constexpr std::int64_t kTile = 4;       // results of a tile in each direction
constexpr std::int64_t kPatch = 6;      // pixels that they see
constexpr std::int64_t kPositions = 36; // of a transformed tile
constexpr std::int64_t kChunkBytes = 16 << 20;

using Lanes __attribute__((vector_size(kLanes * sizeof(float)), may_alias, aligned(4))) = float;

MR_INLINE Lanes load(const float* values)
{
    return *reinterpret_cast<const Lanes*>(values);
}

MR_INLINE void store(float* values, const Lanes& lanes)
{
    *reinterpret_cast<Lanes*>(values) = lanes;
}

// The one-dimensional transforms, each of a column of Lanes with the given steps between its elements.

/// out (6) = Bt in (6)
MR_INLINE void transformPatch(const Lanes* in, std::int64_t inStep, Lanes* out, std::int64_t outStep)
{
    const Lanes d0 = in[0], d1 = in[inStep], d2 = in[2 * inStep], d3 = in[3 * inStep], d4 = in[4 * inStep],
                d5 = in[5 * inStep];
    const Lanes even = d4 - 4.0F * d2, odd = d3 - 4.0F * d1;
    const Lanes farEven = d4 - d2, farOdd = 2.0F * (d3 - d1);
    out[0] = 4.0F * d0 - 5.0F * d2 + d4;
    out[outStep] = even + odd;
    out[2 * outStep] = even - odd;
    out[3 * outStep] = farEven + farOdd;
    out[4 * outStep] = farEven - farOdd;
    out[5 * outStep] = 4.0F * d1 - 5.0F * d3 + d5;
}

/// out (4) = At in (6)
MR_INLINE void transformProducts(const Lanes* in, std::int64_t inStep, Lanes* out, std::int64_t outStep)
{
    const Lanes near = in[inStep] + in[2 * inStep], nearOdd = in[inStep] - in[2 * inStep];
    const Lanes far = in[3 * inStep] + in[4 * inStep], farOdd = in[3 * inStep] - in[4 * inStep];
    out[0] = in[0] + near + far;
    out[outStep] = nearOdd + 2.0F * farOdd;
    out[2 * outStep] = near + 4.0F * far;
    out[3 * outStep] = nearOdd + 8.0F * farOdd + in[5 * inStep];
}

/// out (6) = A in (4), the transpose of transformProducts
MR_INLINE void transformResults(const Lanes* in, std::int64_t inStep, Lanes* out, std::int64_t outStep)
{
    const Lanes y0 = in[0], y1 = in[inStep], y2 = in[2 * inStep], y3 = in[3 * inStep];
    const Lanes even = y0 + y2, odd = y1 + y3;
    const Lanes farEven = y0 + 4.0F * y2, farOdd = 2.0F * y1 + 8.0F * y3;
    out[0] = y0;
    out[outStep] = even + odd;
    out[2 * outStep] = even - odd;
    out[3 * outStep] = farEven + farOdd;
    out[4 * outStep] = farEven - farOdd;
    out[5 * outStep] = y3;
}

/// out (6) = G in (3)
MR_INLINE void transformFilter(const Lanes* in, std::int64_t inStep, Lanes* out, std::int64_t outStep)
{
    const Lanes g0 = in[0], g1 = in[inStep], g2 = in[2 * inStep];
    const Lanes even = (g0 + g2) * (-1.0F / 6), odd = g1 * (-1.0F / 6);
    const Lanes farEven = g0 * (1.0F / 24) + g2 * (1.0F / 6), farOdd = g1 * (1.0F / 12);
    out[0] = g0 * 0.25F;
    out[outStep] = even + odd;
    out[2 * outStep] = even - odd;
    out[3 * outStep] = farEven + farOdd;
    out[4 * outStep] = farEven - farOdd;
    out[5 * outStep] = g2;
}

/// out (3) = Gt in (6)
MR_INLINE void transformFilterProducts(const Lanes* in, std::int64_t inStep, Lanes* out, std::int64_t outStep)
{
    const Lanes near = (in[inStep] + in[2 * inStep]) * (-1.0F / 6);
    const Lanes nearOdd = (in[inStep] - in[2 * inStep]) * (-1.0F / 6);
    const Lanes far = in[3 * inStep] + in[4 * inStep], farOdd = in[3 * inStep] - in[4 * inStep];
    out[0] = in[0] * 0.25F + near + far * (1.0F / 24);
    out[outStep] = nearOdd + farOdd * (1.0F / 12);
    out[2 * outStep] = near + far * (1.0F / 6) + in[5 * inStep];
}

/// A grid of tiles that covers an image (B,H,W,C).
struct Grid
{
    std::int64_t height, width, channels; ///< of the image
    std::int64_t tileRows, tileColumns;   ///< of one image
    std::int64_t step, origin;            ///< pixels from tile to tile, and of the first before the image

    struct Corner
    {
        std::int64_t image, row, column; ///< of the first pixel; may lie outside the image
    };
    Corner corner(std::int64_t tile) const
    {
        const std::int64_t each = tileRows * tileColumns, within = tile % each;
        return {tile / each, within / tileColumns * step - origin, within % tileColumns * step - origin};
    }
};

/// Reads size×size pixels of some channels from the corner on; those outside the image are zero.
template <std::int64_t size>
MR_INLINE void readPixels(const float* image, const Grid& grid, Grid::Corner corner, std::int64_t channel,
                          Lanes* pixels)
{
    for (std::int64_t r = 0; r < size; ++r) {
        const std::int64_t row = corner.row + r;
        const float* line = image + ((corner.image * grid.height + row) * grid.width) * grid.channels + channel;
        for (std::int64_t c = 0; c < size; ++c) {
            const std::int64_t column = corner.column + c;
            const bool inside = row >= 0 && row < grid.height && column >= 0 && column < grid.width;
            pixels[r * size + c] = inside ? load(line + column * grid.channels) : Lanes{};
        }
    }
}

/// transformed[position][tile - first][channel] = Bt d B of the tiles begin … end; `slab` is one position's length.
MR_VECTORISED void transformPatches(const float* image, const Grid& grid, std::int64_t first, std::int64_t begin,
                                    std::int64_t end, float* transformed, std::int64_t slab)
{
    for (std::int64_t tile = begin; tile < end; ++tile) {
        const Grid::Corner corner = grid.corner(tile);
        float* to = transformed + (tile - first) * grid.channels;
        for (std::int64_t c = 0; c < grid.channels; c += kLanes) {
            Lanes d[kPositions], half[kPositions];
            readPixels<kPatch>(image, grid, corner, c, d);
            for (int i = 0; i < kPatch; ++i) transformPatch(d + i, kPatch, half + i, kPatch);
            for (int i = 0; i < kPatch; ++i) transformPatch(half + i * kPatch, 1, d + i * kPatch, 1);
            for (std::int64_t p = 0; p < kPositions; ++p) store(to + p * slab + c, d[p]);
        }
    }
}

/// transformed[position][tile - first][channel] = A y At of the tiles begin … end.
MR_VECTORISED void transformResultTiles(const float* image, const Grid& grid, std::int64_t first, std::int64_t begin,
                                        std::int64_t end, float* transformed, std::int64_t slab)
{
    for (std::int64_t tile = begin; tile < end; ++tile) {
        const Grid::Corner corner = grid.corner(tile);
        float* to = transformed + (tile - first) * grid.channels;
        for (std::int64_t c = 0; c < grid.channels; c += kLanes) {
            Lanes y[kTile * kTile], half[kPatch * kTile], full[kPositions];
            readPixels<kTile>(image, grid, corner, c, y);
            for (int i = 0; i < kTile; ++i) transformResults(y + i, kTile, half + i, kTile);
            for (int i = 0; i < kPatch; ++i) transformResults(half + i * kTile, 1, full + i * kPatch, 1);
            for (std::int64_t p = 0; p < kPositions; ++p) store(to + p * slab + c, full[p]);
        }
    }
}

/// The results At m A of the tiles begin … end, written where they lie inside the image.
MR_VECTORISED void writeResults(const float* products, std::int64_t slab, const float* bias, const Grid& grid,
                                std::int64_t first, std::int64_t begin, std::int64_t end, float* image)
{
    for (std::int64_t tile = begin; tile < end; ++tile) {
        const Grid::Corner corner = grid.corner(tile);
        const float* from = products + (tile - first) * grid.channels;
        for (std::int64_t c = 0; c < grid.channels; c += kLanes) {
            Lanes m[kPositions], half[kTile * kPatch], y[kTile * kTile];
            for (std::int64_t p = 0; p < kPositions; ++p) m[p] = load(from + p * slab + c);
            for (int i = 0; i < kPatch; ++i) transformProducts(m + i, kPatch, half + i, kPatch);
            for (int i = 0; i < kTile; ++i) transformProducts(half + i * kPatch, 1, y + i * kTile, 1);
            const Lanes shift = bias ? load(bias + c) : Lanes{};
            const std::int64_t rows = std::min(kTile, grid.height - corner.row);
            const std::int64_t columns = std::min(kTile, grid.width - corner.column);
            for (std::int64_t r = 0; r < rows; ++r) {
                float* line =
                    image +
                    ((corner.image * grid.height + corner.row + r) * grid.width + corner.column) * grid.channels + c;
                for (std::int64_t k = 0; k < columns; ++k) store(line + k * grid.channels, y[r * kTile + k] + shift);
            }
        }
    }
}

/// transformed[position][o][c] = G g Gt of the filters begin … end, g turned by 180 degrees where `turned`.
MR_VECTORISED void transformFilters(const float* weight, const Conv2d& conv, bool turned, std::int64_t begin,
                                    std::int64_t end, float* transformed)
{
    const std::int64_t C = conv.channels, slab = conv.outputChannels * C;
    for (std::int64_t o = begin; o < end; ++o) {
        for (std::int64_t c = 0; c < C; c += kLanes) {
            Lanes g[9], half[18], full[kPositions];
            for (std::int64_t k = 0; k < 9; ++k) g[turned ? 8 - k : k] = load(weight + (o * 9 + k) * C + c);
            for (int i = 0; i < 3; ++i) transformFilter(g + i, 3, half + i, 3);
            for (int i = 0; i < kPatch; ++i) transformFilter(half + i * 3, 1, full + i * kPatch, 1);
            for (std::int64_t p = 0; p < kPositions; ++p) store(transformed + p * slab + o * C + c, full[p]);
        }
    }
}

/// dweight[o][·][c] = Gt u G of the filters begin … end.
MR_VECTORISED void writeFilterGradients(const float* products, const Conv2d& conv, std::int64_t begin, std::int64_t end,
                                        float* dweight)
{
    const std::int64_t C = conv.channels, slab = conv.outputChannels * C;
    for (std::int64_t o = begin; o < end; ++o) {
        for (std::int64_t c = 0; c < C; c += kLanes) {
            Lanes u[kPositions], half[18], g[9];
            for (std::int64_t p = 0; p < kPositions; ++p) u[p] = load(products + p * slab + o * C + c);
            for (int i = 0; i < kPatch; ++i) transformFilterProducts(u + i, kPatch, half + i, kPatch);
            for (int i = 0; i < 3; ++i) transformFilterProducts(half + i * kPatch, 1, g + i * 3, 1);
            for (std::int64_t k = 0; k < 9; ++k) store(dweight + (o * 9 + k) * C + c, g[k]);
        }
    }
}

/// sums[c] = sum over the rows of values (rows, channels), for channels begin to end. Blocks of rows are summed in f32
/// and added up in f64.
MR_VECTORISED void sumRows(const float* values, std::int64_t rows, std::int64_t channels, std::int64_t begin,
                           std::int64_t end, float* sums)
{
    constexpr std::int64_t kBlock = 256;
    for (std::int64_t c = begin; c < end; c += kLanes) {
        double total[kLanes] = {};
        for (std::int64_t first = 0; first < rows; first += kBlock) {
            Lanes sum{};
            for (std::int64_t r = first; r < std::min(first + kBlock, rows); ++r)
                sum += load(values + r * channels + c);
            for (int lane = 0; lane < kLanes; ++lane) total[lane] += static_cast<double>(sum[lane]);
        }
        for (int lane = 0; lane < kLanes; ++lane) sums[c + lane] = static_cast<float>(total[lane]);
    }
}

std::int64_t tilesOver(std::int64_t results)
{
    return (results + kTile - 1) / kTile;
}

/// The tiles of one product: patches of one image make results of another.
struct Tiling
{
    Grid patches, results;
    std::int64_t tiles, chunk; ///< in all, and taken together
};

/// A convolution of `conv`'s batch from (H,W,C) to (OH,OW,O) images.
Tiling tilingOf(std::int64_t batch, Grid from, Grid to, std::int64_t padding)
{
    const std::int64_t rows = tilesOver(to.height), columns = tilesOver(to.width);
    const std::int64_t tiles = batch * rows * columns;
    const std::int64_t bytesEach =
        kPositions * (from.channels + to.channels) * static_cast<std::int64_t>(sizeof(float));
    from.tileRows = to.tileRows = rows, from.tileColumns = to.tileColumns = columns;
    from.step = to.step = kTile, from.origin = padding, to.origin = 0;
    return {from, to, tiles,
            std::clamp<std::int64_t>(kChunkBytes / bytesEach, std::min<std::int64_t>(tiles, 64), tiles)};
}

Grid imageOf(const Conv2d& c)
{
    return {c.height, c.width, c.channels, 0, 0, 0, 0};
}

Grid resultOf(const Conv2d& c)
{
    return {c.outputHeight(), c.outputWidth(), c.outputChannels, 0, 0, 0, 0};
}

Tiling forwardTiling(const Conv2d& c)
{
    return tilingOf(c.batch, imageOf(c), resultOf(c), c.padHeight);
}

Tiling backwardTiling(const Conv2d& c)
{
    return tilingOf(c.batch, resultOf(c), imageOf(c), 2 - c.padHeight);
}

std::int64_t chunkFloats(const Tiling& t)
{
    return kPositions * t.chunk * (t.patches.channels + t.results.channels);
}

std::int64_t filterFloats(const Conv2d& c)
{
    return kPositions * c.outputChannels * c.channels;
}

/// Nanoseconds to transform one tile of so many channels, on one thread.
double tileNanoseconds(std::int64_t channels)
{
    return 3.0 * static_cast<double>(channels);
}

/// The chunk's 36 products, each on one thread.
template <class Product> void multiplyPositions(int threads, const Product& product)
{
    parallelFor(threads, kPositions, kSplitNanoseconds, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t p = begin; p < end; ++p) product(p);
    });
}

/// results = convolution of the image; filters[position][o][c], their rows the results' channels unless `transposed`.
void convolve(const Tiling& t, const float* image, const float* filters, bool transposed, const float* bias,
              float* results, float* memory, int threads)
{
    const std::int64_t C = t.patches.channels, O = t.results.channels;
    float *patches = memory, *products = memory + kPositions * t.chunk * C;
    for (std::int64_t first = 0; first < t.tiles; first += t.chunk) {
        const std::int64_t count = std::min(t.chunk, t.tiles - first);
        parallelFor(threads, count, tileNanoseconds(C), [&](std::int64_t begin, std::int64_t end) {
            transformPatches(image, t.patches, first, first + begin, first + end, patches, count * C);
        });
        multiplyPositions(threads, [&](std::int64_t p) {
            onednn::multiply(count, O, C, {patches + p * count * C, C},
                             {filters + p * O * C, transposed ? O : C, !transposed}, false, products + p * count * O,
                             1);
        });
        parallelFor(threads, count, tileNanoseconds(O), [&](std::int64_t begin, std::int64_t end) {
            writeResults(products, count * O, bias, t.results, first, first + begin, first + end, results);
        });
    }
}

} // namespace

bool Winograd::suits(const Conv2d& c)
{
    if (c.kernelHeight != 3 || c.kernelWidth != 3 || c.groups != 1) return false;
    if (c.strideHeight != 1 || c.strideWidth != 1 || c.dilationHeight != 1 || c.dilationWidth != 1) return false;
    if (c.padHeight != c.padWidth || c.padHeight > 2) return false;
    if (c.channels % kLanes != 0 || c.outputChannels % kLanes != 0) return false;
    if (std::min(c.channels, c.outputChannels) < 32) return false;
    // what the tiles cover beyond the image is computed in vain
    const double tiles = static_cast<double>(tilesOver(c.outputHeight()) * tilesOver(c.outputWidth()));
    const double pixels = static_cast<double>(c.outputHeight() * c.outputWidth());
    return kPositions * tiles < 0.6 * 9 * pixels;
}

Winograd::Winograd(const Conv2d& conv, int threads) : m_conv(conv), m_threads(threads) {}

std::uint64_t Winograd::scratchBytes() const
{
    const std::int64_t chunk = std::max(chunkFloats(forwardTiling(m_conv)), chunkFloats(backwardTiling(m_conv)));
    return static_cast<std::uint64_t>(filterFloats(m_conv) + chunk) * sizeof(float);
}

void Winograd::forward(const float* x, const float* weight, const float* bias, float* y, std::byte* scratch) const
{
    float* filters = reinterpret_cast<float*>(scratch);
    parallelFor(
        m_threads, m_conv.outputChannels, tileNanoseconds(m_conv.channels),
        [&](std::int64_t begin, std::int64_t end) { transformFilters(weight, m_conv, false, begin, end, filters); });
    convolve(forwardTiling(m_conv), x, filters, false, bias, y, filters + filterFloats(m_conv), m_threads);
}

void Winograd::backwardData(const float* weight, const float* dy, float* dx, std::byte* scratch) const
{
    float* filters = reinterpret_cast<float*>(scratch);
    parallelFor(
        m_threads, m_conv.outputChannels, tileNanoseconds(m_conv.channels),
        [&](std::int64_t begin, std::int64_t end) { transformFilters(weight, m_conv, true, begin, end, filters); });
    convolve(backwardTiling(m_conv), dy, filters, true, nullptr, dx, filters + filterFloats(m_conv), m_threads);
}

void Winograd::backwardWeights(const float* x, const float* dy, float* dweight, float* dbias, std::byte* scratch) const
{
    if (dbias) sumBias(dy, dbias);
    if (!dweight) return;
    const Tiling t = forwardTiling(m_conv);
    const std::int64_t C = m_conv.channels, O = m_conv.outputChannels;
    float* sums = reinterpret_cast<float*>(scratch);
    float *patches = sums + filterFloats(m_conv), *results = patches + kPositions * t.chunk * C;
    for (std::int64_t first = 0; first < t.tiles; first += t.chunk) {
        const std::int64_t count = std::min(t.chunk, t.tiles - first);
        parallelFor(m_threads, count, tileNanoseconds(C + O), [&](std::int64_t begin, std::int64_t end) {
            transformPatches(x, t.patches, first, first + begin, first + end, patches, count * C);
            transformResultTiles(dy, t.results, first, first + begin, first + end, results, count * O);
        });
        multiplyPositions(m_threads, [&](std::int64_t p) {
            onednn::multiply(O, C, count, {results + p * count * O, O, true}, {patches + p * count * C, C}, first > 0,
                             sums + p * O * C, 1);
        });
    }
    parallelFor(m_threads, O, tileNanoseconds(C),
                [&](std::int64_t begin, std::int64_t end) { writeFilterGradients(sums, m_conv, begin, end, dweight); });
}

void Winograd::sumBias(const float* dy, float* dbias) const
{
    const std::int64_t rows = m_conv.batch * m_conv.outputHeight() * m_conv.outputWidth(), O = m_conv.outputChannels;
    parallelFor(m_threads, O / kLanes, static_cast<double>(rows), [&](std::int64_t begin, std::int64_t end) {
        sumRows(dy, rows, O, begin * kLanes, end * kLanes, dbias);
    });
}

} // namespace millrace::kernels::cpu
