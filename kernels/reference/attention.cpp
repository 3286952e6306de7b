// Attention in double, with all probabilities of a query at hand.
#include "kernels/reference/reference.h"

#include <algorithm>
#include <cmath>

namespace millrace::kernels::reference {

namespace {

/// The queries, keys and values of one head of one sequence, and how many keys a query sees.
struct Head
{
    const double *q, *k, *v; ///< rows `qRow` and `keyRow` apart
    std::int64_t qRow, keyRow, keys, first, width;
    bool causal;

    std::int64_t visible(std::int64_t i) const { return causal ? std::min(keys, first + i + 1) : keys; }
    double score(std::int64_t i, std::int64_t j) const
    {
        double sum = 0;
        for (std::int64_t d = 0; d < width; ++d) sum += q[i * qRow + d] * k[j * keyRow + d];
        return sum / std::sqrt(static_cast<double>(width));
    }
};

/// y of query i, and its logsumexp.
double attend(const Head& head, std::int64_t i, double* y)
{
    std::vector<double> scores;
    for (std::int64_t j = 0; j < head.visible(i); ++j) scores.push_back(head.score(i, j));
    const double maximum = *std::max_element(scores.begin(), scores.end());
    double sum = 0;
    for (const double score : scores) sum += std::exp(score - maximum);
    const double logsumexp = maximum + std::log(sum);
    std::fill_n(y, head.width, 0.0);
    for (std::int64_t j = 0; j < head.visible(i); ++j)
        for (std::int64_t d = 0; d < head.width; ++d)
            y[d] += std::exp(scores[static_cast<std::size_t>(j)] - logsumexp) * head.v[j * head.keyRow + d];
    return logsumexp;
}

Head headOf(const Attention& a, const double* qkv, std::int64_t b, std::int64_t h)
{
    const std::int64_t C = a.width, D = a.headWidth();
    const double* q = qkv + b * a.steps * 3 * C + h * D;
    return {q, q + C, q + 2 * C, 3 * C, 3 * C, a.steps, 0, D, a.causal};
}

} // namespace

void attention(const Attention& a, Inputs inputs, Outputs outputs)
{
    const std::int64_t T = a.steps, C = a.width, D = a.headWidth();
    for (std::int64_t b = 0; b < a.batch; ++b)
        for (std::int64_t h = 0; h < a.heads; ++h)
            for (std::int64_t i = 0; i < T; ++i)
                outputs[1].data()[(b * a.heads + h) * T + i] =
                    attend(headOf(a, inputs[0].data(), b, h), i, outputs[0].data() + (b * T + i) * C + h * D);
}

void attentionBackward(const Attention& a, Inputs inputs, Outputs outputs)
{
    const std::int64_t T = a.steps, C = a.width, D = a.headWidth();
    const double scale = 1 / std::sqrt(static_cast<double>(D));
    outputs[0].assign(outputs[0].size(), 0);
    for (std::int64_t b = 0; b < a.batch; ++b) {
        for (std::int64_t h = 0; h < a.heads; ++h) {
            const Head head = headOf(a, inputs[0].data(), b, h);
            double* dq = outputs[0].data() + b * T * 3 * C + h * D;
            double *dk = dq + C, *dv = dq + 2 * C;
            for (std::int64_t i = 0; i < T; ++i) {
                const double* y = inputs[1].data() + (b * T + i) * C + h * D;
                const double* dy = inputs[3].data() + (b * T + i) * C + h * D;
                double delta = 0;
                for (std::int64_t d = 0; d < D; ++d) delta += dy[d] * y[d];
                for (std::int64_t j = 0; j < head.visible(i); ++j) {
                    const double p = std::exp(head.score(i, j) - inputs[2].data()[(b * a.heads + h) * T + i]);
                    double dp = 0;
                    for (std::int64_t d = 0; d < D; ++d) dp += dy[d] * head.v[j * head.keyRow + d];
                    const double ds = p * (dp - delta) * scale;
                    for (std::int64_t d = 0; d < D; ++d) {
                        dv[j * 3 * C + d] += p * dy[d];
                        dq[i * 3 * C + d] += ds * head.k[j * head.keyRow + d];
                        dk[j * 3 * C + d] += ds * head.q[i * head.qRow + d];
                    }
                }
            }
        }
    }
}

void cachedAttention(const Attention& a, Inputs inputs, Outputs outputs)
{
    const std::int64_t T = a.steps, C = a.width, D = a.headWidth(), L = a.places;
    const std::int64_t offset = std::clamp<std::int64_t>(static_cast<std::int64_t>(inputs[3][0]), 0, L - T);
    outputs[2] = inputs[1];
    outputs[3] = inputs[2];
    for (std::int64_t b = 0; b < a.batch; ++b) {
        const double* qkv = inputs[0].data() + b * T * 3 * C;
        double *keys = outputs[2].data() + b * L * C, *values = outputs[3].data() + b * L * C;
        for (std::int64_t t = 0; t < T; ++t) {
            std::copy_n(qkv + t * 3 * C + C, C, keys + (offset + t) * C);
            std::copy_n(qkv + t * 3 * C + 2 * C, C, values + (offset + t) * C);
        }
        for (std::int64_t h = 0; h < a.heads; ++h)
            for (std::int64_t i = 0; i < T; ++i)
                outputs[1].data()[(b * a.heads + h) * T + i] =
                    attend({qkv + h * D, keys + h * D, values + h * D, 3 * C, C, offset + T, offset, D, a.causal}, i,
                           outputs[0].data() + (b * T + i) * C + h * D);
    }
}

} // namespace millrace::kernels::reference
