// Batch normalisation: rows are cut into one piece per thread, each piece gives f64 sums per channel, and the pieces
// are added in their order.
#include "kernels/ops/batch_norm.h"

#include "kernels/cpu/channel_rows.h"
#include "kernels/cpu/make_kernel.h"
#include "kernels/cpu/parallel.h"

#include <algorithm>
#include <cmath>

namespace millrace::kernels::cpu {

namespace {

/// The scratch memory: two f64 sums per channel and piece, and three f32 coefficients per channel.
struct Scratch
{
    Scratch(std::byte* memory, const BatchNorm& norm, int pieces)
        : sums(reinterpret_cast<double*>(memory)), pieceStep(2 * norm.channels),
          coefficients(reinterpret_cast<float*>(sums + pieces * pieceStep))
    {
    }
    static std::uint64_t sizeBytes(const BatchNorm& norm, int pieces)
    {
        return static_cast<std::uint64_t>(norm.channels) *
               (2 * static_cast<std::uint64_t>(pieces) * sizeof(double) + 3 * sizeof(float));
    }

    double* sums;
    std::int64_t pieceStep;
    float* coefficients;
};

double rowNanoseconds(const BatchNorm& norm)
{
    return 0.2 * static_cast<double>(norm.channels);
}

/// Runs sum(begin, end, sums, second sums) over the rows in pieces and leaves the totals in the first piece's place.
template <class Sum> void totals(const BatchNorm& norm, int threads, const Scratch& scratch, const Sum& sum)
{
    const double nanoseconds = static_cast<double>(norm.rows) * rowNanoseconds(norm);
    const int pieces = nanoseconds < kSplitNanoseconds ? 1 : threads;
    parallelFor(threads, pieces, nanoseconds / pieces, [&](std::int64_t beginPiece, std::int64_t endPiece) {
        for (std::int64_t p = beginPiece; p < endPiece; ++p) {
            double* sums = scratch.sums + p * scratch.pieceStep;
            sum(norm.rows * p / pieces, norm.rows * (p + 1) / pieces, sums, sums + norm.channels);
        }
    });
    for (int p = 1; p < pieces; ++p) {
        for (std::int64_t i = 0; i < scratch.pieceStep; ++i) scratch.sums[i] += scratch.sums[p * scratch.pieceStep + i];
    }
}

void train(const BatchNorm& norm, int threads, const Arguments& arguments)
{
    const std::int64_t channels = norm.channels;
    const auto rows = static_cast<double>(norm.rows);
    const float *x = arguments.input(0), *weight = arguments.input(1), *bias = arguments.input(2);
    const float *oldMean = arguments.input(3), *oldVariance = arguments.input(4);
    float *mean = arguments.output(1), *rstd = arguments.output(2);
    float *newMean = arguments.output(3), *newVariance = arguments.output(4);
    const Scratch scratch(arguments.scratch, norm, threads);
    totals(norm, threads, scratch, [&](std::int64_t begin, std::int64_t end, double* sums, double* squares) {
        channel_rows::sum(x, sums, squares, channels, begin, end);
    });
    float *factor = scratch.coefficients, *shift = factor + channels;
    for (std::int64_t c = 0; c < channels; ++c) {
        const double offset = scratch.sums[c] / rows;
        const double variance = std::max(scratch.sums[channels + c] / rows - offset * offset, 0.0);
        const double batchMean = static_cast<double>(x[c]) + offset,
                     batchRstd = 1.0 / std::sqrt(variance + norm.epsilon);
        mean[c] = static_cast<float>(batchMean);
        rstd[c] = static_cast<float>(batchRstd);
        const double unbiased = norm.rows > 1 ? variance * rows / (rows - 1) : variance;
        newMean[c] =
            static_cast<float>((1 - norm.momentum) * static_cast<double>(oldMean[c]) + norm.momentum * batchMean);
        newVariance[c] =
            static_cast<float>((1 - norm.momentum) * static_cast<double>(oldVariance[c]) + norm.momentum * unbiased);
        factor[c] = static_cast<float>(batchRstd * static_cast<double>(weight[c]));
        shift[c] =
            static_cast<float>(static_cast<double>(bias[c]) - batchMean * batchRstd * static_cast<double>(weight[c]));
    }
    parallelFor(threads, norm.rows, rowNanoseconds(norm), [&](std::int64_t begin, std::int64_t end) {
        channel_rows::scale(x, arguments.output(0), factor, shift, channels, begin, end);
    });
}

void infer(const BatchNorm& norm, int threads, const Arguments& arguments)
{
    const float *weight = arguments.input(1), *bias = arguments.input(2);
    const float *mean = arguments.input(3), *variance = arguments.input(4);
    const Scratch scratch(arguments.scratch, norm, threads);
    float *factor = scratch.coefficients, *shift = factor + norm.channels;
    for (std::int64_t c = 0; c < norm.channels; ++c) {
        const double scale =
            static_cast<double>(weight[c]) / std::sqrt(static_cast<double>(variance[c]) + norm.epsilon);
        factor[c] = static_cast<float>(scale);
        shift[c] = static_cast<float>(static_cast<double>(bias[c]) - static_cast<double>(mean[c]) * scale);
    }
    parallelFor(threads, norm.rows, rowNanoseconds(norm), [&](std::int64_t begin, std::int64_t end) {
        channel_rows::scale(arguments.input(0), arguments.output(0), factor, shift, norm.channels, begin, end);
    });
}

void backward(const BatchNorm& norm, int threads, const Arguments& arguments)
{
    const std::int64_t channels = norm.channels;
    const auto rows = static_cast<double>(norm.rows);
    const float *x = arguments.input(0), *weight = arguments.input(1), *mean = arguments.input(2);
    const float *rstds = arguments.input(3), *dy = arguments.input(4);
    float *dx = arguments.output(0), *dweight = arguments.output(1), *dbias = arguments.output(2);
    const Scratch scratch(arguments.scratch, norm, threads);
    totals(norm, threads, scratch, [&](std::int64_t begin, std::int64_t end, double* sums, double* products) {
        channel_rows::sumBackward(x, dy, mean, sums, products, channels, begin, end);
    });
    float *a = scratch.coefficients, *b = a + channels, *shift = b + channels;
    for (std::int64_t c = 0; c < channels; ++c) {
        const auto rstd = static_cast<double>(rstds[c]);
        const double sum = scratch.sums[c], product = scratch.sums[channels + c] * rstd;
        if (dweight) dweight[c] = static_cast<float>(product);
        if (dbias) dbias[c] = static_cast<float>(sum);
        const double scale = static_cast<double>(weight[c]) * rstd;
        a[c] = static_cast<float>(scale);
        b[c] = static_cast<float>(-scale * product * rstd / rows);
        shift[c] = static_cast<float>(-scale * sum / rows);
    }
    if (!dx) return;
    parallelFor(threads, norm.rows, rowNanoseconds(norm), [&](std::int64_t begin, std::int64_t end) {
        channel_rows::inputGradient({x, dy, mean, a, b, shift}, dx, channels, begin, end);
    });
}

} // namespace

KernelResult makeBatchNorm(const BatchNorm& norm, int threads)
{
    MR_CHECK(refuseFused("batch_norm", norm.addend || norm.relu));
    MR_CHECK(requirePositive("batch_norm", {{"rows", norm.rows}, {"channels", norm.channels}}));
    return makeKernel(
        [norm, threads](const Arguments& arguments) {
            if (norm.training) {
                train(norm, threads, arguments);
            } else {
                infer(norm, threads, arguments);
            }
        },
        Scratch::sizeBytes(norm, threads));
}

KernelResult makeBatchNormBackward(const BatchNorm& norm, int threads)
{
    MR_CHECK(refuseFused("batch_norm", norm.addend || norm.relu));
    MR_CHECK(requirePositive("batch_norm", {{"rows", norm.rows}, {"channels", norm.channels}}));
    return makeKernel([norm, threads](const Arguments& arguments) { backward(norm, threads, arguments); },
                      Scratch::sizeBytes(norm, threads));
}

} // namespace millrace::kernels::cpu
