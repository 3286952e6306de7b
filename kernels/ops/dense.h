// Contract of the dense layer: a matrix product and a bias.
#pragma once

#include "kernels/ops/precision.h"

#include <cstdint>

namespace millrace::kernels {

/// y[b,o] = sum_i x[b,i] * weight[o,i] + bias[o]
/// Forward   x, weight, bias -> y
/// Backward  x, weight, dy -> dx, dweight, dbias:
///           dx = dy weight;  dweight = dy^T x;  dbias[o] = sum_b dy[b,o]. A null output is not computed.
/// Shapes    x, dx (B,I); weight, dweight (O,I); bias, dbias (O); y, dy (B,O); all row-major. bias may be null.
///           Leading axes of x beyond the last count as B.
/// Types     f32; products in `precision`, sums of dbias in f32.   Aliasing: none.
/// Cost      2BIO operations forward, 4BIO backward; reads BI + OI + O, writes BO elements.
/// Source    Goodfellow, Bengio, Courville 2016, Deep Learning, section 6.5.
struct Dense
{
    std::int64_t batch = 0, inputs = 0, outputs = 0; ///< B, I, O
    Precision precision = Precision::F32;
};

} // namespace millrace::kernels
