// The gradient of attention by our own tiles (attention_tiles.h). Two kernels, so that nobody adds to what another
// block writes: in one a block has 64 queries, walks over their keys and sums dq; in the other it has 64 keys, walks
// over the queries that see them and sums dk and dv. Both compute the probabilities again from logsumexp. delta[i] =
// dy[i] y[i], which both need, comes first. Source: Dao et al. 2022, arXiv:2205.14135, algorithm 4.
#include "kernels/cuda/attention_backward.h"
#include "kernels/ops/attention.h"

namespace millrace::kernels::cuda {

namespace {

using namespace attention;

/// The shared memory of a block.
template <int W> struct Tiles
{
    float *a, *b, *weights;

    __device__ Tiles() : a(dynamicShared<float>()), b(a + kTile * kRow<W>), weights(b + kTile * kRow<W>) {}
};

/// Scores become probabilities: exp(score scale - logsumexp), 0 where a query does not see a key.
__device__ float probability(float score, float scale, float logsumexp, bool sees)
{
    return sees ? expf(score * scale - logsumexp) : 0.0F;
}

template <class T, int W> __global__ void queryGradient(BackwardOperands<T> o, Attention a, bool aligned)
{
    const Tiles<W> tiles;
    const std::int64_t heads = a.batch * a.heads, count = (a.steps + kTile - 1) / kTile;
    const std::int64_t begin = (count - 1 - blockIdx.x / heads) * kTile; // those with most keys first
    const std::int64_t piece = static_cast<std::int64_t>(blockIdx.y) * W;
    const Head<T> head(o, a, blockIdx.x % heads);
    const float scale = 1.0F / sqrtf(static_cast<float>(a.width / a.heads));
    float logsumexp[kOwn], delta[kOwn];
    for (int i = 0; i < kOwn; ++i) {
        const std::int64_t query = begin + row() + i;
        logsumexp[i] = query < a.steps ? head.logsumexp[query] : 0;
        delta[i] = query < a.steps ? head.delta[query] : 0;
    }
    Sums<W> sums{};
    const std::int64_t seen = a.causal && begin + kTile < a.steps ? begin + kTile : a.steps;
    for (std::int64_t key = 0; key < seen; key += kTile) {
        Scores scores{}, gradients{};
        addScores<W>(head.q, begin, false, head.k, key, aligned, tiles.a, tiles.b, scores);
        addScores<W>(head.dy, begin, false, head.v, key, aligned, tiles.a, tiles.b, gradients);
        for (int i = 0; i < kOwn; ++i) {
            const std::int64_t query = begin + row() + i;
            for (int j = 0; j < kOwn; ++j) {
                const std::int64_t place = key + column() + kSide * j;
                const bool sees = place < a.steps && query < a.steps && (!a.causal || place <= query);
                scores[i][j] =
                    probability(scores[i][j], scale, logsumexp[i], sees) * (gradients[i][j] - delta[i]) * scale;
            }
        }
        shareWeights(scores, tiles.weights);
        __syncthreads(); // the values have been read
        loadTile<W>(head.k, key, piece, aligned, tiles.b);
        __syncthreads();
        addWeighted<W>(tiles.weights, tiles.b, sums);
    }
    storeSums<W>(head.dq, begin, piece, sums, {1, 1, 1, 1});
}

/// Here the rows of a tile are keys, and its columns queries.
template <class T, int W> __global__ void keyGradient(BackwardOperands<T> o, Attention a, bool aligned)
{
    const Tiles<W> tiles;
    const std::int64_t heads = a.batch * a.heads;
    const std::int64_t begin = blockIdx.x / heads * kTile; // those with most queries first
    const std::int64_t piece = static_cast<std::int64_t>(blockIdx.y) * W;
    const Head<T> head(o, a, blockIdx.x % heads);
    const float scale = 1.0F / sqrtf(static_cast<float>(a.width / a.heads));
    Sums<W> keySums{}, valueSums{};
    for (std::int64_t query = a.causal ? begin : 0; query < a.steps; query += kTile) {
        Scores scores{}, gradients{};
        addScores<W>(head.k, begin, false, head.q, query, aligned, tiles.a, tiles.b, scores);
        for (int j = 0; j < kOwn; ++j) {
            const std::int64_t place = query + column() + kSide * j;
            const float logsumexp = place < a.steps ? head.logsumexp[place] : 0;
            for (int i = 0; i < kOwn; ++i) {
                const std::int64_t key = begin + row() + i;
                const bool sees = place < a.steps && key < a.steps && (!a.causal || key <= place);
                scores[i][j] = probability(scores[i][j], scale, logsumexp, sees);
            }
        }
        shareWeights(scores, tiles.weights);
        addScores<W>(head.v, begin, false, head.dy, query, aligned, tiles.a, tiles.b, gradients);
        if (head.dy.columns > W) { // the last piece of dy is there, not ours
            __syncthreads();
            loadTile<W>(head.dy, query, piece, aligned, tiles.b);
            __syncthreads();
        }
        addWeighted<W>(tiles.weights, tiles.b, valueSums);
        for (int j = 0; j < kOwn; ++j) {
            const std::int64_t place = query + column() + kSide * j;
            const float delta = place < a.steps ? head.delta[place] : 0;
            for (int i = 0; i < kOwn; ++i) scores[i][j] *= (gradients[i][j] - delta) * scale;
        }
        shareWeights(scores, tiles.weights);
        __syncthreads(); // dy has been read
        loadTile<W>(head.q, query, piece, aligned, tiles.b);
        __syncthreads();
        addWeighted<W>(tiles.weights, tiles.b, keySums);
    }
    storeSums<W>(head.dk, begin, piece, keySums, {1, 1, 1, 1});
    storeSums<W>(head.dv, begin, piece, valueSums, {1, 1, 1, 1});
}

template <class T, int W> void enqueue(Context& context, const Attention& a, const Arguments& arguments)
{
    const BackwardOperands<T> operands = prepareBackward<T>(context, a, arguments);
    const dim3 grid = gridFor(a, tilesOf(a.steps), W);
    launch(context, queryGradient<T, W>, grid, dim3(kThreads), kSharedBytes<W>, operands, a, isAligned<T>(a));
    launch(context, keyGradient<T, W>, grid, dim3(kThreads), kSharedBytes<W>, operands, a, isAligned<T>(a));
}

} // namespace

KernelResult makeTiledAttentionBackward(Context& context, const Attention& a, DType type)
{
    MR_CHECK(attention::check(a));
    if (type != DType::F32 && fitsMatrices(a)) return makeBackwardMatrices(context, a, type);
    return byType(type, [&](auto element) {
        using T = decltype(element);
        return byTileWidth<T>(a, [&](auto width) -> KernelResult {
            constexpr int W = decltype(width)::value;
            MR_CHECK(reserveShared(context, queryGradient<T, W>, kSharedBytes<W>));
            MR_CHECK(reserveShared(context, keyGradient<T, W>, kSharedBytes<W>));
            return makeKernel([&context, a](const Arguments& arguments) { enqueue<T, W>(context, a, arguments); },
                              backwardScratchBytes(a));
        });
    });
}

} // namespace millrace::kernels::cuda
