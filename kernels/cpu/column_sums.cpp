#include "kernels/cpu/column_sums.h"

#include "kernels/cpu/parallel.h"
#include "kernels/cpu/vector_math.h"

namespace millrace::kernels::cpu {

namespace {

MR_VECTORISED void sumSome(const float* values, float* sums, std::int64_t rows, std::int64_t columns,
                           std::int64_t begin, std::int64_t end)
{
    for (std::int64_t c = begin; c < end; ++c) sums[c] = 0;
    for (std::int64_t r = 0; r < rows; ++r) {
        const float* row = values + r * columns;
#pragma omp simd
        for (std::int64_t c = begin; c < end; ++c) sums[c] += row[c];
    }
}

} // namespace

void sumColumns(const float* values, std::int64_t rows, std::int64_t columns, float* sums, int threads)
{
    parallelFor(threads, columns, 0.1 * static_cast<double>(rows),
                [&](std::int64_t begin, std::int64_t end) { sumSome(values, sums, rows, columns, begin, end); });
}

} // namespace millrace::kernels::cpu
