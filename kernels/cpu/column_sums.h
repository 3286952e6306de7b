// Sums over the rows of a matrix: gradients of biases.
#pragma once

#include <cstdint>

namespace millrace::kernels::cpu {

/// sums[c] = sum over r of values[r,c], in the order of the rows; values (rows, columns).
void sumColumns(const float* values, std::int64_t rows, std::int64_t columns, float* sums, int threads);

} // namespace millrace::kernels::cpu
