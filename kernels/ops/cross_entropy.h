// Contract of the softmax cross-entropy: loss, hits and gradient in one pass.
#pragma once

#include <cstdint>

namespace millrace::kernels {

/// With log p = x[b] - log sum_c exp(x[b,c]), y = label[b], e = labelSmoothing and w the class weights (1 where
/// absent):
///           loss[b] = -(1-e) w[y] log p[y] - e/C sum_c w[c] log p[c],   loss = sum_b loss[b] / W,  W = sum_b
///           w[label[b]] dx[b,c] = (p[c] ((1-e) w[y] + e/C sum_k w[k]) - (1-e) w[y] [c = y] - e/C w[c]) / W Rows whose
///           label is ignoreIndex count nowhere and have no gradient; without any other row the loss is NaN.
/// correct = the number of rows, of those that count, whose (first) maximum is at the label
/// Forward   x, label, [class weights] -> loss, correct, dx.  A null output is not computed.
/// Shapes    x, dx (B,C) row-major; label (B) i32; class weights (C); loss, correct (1).   Types f32, loss summed in
/// f64. Aliasing  dx may be x. Cost      reads BC + B, writes BC elements. Errors    any other label outside [0,C)
/// makes the loss NaN; labels are checked where data enters.
///           InvalidArgument unless 0 <= labelSmoothing <= 1.
/// Source    Goodfellow, Bengio, Courville 2016, Deep Learning, section 6.2.2.3; Szegedy et al. 2015, arXiv:1512.00567,
///           section 7 (smoothing). The mean is PyTorch's: over the weights of the rows' labels, smoothed or not (other
///           definitions divide the smoothed part by the number of rows).
struct CrossEntropy
{
    std::int64_t rows = 0, classes = 0; ///< B, C
    double labelSmoothing = 0;          ///< e
    std::int64_t ignoreIndex = -100;
};

} // namespace millrace::kernels
