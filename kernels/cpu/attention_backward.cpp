// The gradient of attention in tiles: the probabilities of a tile are computed again from the scores and the saved
// logsumexp, so that nothing of T by T is kept. Sequences and heads are shared among the threads.
#include "kernels/ops/attention.h"

#include "kernels/cpu/attention_check.h"
#include "kernels/cpu/product.h"
#include "kernels/cpu/vector_math.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace millrace::kernels::cpu {

namespace {

/// A tile: its two matrices of queries by keys (48 kB) stay in the second-level cache.
constexpr std::int64_t kQueries = 48, kKeys = 128;

/// One head of one sequence. The rows of qkv and dqkv are `row` apart, those of y and dy `yRow`.
struct Head
{
    const float *q, *k, *v, *y, *dy, *logsumexp;
    float *dq, *dk, *dv;
    std::int64_t row, yRow, steps, width;
    bool causal;
    float scale;
};

/// What a thread works with.
struct Scratch
{
    float *keys, *values; ///< transposed, as panels
    float *p, *ds;        ///< (kQueries, kKeys): probabilities; gradients of the probabilities, then of the scores
    float* delta;         ///< of each query

    static std::uint64_t elements(std::int64_t steps, std::int64_t width)
    {
        return static_cast<std::uint64_t>(2 * packedElements(width, steps) + 2 * kQueries * kKeys + steps);
    }
    Scratch(float* memory, std::int64_t steps, std::int64_t width)
    {
        const auto take = [&memory](std::int64_t count) { return std::exchange(memory, memory + count); };
        keys = take(packedElements(width, steps));
        values = take(packedElements(width, steps));
        p = take(kQueries * kKeys);
        ds = take(kQueries * kKeys);
        delta = take(steps);
    }
};

/// delta[i] = dy[i] y[i]
MR_VECTORISED void computeDelta(const Head& head, float* delta)
{
    for (std::int64_t i = 0; i < head.steps; ++i) {
        const float *y = head.y + i * head.yRow, *dy = head.dy + i * head.yRow;
        float sum = 0;
#pragma omp simd reduction(+ : sum)
        for (std::int64_t d = 0; d < head.width; ++d) sum += y[d] * dy[d];
        delta[i] = sum;
    }
}

/// Scores become probabilities, and gradients of probabilities gradients of scores. Query i sees `visible + i` keys of
/// the tile, at most all.
MR_VECTORISED void differentiateSoftmax(const Scratch& scratch, const float* logsumexp, const float* delta, float scale,
                                        std::int64_t queries, std::int64_t keys, std::int64_t visible)
{
    for (std::int64_t i = 0; i < queries; ++i) {
        float *p = scratch.p + i * kKeys, *ds = scratch.ds + i * kKeys;
        const std::int64_t seen = std::clamp<std::int64_t>(visible + i, 0, keys);
        const float norm = logsumexp[i], mean = delta[i];
#pragma omp simd
        for (std::int64_t j = 0; j < seen; ++j) {
            p[j] = exponential(p[j] * scale - norm);
            ds[j] = p[j] * (ds[j] - mean) * scale;
        }
        std::fill(p + seen, p + keys, 0.0F);
        std::fill(ds + seen, ds + keys, 0.0F);
    }
}

/// Adds the tile's part to dq, dk and dv.
void differentiateTile(const Head& head, const Scratch& scratch, std::int64_t query, std::int64_t queries,
                       std::int64_t key, std::int64_t keys)
{
    using enum Block::Start;
    const BlockCode& code = blockCode();
    const std::int64_t columns = code.columns, D = head.width, row = head.row, yRow = head.yRow;
    const float *q = head.q + query * row, *k = head.k + key * row, *dy = head.dy + query * yRow;
    const float *keysT = scratch.keys + key * D, *valuesT = scratch.values + key * D;
    code.multiply({queries, keys, D, q, row, 1, keysT, columns, D * columns, scratch.p, kKeys, Zero});
    code.multiply({queries, keys, D, dy, yRow, 1, valuesT, columns, D * columns, scratch.ds, kKeys, Zero});
    differentiateSoftmax(scratch, head.logsumexp + query, scratch.delta + query, head.scale, queries, keys,
                         head.causal ? query + 1 - key : keys);
    float *dq = head.dq + query * row, *dk = head.dk + key * row, *dv = head.dv + key * row;
    code.multiply({queries, D, keys, scratch.ds, kKeys, 1, k, row, columns, dq, row, key == 0 ? Zero : Accumulate});
    code.multiply({keys, D, queries, scratch.ds, 1, kKeys, q, row, columns, dk, row, Accumulate});
    code.multiply({keys, D, queries, scratch.p, 1, kKeys, dy, yRow, columns, dv, row, Accumulate});
}

void differentiate(const Head& head, const Scratch& scratch)
{
    const std::int64_t T = head.steps, D = head.width;
    packPanels({head.k, head.row}, true, D, T, scratch.keys);
    packPanels({head.v, head.row}, true, D, T, scratch.values);
    computeDelta(head, scratch.delta);
    for (std::int64_t j = 0; j < T; ++j) {
        std::fill_n(head.dk + j * head.row, D, 0.0F);
        std::fill_n(head.dv + j * head.row, D, 0.0F);
    }
    for (std::int64_t key = 0; key < T; key += kKeys) {
        for (std::int64_t query = head.causal ? key / kQueries * kQueries : 0; query < T; query += kQueries) {
            const std::int64_t queries = std::min(kQueries, T - query);
            const std::int64_t visible = head.causal ? query + queries : T;
            differentiateTile(head, scratch, query, queries, key, std::min(kKeys, visible - key));
        }
    }
}

} // namespace

KernelResult makeAttentionBackward(const Attention& a, int threads)
{
    MR_CHECK(checkAttention(a));
    const std::int64_t T = a.steps, C = a.width, D = a.headWidth();
    const int used = attentionThreads(a, T, threads);
    const std::uint64_t threadBytes = threadBytesFor(Scratch::elements(T, D));
    const float scale = 1.0F / std::sqrt(static_cast<float>(D));
    return makeKernel(
        [=](const Arguments& arguments) {
            forEachHead(a, used, arguments.scratch, threadBytes, [&](std::int64_t b, std::int64_t h, float* memory) {
                const std::int64_t packed = b * T * 3 * C + h * D, plain = b * T * C + h * D;
                const float* q = arguments.input(0) + packed;
                float* dq = arguments.output(0) + packed;
                differentiate({q, q + C, q + 2 * C, arguments.input(1) + plain, arguments.input(3) + plain,
                               arguments.input(2) + (b * a.heads + h) * T, dq, dq + C, dq + 2 * C, 3 * C, C, T, D,
                               a.causal, scale},
                              Scratch(memory, T, D));
            });
        },
        threadBytes * static_cast<std::uint64_t>(used));
}

} // namespace millrace::kernels::cpu
