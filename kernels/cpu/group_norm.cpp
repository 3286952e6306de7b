// Group normalisation: per sample, sums over positions channel by channel, then the groups' statistics from them.
#include "kernels/ops/group_norm.h"

#include "kernels/cpu/channel_rows.h"
#include "kernels/cpu/make_kernel.h"
#include "kernels/cpu/parallel.h"

#include <algorithm>
#include <cmath>

namespace millrace::kernels::cpu {

namespace {

Status check(const GroupNorm& n)
{
    MR_CHECK(requirePositive(
        "group_norm",
        {{"batch", n.batch}, {"positions", n.positions}, {"channels", n.channels}, {"groups", n.groups}}));
    if (n.channels % n.groups == 0) return {};
    return makeError(Code::InvalidArgument,
                     str("group_norm: ", n.channels, " channels cannot be split into ", n.groups, " groups."));
}

double sampleNanoseconds(const GroupNorm& n)
{
    return 0.4 * static_cast<double>(n.positions * n.channels);
}

/// A piece's memory: two f64 sums per channel for a sample, two for all samples (backward), three f32 numbers per
/// channel.
struct Scratch
{
    Scratch(std::byte* memory, std::int64_t channels, std::int64_t piece)
        : sums(reinterpret_cast<double*>(memory + piece * sizeBytes(channels))), totals(sums + 2 * channels),
          a(reinterpret_cast<float*>(totals + 2 * channels)), b(a + channels), c(b + channels)
    {
    }
    static std::int64_t sizeBytes(std::int64_t channels)
    {
        const auto bytes = channels * static_cast<std::int64_t>(4 * sizeof(double) + 3 * sizeof(float));
        return (bytes + 63) / 64 * 64;
    }

    double *sums, *totals;
    float *a, *b, *c;
};

int piecesOf(const GroupNorm& n, int threads)
{
    return static_cast<double>(n.batch) * sampleNanoseconds(n) < kSplitNanoseconds ? 1 : threads;
}

std::uint64_t scratchBytes(const GroupNorm& n, int threads)
{
    return static_cast<std::uint64_t>(piecesOf(n, threads) * Scratch::sizeBytes(n.channels));
}

/// Runs piece(scratch, first sample, last sample) for pieces that cover the batch, one a thread.
template <class Piece> void inPieces(const GroupNorm& n, int threads, std::byte* memory, const Piece& piece)
{
    const int pieces = piecesOf(n, threads);
    const double nanoseconds = static_cast<double>(n.batch) * sampleNanoseconds(n) / pieces;
    parallelFor(threads, pieces, nanoseconds, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t p = begin; p < end; ++p)
            piece(Scratch(memory, n.channels, p), n.batch * p / pieces, n.batch * (p + 1) / pieces);
    });
}

void forwardSample(const GroupNorm& n, const Arguments& arguments, const Scratch& scratch, std::int64_t sample)
{
    const float* x = arguments.input(0) + sample * n.positions * n.channels;
    const float *scale = arguments.input(1), *bias = arguments.input(2);
    float *mean = arguments.output(1), *rstd = arguments.output(2);
    double *sums = scratch.sums, *squares = sums + n.channels;
    channel_rows::sum(x, sums, squares, n.channels, 0, n.positions);
    const std::int64_t width = n.channels / n.groups;
    const auto count = static_cast<double>(n.positions), all = static_cast<double>(n.positions * width);
    for (std::int64_t g = 0; g < n.groups; ++g) {
        double groupMean = 0, square = 0;
        // each channel's sums are about its own first element: their mean first, then the squares about that mean
        for (std::int64_t c = g * width; c < (g + 1) * width; ++c)
            groupMean += (static_cast<double>(x[c]) * count + sums[c]) / all;
        for (std::int64_t c = g * width; c < (g + 1) * width; ++c) {
            const double offset = static_cast<double>(x[c]) - groupMean;
            square += squares[c] + 2 * offset * sums[c] + count * offset * offset;
        }
        const double groupRstd = 1 / std::sqrt(std::max(square / all, 0.0) + n.epsilon);
        if (mean) mean[sample * n.groups + g] = static_cast<float>(groupMean);
        if (rstd) rstd[sample * n.groups + g] = static_cast<float>(groupRstd);
        for (std::int64_t c = g * width; c < (g + 1) * width; ++c) {
            const double factor = groupRstd * static_cast<double>(scale[c]);
            scratch.a[c] = static_cast<float>(factor);
            scratch.b[c] = static_cast<float>(static_cast<double>(bias[c]) - groupMean * factor);
        }
    }
    float* y = arguments.output(0) + sample * n.positions * n.channels;
    channel_rows::scale(x, y, scratch.a, scratch.b, n.channels, 0, n.positions);
}

