// Contract of the dense layer: a matrix product and a bias.
#pragma once

#include "kernels/ops/epilogue.h"
#include "kernels/ops/precision.h"

#include <cstdint>

namespace millrace::kernels {

/// y[b,o] = f(z[b,o]),  z[b,o] = sum_i x[b,i] * weight[o,i] + bias[o],  f the epilogue
/// Forward   x, weight, bias -> y, z   (z: with GeluTanh alone, for the gradient; a null z is not written)
/// Backward  x, weight, dy, v -> dx, dweight, dbias:
///           dx = (dy weight) f'(v);  dweight = dy^T x;  dbias[o] = sum_b dy[b,o]. A null output is not computed.
///           Here f is what computed x, not what comes after z, and v what f' follows from: x = f(v) with GeluTanh, v = x
///           with Relu; without an epilogue there is no v. dy is the gradient of z.
/// Shapes    x, v, dx (B,I); weight, dweight (O,I); bias, dbias (O); y, z, dy (B,O); all row-major. bias may be null.
///           Leading axes of x beyond the last count as B.
/// Types     f32; products in `precision`, sums of dbias in f32.   Aliasing: none.
/// Cost      2BIO operations forward, 4BIO backward; reads BI + OI + O, writes BO elements.
/// Source    Goodfellow, Bengio, Courville 2016, Deep Learning, section 6.5.
struct Dense
{
    std::int64_t batch = 0, inputs = 0, outputs = 0; ///< B, I, O
    Precision precision = Precision::F32;
    Epilogue epilogue = Epilogue::None;
};

} // namespace millrace::kernels
