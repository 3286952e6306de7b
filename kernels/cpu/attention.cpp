// Attention in tiles: a few queries against many keys at a time, with the softmax carried along, so that the scores of
// a whole sequence are never in memory. Sequences and heads are shared among the threads.
#include "kernels/ops/attention.h"

#include "kernels/cpu/attention_check.h"
#include "kernels/cpu/product.h"
#include "kernels/cpu/softmax_row.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace millrace::kernels::cpu {

namespace {

/// A tile: so many queries and keys, whose scores stay in the first-level cache (24 kB).
constexpr std::int64_t kQueries = 24, kKeys = 256;
/// Up to so many queries, scores are products of rows; turning the keys into panels would cost more.
constexpr std::int64_t kFewQueries = 3;

/// One head of one sequence; rows are so many floats apart.
struct Head
{
    const float* q;
    std::int64_t qRow;
    const float *k, *v;
    std::int64_t keyRow;
    float* y;
    std::int64_t yRow;
    float* logsumexp; ///< may be null
    std::int64_t queries, keys, width;
    std::int64_t first; ///< the place of query 0 among the keys
    bool causal;
};

/// What a thread works with.
struct Scratch
{
    float *keys, *values;  ///< as panels
    float *scores, *sums;  ///< (kQueries, kKeys), (kQueries, D)
    float *maxima, *norms; ///< of each query so far: the largest score, and the sum of the exponentials over it

    static std::uint64_t elements(std::int64_t keys, std::int64_t width)
    {
        return static_cast<std::uint64_t>(packedElements(width, keys) + packedElements(keys, width) +
                                          kQueries * (kKeys + width + 2) + 64);
    }
    Scratch(float* memory, std::int64_t keyCount, std::int64_t width)
    {
        const auto take = [&memory](std::int64_t count) { return std::exchange(memory, memory + count); };
        keys = take(packedElements(width, keyCount));
        values = take(packedElements(keyCount, width));
        scores = take(kQueries * kKeys);
        sums = take(kQueries * width);
        maxima = take(kQueries);
        norms = take(kQueries);
    }
};

/// The rows of a tile: query i sees the first `visible + i` of its keys, at most all, or all where not causal.
struct Tile
{
    std::int64_t queries, keys, visible, width;
    bool causal, firstKeys;
    float scale;
};

/// Scores become probabilities but for the norm; sums and norms of earlier keys are rescaled to the new maximum.
MR_VECTORISED void softmaxTile(const Tile& tile, const Scratch& scratch)
{
    for (std::int64_t i = 0; i < tile.queries; ++i) {
        float* p = scratch.scores + i * kKeys;
        const std::int64_t seen = tile.causal ? std::clamp<std::int64_t>(tile.visible + i, 0, tile.keys) : tile.keys;
        std::fill(p + seen, p + tile.keys, 0.0F);
        if (seen == 0) continue;
        const float before = scratch.maxima[i];
        const float largest = rowMaximum(p, seen) * tile.scale;
        const float maximum = largest > before ? largest : before;
        float sum = 0;
#pragma omp simd reduction(+ : sum)
        for (std::int64_t j = 0; j < seen; ++j) {
            p[j] = exponential(p[j] * tile.scale - maximum);
            sum += p[j];
        }
        scratch.maxima[i] = maximum;
        if (tile.firstKeys) {
            scratch.norms[i] = sum;
            continue;
        }
        const float factor = exponential(before - maximum);
        scratch.norms[i] = scratch.norms[i] * factor + sum;
        float* sums = scratch.sums + i * tile.width;
        for (std::int64_t d = 0; d < tile.width; ++d) sums[d] *= factor;
    }
}

MR_VECTORISED void divideRows(const Scratch& scratch, std::int64_t rows, std::int64_t width, float* y,
                              std::int64_t yRow)
{
    for (std::int64_t i = 0; i < rows; ++i) {
        const float factor = 1.0F / scratch.norms[i];
        for (std::int64_t d = 0; d < width; ++d) y[i * yRow + d] = scratch.sums[i * width + d] * factor;
    }
}

/// scores (queries, keys) of a few queries, as products of rows.
MR_VECTORISED void scoreRows(const Head& head, std::int64_t firstKey, std::int64_t keys, float* scores)
{
    for (std::int64_t i = 0; i < head.queries; ++i) {
        for (std::int64_t j = 0; j < keys; ++j) {
            const float *q = head.q + i * head.qRow, *k = head.k + (firstKey + j) * head.keyRow;
            float sum = 0;
#pragma omp simd reduction(+ : sum)
            for (std::int64_t d = 0; d < head.width; ++d) sum += q[d] * k[d];
            scores[i * kKeys + j] = sum;
        }
    }
}

/// The queries from `query` on against the keys from `key` on: adds their part to the sums.
void attendTile(const Head& head, const Scratch& scratch, Tile tile, std::int64_t query, std::int64_t key)
{
    const BlockCode& code = blockCode();
    const std::int64_t columns = code.columns, D = head.width;
    const bool few = head.queries <= kFewQueries;
    if (few)
        scoreRows(head, key, tile.keys, scratch.scores);
    else
        code.multiply({.m = tile.queries,
                       .n = tile.keys,
                       .k = D,
                       .a = head.q + query * head.qRow,
                       .aRow = head.qRow,
                       .aColumn = 1,
                       .b = scratch.keys + key * D,
                       .bRow = columns,
                       .bPanel = D * columns,
                       .c = scratch.scores,
                       .cRow = kKeys});
    tile.visible = head.first + query + 1 - key;
    tile.firstKeys = key == 0;
    softmaxTile(tile, scratch);
    Block sum{.m = tile.queries,
              .n = D,
              .k = tile.keys,
              .a = scratch.scores,
              .aRow = kKeys,
              .aColumn = 1,
              .b = scratch.values + key * columns,
              .bRow = columns,
              .bPanel = head.keys * columns,
              .c = scratch.sums,
              .cRow = D,
              .start = tile.firstKeys ? Block::Start::Zero : Block::Start::Accumulate};
    if (few) sum.b = head.v + key * head.keyRow, sum.bRow = head.keyRow, sum.bPanel = columns;
    code.multiply(sum);
}

void attend(const Head& head, const Scratch& scratch)
{
    if (head.queries > kFewQueries) {
        packPanels({head.k, head.keyRow}, true, head.width, head.keys, scratch.keys);
        packPanels({head.v, head.keyRow}, false, head.keys, head.width, scratch.values);
    }
    const float scale = 1.0F / std::sqrt(static_cast<float>(head.width));
    for (std::int64_t query = 0; query < head.queries; query += kQueries) {
        const std::int64_t queries = std::min(kQueries, head.queries - query);
        const std::int64_t visible = head.causal ? std::min(head.keys, head.first + query + queries) : head.keys;
        std::fill_n(scratch.maxima, queries, -std::numeric_limits<float>::infinity());
        for (std::int64_t key = 0; key < visible; key += kKeys)
            attendTile(head, scratch,
                       {queries, std::min(kKeys, visible - key), 0, head.width, head.causal, false, scale}, query, key);
        divideRows(scratch, queries, head.width, head.y + query * head.yRow, head.yRow);
        for (std::int64_t i = 0; head.logsumexp && i < queries; ++i)
            head.logsumexp[query + i] = scratch.maxima[i] + std::log(scratch.norms[i]);
    }
}

} // namespace

