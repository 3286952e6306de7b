// LAMB: Adam's direction, as long for each tensor as the tensor's weights ask. The first pass moves the moments and
// sums up the norms, the second computes the direction once more rather than keep it.
#include "kernels/cpu/optimizers/passes.h"

#include <cmath>

namespace millrace::kernels::cpu {

namespace {

struct Rule
{
    float decay, beta1, newer1, beta2, newer2, firstScale, secondScale, epsilon;
    MR_INLINE float direction(float w, float m, float v) const
    {
        return firstScale * m / (std::sqrt(v) * secondScale + epsilon) + decay * w;
    }
};

struct Norms
{
    double weights = 0, direction = 0; ///< squared
};

MR_VECTORISED Norms moveMoments(const Rule& rule, const Pointers& at, std::int64_t begin, std::int64_t end)
{
    double weights = 0, directions = 0;
    const float *w = at.weights, *g = at.gradients;
    float *m = at.state[0], *v = at.state[1];
#pragma omp simd reduction(+ : weights, directions)
    for (std::int64_t i = begin; i < end; ++i) {
        m[i] = rule.beta1 * m[i] + rule.newer1 * g[i];
        v[i] = rule.beta2 * v[i] + rule.newer2 * (g[i] * g[i]);
        const auto weight = static_cast<double>(w[i]);
        const auto direction = static_cast<double>(rule.direction(w[i], m[i], v[i]));
        weights += weight * weight;
        directions += direction * direction;
    }
    return {weights, directions};
}

MR_VECTORISED void moveWeights(const Rule& rule, float rate, const Pointers& at, std::int64_t begin, std::int64_t end)
{
    float* w = at.weights;
    const float *m = at.state[0], *v = at.state[1];
#pragma omp simd
    for (std::int64_t i = begin; i < end; ++i) w[i] -= rate * rule.direction(w[i], m[i], v[i]);
}

} // namespace

void update(const Lamb& options, const Buffers& buffers)
{
    const auto t = static_cast<double>(options.step);
    const Pointers at(buffers);
    for (const Segment& segment : buffers.segments) {
        const Rule rule{static_cast<float>(segment.decay ? options.weightDecay : 0),
                        static_cast<float>(options.beta1),
                        static_cast<float>(1 - options.beta1),
                        static_cast<float>(options.beta2),
                        static_cast<float>(1 - options.beta2),
                        static_cast<float>(1 / (1 - std::pow(options.beta1, t))),
                        static_cast<float>(1 / std::sqrt(1 - std::pow(options.beta2, t))),
                        static_cast<float>(options.epsilon)};
        const auto first = static_cast<std::int64_t>(segment.begin);
        const auto count = static_cast<std::int64_t>(segment.end) - first;
        std::array<Norms, kPieces> pieces{};
        forPieces(count, buffers.threads, [&](std::size_t piece, std::int64_t begin, std::int64_t end) {
            pieces[piece] = moveMoments(rule, at, first + begin, first + end);
        });
        Norms norms;
        for (const Norms& piece : pieces) {
            norms.weights += piece.weights;
            norms.direction += piece.direction;
        }
        const bool adapts = segment.decay && norms.weights > 0 && norms.direction > 0;
        const double ratio = adapts ? std::sqrt(norms.weights / norms.direction) : 1;
        const auto rate = static_cast<float>(options.learningRate * ratio);
        parallelFor(buffers.threads, count, 0.3, [&](std::int64_t begin, std::int64_t end) {
            moveWeights(rule, rate, at, first + begin, first + end);
        });
    }
}

} // namespace millrace::kernels::cpu
