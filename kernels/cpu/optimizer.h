// Optimisers and whole-buffer functions: plain loops over the flat parameter and gradient buffers.
#pragma once

#include "kernels/ops/optimizer.h"

#include <span>

namespace millrace::kernels::cpu {

// All spans of one call have the same size; `threads` as for kernels. Results do not depend on the thread count.

void sgd(const Sgd& options, std::span<const Segment> segments, std::span<float> weights,
         std::span<const float> gradients, std::span<float> velocity, int threads);

/// Adam, and AdamW where options.decoupled.
void adam(const Adam& options, std::span<const Segment> segments, std::span<float> weights,
          std::span<const float> gradients, std::span<float> firstMoment, std::span<float> secondMoment, int threads);

/// Sum of the squares, in f64: for clipping by norm, scale by maximum / sqrt(squaredNorm) where that is below 1.
double squaredNorm(std::span<const float> values, int threads);

/// values[i] *= factor
void scale(std::span<float> values, float factor, int threads);

/// Whether no value is NaN or infinite.
bool allFinite(std::span<const float> values, int threads);

} // namespace millrace::kernels::cpu