KernelResult makeAttention(const Attention& a, int threads)
{
    MR_CHECK(checkAttention(a));
    const std::int64_t T = a.steps, C = a.width, D = a.headWidth();
    const int used = attentionThreads(a, T, threads);
    const std::uint64_t threadBytes = threadBytesFor(Scratch::elements(T, D));
    return makeKernel(
        [=](const Arguments& arguments) {
            forEachHead(a, used, arguments.scratch, threadBytes, [&](std::int64_t b, std::int64_t h, float* memory) {
                const float* q = arguments.input(0) + b * T * 3 * C + h * D;
                float* logsumexp = arguments.output(1);
                attend({q, 3 * C, q + C, q + 2 * C, 3 * C, arguments.output(0) + b * T * C + h * D, C,
                        logsumexp ? logsumexp + (b * a.heads + h) * T : nullptr, T, T, D, 0, a.causal},
                       Scratch(memory, T, D));
            });
        },
        threadBytes * static_cast<std::uint64_t>(used));
}

KernelResult makeCachedAttention(const Attention& a, int threads)
{
    MR_CHECK(checkAttention(a));
    if (a.places < a.steps)
        return makeError(Code::InvalidArgument,
                         str("attention: ", a.steps, " steps do not fit a cache of ", a.places, " places."));
    const std::int64_t T = a.steps, C = a.width, D = a.headWidth(), L = a.places;
    const int used = attentionThreads(a, L, threads);
    const std::uint64_t threadBytes = threadBytesFor(Scratch::elements(L, D));
    return makeKernel(
        [=](const Arguments& arguments) {
            const std::int64_t offset =
                std::clamp<std::int64_t>(*static_cast<const std::int32_t*>(arguments.inputs[3]), 0, L - T);
            for (const std::size_t cache : {1u, 2u})
                if (arguments.inputs[cache] != arguments.outputs[cache + 1])
                    std::copy_n(arguments.input(cache), a.batch * L * C, arguments.output(cache + 1));
            forEachHead(a, used, arguments.scratch, threadBytes, [&](std::int64_t b, std::int64_t h, float* memory) {
                const float* qkv = arguments.input(0) + b * T * 3 * C + h * D;
                float* keys = arguments.output(2) + b * L * C + h * D;
                float* values = arguments.output(3) + b * L * C + h * D;
                float* logsumexp = arguments.output(1);
                for (std::int64_t t = 0; t < T; ++t) {
                    std::copy_n(qkv + t * 3 * C + C, D, keys + (offset + t) * C);
                    std::copy_n(qkv + t * 3 * C + 2 * C, D, values + (offset + t) * C);
                }
                attend({qkv, 3 * C, keys, values, C, arguments.output(0) + b * T * C + h * D, C,
                        logsumexp ? logsumexp + (b * a.heads + h) * T : nullptr, T, offset + T, D, offset, a.causal},
                       Scratch(memory, offset + T, D));
            });
        },
        threadBytes * static_cast<std::uint64_t>(used));
}

} // namespace millrace::kernels::cpu
