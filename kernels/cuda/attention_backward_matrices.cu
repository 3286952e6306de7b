// The gradient of attention by matrix units (attention_matrices.h); what the two kernels do stands in
// attention_backward.cu. Probabilities and their gradients go from one product into the next in the registers where
// they were computed: in queryGradient as rows of queries, in keyGradient, turned round, as rows of keys.
// Source: Dao 2023, arXiv:2307.08691, algorithm 2.
#include "kernels/cuda/attention_backward.h"

namespace millrace::kernels::cuda {

namespace {

using namespace attention;

/// Scores become probabilities, and with the products dy v become the gradients of the scores.
__device__ float scoreGradient(float probability, float product, float delta, float scale)
{
    return probability * (product - delta) * scale;
}

template <class T, int W> __global__ void queryGradient(BackwardOperands<T> o, Attention a)
{
    T* queryTile = dynamicShared<T>();
    T *gradientTile = queryTile + kTile * kMatrixRow<W>, *keyTile = gradientTile + kTile * kMatrixRow<W>,
      *valueTile = keyTile + kTile * kMatrixRow<W>;
    const std::int64_t heads = a.batch * a.heads, count = (a.steps + kTile - 1) / kTile;
    const std::int64_t begin = (count - 1 - blockIdx.x / heads) * kTile; // those with most keys first
    const Head<T> head(o, a, blockIdx.x % heads);
    const float scale = 1.0F / sqrtf(static_cast<float>(a.width / a.heads));
    copyTile<W, kTile>(head.q, begin, queryTile);
    copyTile<W, kTile>(head.dy, begin, gradientTile);
    float logsumexp[2], delta[2];
    for (int half = 0; half < 2; ++half) {
        const std::int64_t query = begin + warpRow() + laneRow(half);
        logsumexp[half] = query < a.steps ? head.logsumexp[query] * kLog2E : 0;
        delta[half] = query < a.steps ? head.delta[query] : 0;
    }
    Results<W> sums{};
    const std::int64_t seen = a.causal && begin + kTile < a.steps ? begin + kTile : a.steps;
    for (std::int64_t key = 0; key < seen; key += kTile) {
        __syncthreads(); // nobody reads the tiles any more
        copyTile<W, kTile>(head.k, key, keyTile);
        copyTile<W, kTile>(head.v, key, valueTile);
        __syncthreads();
        Results<kTile> scores{}, products{};
        multiplyTiles<W, kTile>(queryTile, keyTile, scores);
        multiplyTiles<W, kTile>(gradientTile, valueTile, products);
        for (int n = 0; n < kTile / 8; ++n) {
            for (int i = 0; i < 4; ++i) {
                const std::int64_t query = begin + warpRow() + laneRow(i / 2),
                                   place = key + n * 8 + laneColumn() + i % 2;
                const bool sees = place < a.steps && query < a.steps && (!a.causal || place <= query);
                const float probability = sees ? exp2f(scores[n][i] * (scale * kLog2E) - logsumexp[i / 2]) : 0.0F;
                scores[n][i] = scoreGradient(probability, products[n][i], delta[i / 2], scale);
            }
        }
        addRows<W, kTile>(scores, keyTile, sums);
    }
    storeResults<W>(head.dq, begin, sums, 1, 1);
}

/// Queries at a time: with wide heads the registers hold the gradients of keys and values and few scores.
template <int W> constexpr int kQueries = W <= 64 ? 64 : 16;

template <class T, int W>
constexpr std::size_t kKeyGradientBytes = 2 * kTileBytes<T, W> +
                                          2 * kQueries<W>*(sizeof(T) * kMatrixRow<W> + sizeof(float));

template <class T, int W> __global__ void keyGradient(BackwardOperands<T> o, Attention a)
{
    constexpr int Q = kQueries<W>;
    T* keyTile = dynamicShared<T>();
    T *valueTile = keyTile + kTile * kMatrixRow<W>, *queryTile = valueTile + kTile * kMatrixRow<W>,
      *gradientTile = queryTile + Q * kMatrixRow<W>;
    auto* logsumexp = reinterpret_cast<float*>(gradientTile + Q * kMatrixRow<W>);
    float* delta = logsumexp + Q;
    const std::int64_t heads = a.batch * a.heads;
    const std::int64_t begin = blockIdx.x / heads * kTile; // those with most queries first
    const Head<T> head(o, a, blockIdx.x % heads);
    const float scale = 1.0F / sqrtf(static_cast<float>(a.width / a.heads));
    copyTile<W, kTile>(head.k, begin, keyTile);
    copyTile<W, kTile>(head.v, begin, valueTile);
    Results<W> keySums{}, valueSums{};
    for (std::int64_t query = a.causal ? begin : 0; query < a.steps; query += Q) {
        __syncthreads(); // nobody reads the tiles any more
        copyTile<W, Q>(head.q, query, queryTile);
        copyTile<W, Q>(head.dy, query, gradientTile);
        for (int i = static_cast<int>(threadIdx.x); i < Q; i += kWarps * kWarp) {
            logsumexp[i] = query + i < a.steps ? head.logsumexp[query + i] * kLog2E : 0;
            delta[i] = query + i < a.steps ? head.delta[query + i] : 0;
        }
        __syncthreads();
        Results<Q> scores{}, products{};
        multiplyTiles<W, Q>(keyTile, queryTile, scores);
        for (int n = 0; n < Q / 8; ++n) {
            for (int i = 0; i < 4; ++i) {
                const int c = n * 8 + laneColumn() + i % 2;
                const std::int64_t key = begin + warpRow() + laneRow(i / 2), place = query + c;
                const bool sees = place < a.steps && key < a.steps && (!a.causal || key <= place);
                scores[n][i] = sees ? exp2f(scores[n][i] * (scale * kLog2E) - logsumexp[c]) : 0.0F;
            }
        }
        addRows<W, Q>(scores, gradientTile, valueSums);
        multiplyTiles<W, Q>(valueTile, gradientTile, products);
        for (int n = 0; n < Q / 8; ++n) {
            for (int i = 0; i < 4; ++i)
                scores[n][i] = scoreGradient(scores[n][i], products[n][i], delta[n * 8 + laneColumn() + i % 2], scale);
        }
        addRows<W, Q>(scores, queryTile, keySums);
    }
    storeResults<W>(head.dk, begin, keySums, 1, 1);
    storeResults<W>(head.dv, begin, valueSums, 1, 1);
}

template <class T, int W> KernelResult make(Context& context, const Attention& a)
{
    MR_CHECK(reserveShared(context, queryGradient<T, W>, 4 * kTileBytes<T, W>));
    MR_CHECK(reserveShared(context, keyGradient<T, W>, kKeyGradientBytes<T, W>));
    const auto run = [&context, a](const Arguments& arguments) {
        const BackwardOperands<T> operands = prepareBackward<T>(context, a, arguments);
        const dim3 block(kWarps * kWarp);
        launch(context, queryGradient<T, W>, matrixGrid(a), block, 4 * kTileBytes<T, W>, operands, a);
        launch(context, keyGradient<T, W>, matrixGrid(a), block, kKeyGradientBytes<T, W>, operands, a);
    };
    return makeKernel(run, backwardScratchBytes(a));
}

} // namespace

KernelResult attention::makeBackwardMatrices(Context& context, const Attention& a, DType type)
{
    return byWidth(a, [&](auto width) -> KernelResult {
        constexpr int W = decltype(width)::value;
        return type == DType::BF16 ? make<bf16, W>(context, a) : make<f16, W>(context, a);
    });
}

} // namespace millrace::kernels::cuda
