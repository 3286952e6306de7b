// Contract of the softmax cross-entropy: loss, hits and gradient in one pass.
#pragma once

#include <cstdint>

namespace millrace::kernels {

/// loss = mean_b (log sum_c exp(x[b,c]) - x[b,label[b]])
/// correct = the number of rows whose (first) maximum is at the label
/// Forward   x, label -> loss, correct, dx.  A null output is not computed.
///           dx[b,c] = (softmax(x[b])[c] - [c = label[b]]) / B
/// Shapes    x, dx (B,C) row-major; label (B) i32; loss, correct (1).   Types f32.   Aliasing: dx may be x.
/// Cost      reads BC + B, writes BC elements.
/// Errors    a label outside [0,C) makes the loss NaN; labels are checked where data enters.
/// Source    Goodfellow, Bengio, Courville 2016, Deep Learning, section 6.2.2.3.
struct CrossEntropy
{
    std::int64_t rows = 0, classes = 0; ///< B, C
};

} // namespace millrace::kernels
