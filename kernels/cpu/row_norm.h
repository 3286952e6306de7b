// What layer and RMS normalisation share: a row at a time, backward with sums over the rows for scale and bias.
#pragma once

#include "kernels/cpu/parallel.h"
#include "kernels/cpu/vector_math.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace millrace::kernels::cpu::row_norm {

constexpr std::int64_t kBlock = 32; ///< rows whose parameter gradients are added in f32 before they go to f64

struct RowStatistics
{
    float mean, rstd;
};

/// Mean (0 unless centred) and 1 / deviation of one row.
template <bool centred> MR_INLINE RowStatistics statisticsOf(const float* x, std::int64_t columns, double epsilon)
{
    const float factor = 1.0F / static_cast<float>(columns);
    float mean = 0, square = 0;
    if constexpr (centred) {
#pragma omp simd reduction(+ : mean)
        for (std::int64_t c = 0; c < columns; ++c) mean += x[c];
        mean *= factor;
    }
#pragma omp simd reduction(+ : square)
    for (std::int64_t c = 0; c < columns; ++c) square += (x[c] - mean) * (x[c] - mean);
    const double variance = static_cast<double>(square * factor);
    return {mean, static_cast<float>(1.0 / std::sqrt(variance + epsilon))};
}

struct BackwardOperands
{
    const float *x, *scale, *mean, *rstd, *dy; ///< no mean: RMS normalisation
    float *dx, *dscale, *dbias;                ///< null: not wanted
};

/// Adds one row's part to the gradients of scale and bias, and writes its dx.
template <bool centred>
MR_INLINE void backwardRow(const BackwardOperands& o, float* dscale, float* dbias, std::int64_t columns, std::int64_t r)
{
    const float *x = o.x + r * columns, *dy = o.dy + r * columns, *scale = o.scale;
    const float mean = centred ? o.mean[r] : 0.0F, rstd = o.rstd[r];
    float sum = 0, product = 0;
#pragma omp simd reduction(+ : sum, product)
    for (std::int64_t c = 0; c < columns; ++c) {
        const float normalised = (x[c] - mean) * rstd, g = dy[c] * scale[c];
        if constexpr (centred) {
            sum += g;
            dbias[c] += dy[c];
        }
        product += g * normalised;
        dscale[c] += dy[c] * normalised;
    }
    if (!o.dx) return;
    const float factor = 1.0F / static_cast<float>(columns);
    sum *= factor;
    product *= factor;
    float* dx = o.dx + r * columns;
    for (std::int64_t c = 0; c < columns; ++c) {
        const float normalised = (x[c] - mean) * rstd;
        dx[c] = rstd * (dy[c] * scale[c] - sum - normalised * product);
    }
}

/// A piece's sums in f64 and, for the rows of one block, in f32: for each of the columns that of dscale, then of dbias.
struct PieceSums
{
    PieceSums(std::byte* scratch, std::int64_t columns, std::int64_t piece)
        : total(reinterpret_cast<double*>(scratch + piece * sizeBytes(columns))),
          block(reinterpret_cast<float*>(total + 2 * columns))
    {
    }
    static std::int64_t sizeBytes(std::int64_t columns)
    {
        const std::int64_t bytes = 2 * columns * static_cast<std::int64_t>(sizeof(double) + sizeof(float));
        return (bytes + 63) / 64 * 64;
    }

    double* total;
    float* block;
};

/// The rows begin … end.
template <bool centred>
MR_INLINE void backwardPiece(const BackwardOperands& o, const PieceSums& sums, std::int64_t columns, std::int64_t begin,
                             std::int64_t end)
{
    std::fill_n(sums.total, 2 * columns, 0.0);
    for (std::int64_t first = begin; first < end; first += kBlock) {
        std::fill_n(sums.block, 2 * columns, 0.0F);
        for (std::int64_t r = first; r < std::min(first + kBlock, end); ++r)
            backwardRow<centred>(o, sums.block, sums.block + columns, columns, r);
        for (std::int64_t c = 0; c < 2 * columns; ++c) sums.total[c] += static_cast<double>(sums.block[c]);
    }
}

inline double rowNanoseconds(std::int64_t columns)
{
    return 20 + 0.3 * static_cast<double>(columns);
}

inline int pieces(std::int64_t rows, std::int64_t columns, int threads)
{
    return static_cast<double>(rows) * rowNanoseconds(columns) < kSplitNanoseconds ? 1 : threads;
}

inline std::uint64_t scratchBytes(std::int64_t rows, std::int64_t columns, int threads)
{
    return static_cast<std::uint64_t>(pieces(rows, columns, threads) * PieceSums::sizeBytes(columns));
}

/// Runs piece(sums, begin, end) over the rows, one piece a thread, and adds the pieces in their order.
template <class Piece>
void backward(const BackwardOperands& o, std::byte* scratch, std::int64_t rows, std::int64_t columns, int threads,
              const Piece& piece)
{
    const int count = pieces(rows, columns, threads);
    const double nanoseconds = static_cast<double>(rows) * rowNanoseconds(columns);
    parallelFor(threads, count, nanoseconds / count, [&](std::int64_t beginPiece, std::int64_t endPiece) {
        for (std::int64_t p = beginPiece; p < endPiece; ++p)
            piece(PieceSums(scratch, columns, p), rows * p / count, rows * (p + 1) / count);
    });
    double* total = PieceSums(scratch, columns, 0).total;
    for (int p = 1; p < count; ++p) {
        const double* other = PieceSums(scratch, columns, p).total;
        for (std::int64_t c = 0; c < 2 * columns; ++c) total[c] += other[c];
    }
    for (std::int64_t c = 0; o.dscale && c < columns; ++c) o.dscale[c] = static_cast<float>(total[c]);
    for (std::int64_t c = 0; o.dbias && c < columns; ++c) o.dbias[c] = static_cast<float>(total[columns + c]);
}

} // namespace millrace::kernels::cpu::row_norm
