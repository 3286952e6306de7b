// Optimisers and whole-buffer functions: plain loops over the flat parameter and gradient buffers.
#pragma once

#include "kernels/ops/optimizer.h"

#include <cstddef>
#include <span>

namespace millrace::kernels::cpu {

/// What an update works on. All buffers have the same size.
struct Buffers
{
    std::span<const Segment> segments;
    std::span<float> weights;
    std::span<const float> gradients;
    std::span<const std::span<float>> state; ///< as the contract's kState
    std::span<float> scratch = {};           ///< for Muon: muonScratch(segments) values, of any content
    int threads = 1;                         ///< as for kernels
};

// One update. Results do not depend on the thread count (but for Muon's matrix products).

void update(const Sgd& options, const Buffers& buffers);
void update(const Adam& options, const Buffers& buffers);
void update(const Nadam& options, const Buffers& buffers);
void update(const RmsProp& options, const Buffers& buffers);
void update(const Adagrad& options, const Buffers& buffers);
void update(const Adadelta& options, const Buffers& buffers);
void update(const Lamb& options, const Buffers& buffers);
void update(const Lion& options, const Buffers& buffers);
void update(const Muon& options, const Buffers& buffers);
std::size_t muonScratch(std::span<const Segment> segments);

// Whole buffers. Spans of one call have the same size; results do not depend on the thread count.

/// Sum of the squares, in f64: for clipping by norm, scale by maximum / sqrt(squaredNorm) where that is below 1.
double squaredNorm(std::span<const float> values, int threads);
/// Sum of a[i] b[i], in f64.
double dot(std::span<const float> a, std::span<const float> b, int threads);
/// values[i] *= factor
void scale(std::span<float> values, float factor, int threads);
/// values[i] = own * values[i] + factor * other[i]
void combine(std::span<float> values, float own, std::span<const float> other, float factor, int threads);
/// values[i] = min(limit, max(-limit, values[i]))
void clamp(std::span<float> values, float limit, int threads);
/// Whether no value is NaN or infinite.
bool allFinite(std::span<const float> values, int threads);

} // namespace millrace::kernels::cpu
