// Contract of the batched matrix product.
#pragma once

#include "kernels/ops/precision.h"

#include <cstdint>

namespace millrace::kernels {

/// c[n] = a[n] b[n] for each n of the batch; a transposed factor lies in memory as the transpose of what is multiplied.
/// Forward   a, b -> c
/// Backward  a matrix product for each: da = dc b^T and db = a^T dc, exchanged where a factor lies transposed.
/// Shapes    a (N,M,K), or (N,K,M) transposed; b (N,K,L), or (N,L,K) transposed; c (N,M,L); all row-major.
/// Types     f32; products in `precision`.   Aliasing: none.
/// Cost      2NMKL operations; reads NMK + NKL, writes NML elements.
/// Source    Golub, Van Loan 2013, Matrix Computations, section 1.1.
struct Matmul
{
    std::int64_t batch = 0, rows = 0, columns = 0, depth = 0; ///< N, M, L, K
    bool transposeA = false, transposeB = false;
    Precision precision = Precision::F32;
};

} // namespace millrace::kernels
