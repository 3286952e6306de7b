// Tiled attention, forward: a block takes 64 queries of a head against all keys that they see, 64 at a time, and
// carries each query's largest score and sum of exponentials along (online softmax). Queries and keys may lie in
// different tensors, as with a cache of keys.
#pragma once

#include "kernels/cuda/attention_tiles.h"

#include <limits>

namespace millrace::kernels::cuda::attention {

constexpr float kLowest = -std::numeric_limits<float>::infinity();

/// The operands of all heads of all sequences: rows (B,rows,stride), a head's columns side by side.
template <class T> struct ForwardOperands
{
    const T *q, *k, *v; ///< of the first sequence and head
    T* y;
    float* logsumexp;           ///< (B,heads,T); may be null
    const std::int32_t* offset; ///< the place of query 0 among the keys, up to `places` - T; null: 0
    std::int64_t places;        ///< rows of k and v of a sequence
    std::int64_t queryStride, keyStride;
};

/// The place of query 0 among the keys.
inline __device__ std::int64_t offsetOf(const std::int32_t* offset, std::int64_t places, std::int64_t steps)
{
    const std::int64_t most = places - steps, asked = offset ? *offset : 0;
    return asked < 0 ? 0 : asked > most ? most : asked;
}

template <class T, int W> __global__ void forward(ForwardOperands<T> o, Attention a, bool aligned)
{
    float* queryTile = dynamicShared<float>();
    float *keyTile = queryTile + kTile * kRow<W>, *weights = keyTile + kTile * kRow<W>;
    const std::int64_t D = a.width / a.heads, heads = a.batch * a.heads, tiles = (a.steps + kTile - 1) / kTile;
    const std::int64_t index = blockIdx.x % heads, b = index / a.heads, h = index % a.heads;
    const std::int64_t begin = (tiles - 1 - blockIdx.x / heads) * kTile; // those with most keys first
    const std::int64_t piece = static_cast<std::int64_t>(blockIdx.y) * W;
    const std::int64_t first = offsetOf(o.offset, o.places, a.steps), count = first + a.steps;
    const std::int64_t keyOrigin = b * o.places * o.keyStride + h * D;
    const Rows<const T> queries{o.q + b * a.steps * o.queryStride + h * D, o.queryStride, a.steps, D};
    const Rows<const T> keys{o.k + keyOrigin, o.keyStride, count, D}, values{o.v + keyOrigin, o.keyStride, count, D};
    const std::int64_t seen = a.causal && first + begin + kTile < count ? first + begin + kTile : count;
    const float scale = 1.0F / sqrtf(static_cast<float>(D));

    Sums<W> sums{};
    float maxima[kOwn], norms[kOwn] = {};
    for (float& maximum : maxima) maximum = kLowest;
    for (std::int64_t key = 0; key < seen; key += kTile) {
        Scores scores{};
        addScores<W>(queries, begin, key > 0, keys, key, aligned, queryTile, keyTile, scores);
        for (int i = 0; i < kOwn; ++i) {
            const std::int64_t own = first + begin + row() + i + 1, visible = a.causal && own < count ? own : count;
            float largest = maxima[i];
            for (int j = 0; j < kOwn; ++j) {
                const bool sees = key + column() + kSide * j < visible;
                scores[i][j] = sees ? scores[i][j] * scale : kLowest;
                largest = scores[i][j] > largest ? scores[i][j] : largest;
            }
            largest = maximumOfRow(largest);
            const float factor = expf(maxima[i] - largest); // 0 at the first keys
            maxima[i] = largest;
            norms[i] *= factor;
            for (int j = 0; j < kOwn; ++j) {
                scores[i][j] = expf(scores[i][j] - largest);
                norms[i] += scores[i][j];
            }
            for (float& sum : sums[i]) sum *= factor;
        }
        shareWeights(scores, weights);
        __syncthreads(); // the keys have been read
        loadTile<W>(values, key, piece, aligned, keyTile);
        __syncthreads();
        addWeighted<W>(weights, keyTile, sums);
    }
    float factors[kOwn];
    for (int i = 0; i < kOwn; ++i) {
        const float norm = sumOfRow(norms[i]);
        factors[i] = 1.0F / norm;
        const std::int64_t query = begin + row() + i;
        if (o.logsumexp && blockIdx.y == 0 && column() == 0 && query < a.steps)
            o.logsumexp[index * a.steps + query] = maxima[i] + logf(norm);
    }
    const Rows<T> y{o.y + b * a.steps * a.width + h * D, a.width, a.steps, D};
    storeSums<W>(y, begin, piece, sums, factors);
}

template <class T, int W> void enqueueForward(Context& context, const Attention& a, const ForwardOperands<T>& operands)
{
    launch(context, forward<T, W>, gridFor(a, tilesOf(a.steps), W), dim3(kThreads), kSharedBytes<W>, operands, a,
           isAligned<T>(a));
}

/// A forward kernel of ours, ready to be launched.
template <class T> struct ForwardKernel
{
    void (*enqueue)(Context&, const Attention&, const ForwardOperands<T>&);
};

/// The fastest of our forward kernels that takes the heads; attention.cu has it for each type.
template <class T> Result<ForwardKernel<T>> prepareForward(Context& context, const Attention& attention);

} // namespace millrace::kernels::cuda::attention
