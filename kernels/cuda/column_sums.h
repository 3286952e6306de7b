// Sums over rows in two stages and a fixed order: gradients of scales and biases.
#pragma once

#include "kernels/cuda/context.h"

#include <cstdint>

namespace millrace::kernels::cuda {

/// first[c] = sum over p of partials[p,c] for c < columns; second[c - columns] for the others. Either may be null.
/// Shapes   partials (parts,width)
void sumPartials(Context& context, const float* partials, std::int64_t parts, std::int64_t width, std::int64_t columns,
                 float* first, float* second);

/// Parts in which sumColumns adds that many rows: rows of its `partials`.
std::int64_t columnParts(std::int64_t rows);

/// sums[c] = sum over r of x[r,c].
/// Shapes   x (rows,columns); partials (columnParts(rows),columns); sums (columns)
void sumColumns(Context& context, const float* x, std::int64_t rows, std::int64_t columns, float* partials,
                float* sums);

} // namespace millrace::kernels::cuda