void backwardSample(const GroupNorm& n, const Arguments& arguments, const Scratch& scratch, std::int64_t sample)
{
    const std::int64_t size = n.positions * n.channels, width = n.channels / n.groups;
    const float *x = arguments.input(0) + sample * size, *dy = arguments.input(4) + sample * size;
    const float *scale = arguments.input(1), *mean = arguments.input(2) + sample * n.groups,
                *rstd = arguments.input(3) + sample * n.groups;
    float* means = scratch.c; // each channel's group's
    for (std::int64_t c = 0; c < n.channels; ++c) means[c] = mean[c / width];
    double *sums = scratch.sums, *products = sums + n.channels;
    channel_rows::sumBackward(x, dy, means, sums, products, n.channels, 0, n.positions);
    float *factor = scratch.a, *slope = scratch.b;
    for (std::int64_t g = 0; g < n.groups; ++g) {
        const auto groupRstd = static_cast<double>(rstd[g]);
        double sum = 0, product = 0;
        for (std::int64_t c = g * width; c < (g + 1) * width; ++c) {
            products[c] *= groupRstd;
            sum += sums[c] * static_cast<double>(scale[c]);
            product += products[c] * static_cast<double>(scale[c]);
            scratch.totals[c] += products[c];
            scratch.totals[n.channels + c] += sums[c];
        }
        const double perElement = groupRstd / static_cast<double>(n.positions * width);
        for (std::int64_t c = g * width; c < (g + 1) * width; ++c) {
            factor[c] = static_cast<float>(groupRstd * static_cast<double>(scale[c]));
            slope[c] = static_cast<float>(-perElement * groupRstd * product);
            // dx's constant: with it the sums over the group are of dy's deviation from its mean
            sums[c] = -perElement * sum;
        }
    }
    float* dx = arguments.output(0);
    if (!dx) return;
    auto* shift = reinterpret_cast<float*>(products); // no longer needed
    for (std::int64_t c = 0; c < n.channels; ++c) shift[c] = static_cast<float>(sums[c]);
    channel_rows::inputGradient({x, dy, means, factor, slope, shift}, dx + sample * size, n.channels, 0, n.positions);
}

void backward(const GroupNorm& n, int threads, const Arguments& arguments)
{
    inPieces(n, threads, arguments.scratch, [&](const Scratch& scratch, std::int64_t first, std::int64_t last) {
        std::fill_n(scratch.totals, 2 * n.channels, 0.0);
        for (std::int64_t b = first; b < last; ++b) backwardSample(n, arguments, scratch, b);
    });
    double* totals = Scratch(arguments.scratch, n.channels, 0).totals;
    for (int p = 1; p < piecesOf(n, threads); ++p) {
        const double* other = Scratch(arguments.scratch, n.channels, p).totals;
        for (std::int64_t c = 0; c < 2 * n.channels; ++c) totals[c] += other[c];
    }
    float *dscale = arguments.output(1), *dbias = arguments.output(2);
    for (std::int64_t c = 0; dscale && c < n.channels; ++c) dscale[c] = static_cast<float>(totals[c]);
    for (std::int64_t c = 0; dbias && c < n.channels; ++c) dbias[c] = static_cast<float>(totals[n.channels + c]);
}

} // namespace

KernelResult makeGroupNorm(const GroupNorm& norm, int threads)
{
    MR_CHECK(check(norm));
    const auto run = [norm, threads](const Arguments& arguments) {
        inPieces(norm, threads, arguments.scratch, [&](const Scratch& scratch, std::int64_t first, std::int64_t last) {
            for (std::int64_t b = first; b < last; ++b) forwardSample(norm, arguments, scratch, b);
        });
    };
    return makeKernel(run, scratchBytes(norm, threads));
}

KernelResult makeGroupNormBackward(const GroupNorm& norm, int threads)
{
    MR_CHECK(check(norm));
    return makeKernel([norm, threads](const Arguments& arguments) { backward(norm, threads, arguments); },
                      scratchBytes(norm, threads));
}

} // namespace millrace::kernels::cpu
