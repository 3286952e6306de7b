// Attention of a few new queries over a cache of keys and values, on a GPU. One query is far too little work for a
// block of its own, so its keys are split: each block of 64 threads takes 64 places, a score for each thread, and
// leaves the sum of its values with the largest score and the sum of exponentials; a second kernel combines the blocks
// of a query. The place of the new keys lies in the device's memory, so blocks are launched for the whole cache, and
// those behind the last place have nothing to do. New keys and values are read from qkv, never from the cache: no block
// waits for the one that writes them. More queries than a handful go through the tiles of attention_forward.h.
#include "kernels/cuda/attention_forward.h"
#include "kernels/cuda/cutter.h"
#include "kernels/ops/attention.h"

#include <algorithm>

namespace millrace::kernels::cuda {

namespace {

using attention::kLowest;

constexpr int kPlaces = 64;             ///< of a block, and its threads
constexpr std::int64_t kFewQueries = 8; ///< up to so many the keys are split
constexpr std::int64_t kWidest = 8192;  ///< a query stays in shared memory

template <class T> struct Operands
{
    const T* qkv;
    T *keys, *values; ///< the caches, (B,L,C)
    const std::int32_t* offset;
    float *sums, *maxima, *norms; ///< (B,heads,T,splits,D); (B,heads,T,splits) twice
    T* y;
    float* logsumexp; ///< may be null
};

/// What a block works on.
struct Part
{
    std::int64_t D, split, query, b, h, first; ///< first: the place of query 0
    std::int64_t begin, seen;                  ///< its places, and how many the query sees of them (0 or less: none)
    std::int64_t slot;                         ///< of its results

    __device__ Part(const Attention& a, const std::int32_t* offset, std::int64_t splits)
        : D(a.width / a.heads), split(blockIdx.x % splits), query(blockIdx.x / splits % a.steps),
          b(blockIdx.x / splits / a.steps / a.heads), h(blockIdx.x / splits / a.steps % a.heads),
          first(attention::offsetOf(offset, a.places, a.steps)), begin(split * kPlaces),
          seen(first + (a.causal ? query + 1 : a.steps) - begin), slot(blockIdx.x)
    {
        if (seen > kPlaces) seen = kPlaces;
    }
};

/// The head's row of the keys (which = 1) or values (2) of a place, wherever it lies.
template <class T>
__device__ const T* rowAt(const Operands<T>& o, const Attention& a, const Part& part, int which, std::int64_t place)
{
    if (place >= part.first)
        return o.qkv + (part.b * a.steps + place - part.first) * 3 * a.width + which * a.width + part.h * part.D;
    return (which == 1 ? o.keys : o.values) + (part.b * a.places + place) * a.width + part.h * part.D;
}

/// Writes those of the new keys and values that belong to the block's places.
template <class T> __device__ void appendRows(const Operands<T>& o, const Attention& a, const Part& part)
{
    const std::int64_t from = part.first > part.begin ? part.first : part.begin, last = part.first + a.steps;
    const std::int64_t to = last < part.begin + kPlaces ? last : part.begin + kPlaces;
    for (std::int64_t place = from; place < to; ++place) {
        const T *key = rowAt(o, a, part, 1, place), *value = rowAt(o, a, part, 2, place);
        const std::int64_t at = (part.b * a.places + place) * a.width + part.h * part.D;
        for (std::int64_t d = threadIdx.x; d < part.D; d += kPlaces) {
            o.keys[at + d] = key[d];
            o.values[at + d] = value[d];
        }
    }
}

template <class T, int N> __global__ void attendPlaces(Operands<T> o, Attention a, std::int64_t splits, int lanes)
{
    __shared__ float weights[kPlaces], partial[kPlaces * N];
    float* query = dynamicShared<float>();
    const Part part(a, o.offset, splits);
    const int thread = static_cast<int>(threadIdx.x);
    if (part.query == 0) appendRows(o, a, part);
    if (part.seen <= 0) return;
    const T* q = o.qkv + (part.b * a.steps + part.query) * 3 * a.width + part.h * part.D;
    for (std::int64_t d = thread; d < part.D; d += kPlaces) query[d] = toFloat(q[d]);
    __syncthreads();

    float score = kLowest;
    if (thread < part.seen) {
        const T* key = rowAt(o, a, part, 1, part.begin + thread);
        score = 0;
        for (std::int64_t d = 0; d < part.D; d += N) {
            const auto values = Values<T, N>::load(key + d);
            for (int k = 0; k < N; ++k) score += values.at[k] * query[d + k];
        }
        score *= 1.0F / sqrtf(static_cast<float>(part.D));
    }
    const float maximum = blockMax(score, kLowest);
    const float weight = thread < part.seen ? expf(score - maximum) : 0.0F;
    const float norm = blockSum(weight);
    weights[thread] = weight;
    if (thread == 0) o.maxima[part.slot] = maximum, o.norms[part.slot] = norm;
    __syncthreads();

    // `lanes` threads side by side take a row of values, N columns each; the rows are shared among groups of them
    const int lane = thread % lanes, group = thread / lanes, groups = kPlaces / lanes;
    for (std::int64_t column = 0; column < part.D; column += static_cast<std::int64_t>(lanes) * N) {
        const std::int64_t own = column + static_cast<std::int64_t>(lane) * N;
        Values<float, N> sum{};
        for (std::int64_t i = group; own < part.D && i < part.seen; i += groups) {
            const auto values = Values<T, N>::load(rowAt(o, a, part, 2, part.begin + i) + own);
            for (int k = 0; k < N; ++k) sum.at[k] += weights[i] * values.at[k];
        }
        for (int k = 0; k < N; ++k) partial[thread * N + k] = sum.at[k];
        __syncthreads();
        for (int k = thread; k < lanes * N; k += kPlaces) {
            float all = 0;
            for (int g = 0; g < groups; ++g) all += partial[g * lanes * N + k];
            if (column + k < part.D) o.sums[part.slot * part.D + column + k] = all;
        }
        __syncthreads();
    }
}

/// A block for each query of each head.
template <class T> __global__ void combineParts(Operands<T> o, Attention a, std::int64_t splits)
{
    const std::int64_t D = a.width / a.heads, index = blockIdx.x, t = index % a.steps, h = index / a.steps % a.heads,
                       b = index / a.steps / a.heads;
    const std::int64_t first = attention::offsetOf(o.offset, a.places, a.steps);
    const std::int64_t used = (first + (a.causal ? t + 1 : a.steps) + kPlaces - 1) / kPlaces, slot = index * splits;
    float maximum = kLowest, norm = 0;
    for (std::int64_t s = 0; s < used; ++s) maximum = o.maxima[slot + s] > maximum ? o.maxima[slot + s] : maximum;
    for (std::int64_t s = 0; s < used; ++s) norm += o.norms[slot + s] * expf(o.maxima[slot + s] - maximum);
    for (std::int64_t d = threadIdx.x; d < D; d += blockDim.x) {
        float sum = 0;
        for (std::int64_t s = 0; s < used; ++s) sum += o.sums[(slot + s) * D + d] * expf(o.maxima[slot + s] - maximum);
        o.y[(b * a.steps + t) * a.width + h * D + d] = fromFloat<T>(sum / norm);
    }
    if (o.logsumexp && threadIdx.x == 0) o.logsumexp[index] = maximum + logf(norm);
}

/// Writes the new keys and values into the caches.
template <class T> __global__ void append(Operands<T> o, Attention a)
{
    const std::int64_t first = attention::offsetOf(o.offset, a.places, a.steps), all = a.batch * a.steps * a.width;
    for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < all;
         i += static_cast<std::int64_t>(gridDim.x) * blockDim.x) {
        const std::int64_t row = i / a.width, c = i % a.width, b = row / a.steps, t = row % a.steps;
        const std::int64_t to = (b * a.places + first + t) * a.width + c;
        o.keys[to] = o.qkv[(row * 3 + 1) * a.width + c];
        o.values[to] = o.qkv[(row * 3 + 2) * a.width + c];
    }
}

/// The caches that come in, copied to where they go out, unless they lie there.
void copyCaches(Context& context, const Arguments& arguments, std::size_t sizeBytes)
{
    for (const std::size_t cache : {1U, 2U}) {
        if (arguments.inputs[cache] == arguments.outputs[cache + 1]) continue;
        context.check(context.runtime().cudaMemcpyAsync(arguments.outputs[cache + 1], arguments.inputs[cache],
                                                        sizeBytes, cudaMemcpyDeviceToDevice, context.stream()),
                      "copying a cache of keys");
    }
}

/// Cuts the scratch memory of split keys into the operands; returns its size.
template <class T> std::uint64_t cut(Operands<T>& o, const Attention& a, std::int64_t splits, std::byte* memory)
{
    const std::int64_t slots = a.batch * a.heads * a.steps * splits;
    Cutter cutter(memory);
    o.sums = cutter.take<float>(slots * a.headWidth());
    o.maxima = cutter.take<float>(slots);
    o.norms = cutter.take<float>(slots);
    return cutter.bytes();
}

template <class T> Operands<T> operandsOf(const Arguments& arguments)
{
    return {.qkv = static_cast<const T*>(arguments.inputs[0]),
            .keys = static_cast<T*>(arguments.outputs[2]),
            .values = static_cast<T*>(arguments.outputs[3]),
            .offset = static_cast<const std::int32_t*>(arguments.inputs[3]),
            .sums = nullptr,
            .maxima = nullptr,
            .norms = nullptr,
            .y = static_cast<T*>(arguments.outputs[0]),
            .logsumexp = arguments.output(1)};
}

std::size_t cacheBytes(const Attention& a, std::size_t elementBytes)
{
    return static_cast<std::size_t>(a.batch * a.places * a.width) * elementBytes;
}

template <class T, int N> KernelResult makeSplit(Context& context, const Attention& a)
{
    const std::int64_t splits = (a.places + kPlaces - 1) / kPlaces, queries = a.batch * a.heads * a.steps,
                       D = a.headWidth();
    const std::size_t queryBytes = sizeof(float) * static_cast<std::size_t>(D);
    if (D > kWidest)
        return makeError(Code::Unsupported, str("attention: heads of a width of ", D,
                                                " are too wide for a cache, expected at most ", kWidest, "."));
    int lanes = 1;
    while (lanes < kPlaces && lanes * N < D) lanes *= 2;
    const auto threads = static_cast<unsigned>(std::min<std::int64_t>((D + kWarp - 1) / kWarp * kWarp, 256));
    const auto run = [=, &context](const Arguments& arguments) {
        copyCaches(context, arguments, cacheBytes(a, sizeof(T)));
        Operands<T> operands = operandsOf<T>(arguments);
        cut(operands, a, splits, arguments.scratch);
        launch(context, attendPlaces<T, N>, blocksFor(queries * splits, 1), dim3(kPlaces), queryBytes, operands, a,
               splits, lanes);
        launch(context, combineParts<T>, blocksFor(queries, 1), dim3(threads), 0, operands, a, splits);
    };
    Operands<T> none{};
    return makeKernel(run, cut(none, a, splits, nullptr));
}

template <class T> KernelResult makeTiled(Context& context, const Attention& a)
{
    MR_TRY(const attention::ForwardKernel<T> kernel, attention::prepareForward<T>(context, a));
    return makeKernel([&context, a, kernel](const Arguments& arguments) {
        copyCaches(context, arguments, cacheBytes(a, sizeof(T)));
        const Operands<T> operands = operandsOf<T>(arguments);
        launch(context, append<T>, blocksFor(a.batch * a.steps * a.width, 256), dim3(256), 0, operands, a);
        kernel.enqueue(context, a,
                       {.q = operands.qkv,
                        .k = operands.keys,
                        .v = operands.values,
                        .y = operands.y,
                        .logsumexp = operands.logsumexp,
                        .offset = operands.offset,
                        .places = a.places,
                        .queryStride = 3 * a.width,
                        .keyStride = a.width});
    });
}

} // namespace

KernelResult makeCachedAttention(Context& context, const Attention& a, DType type)
{
    MR_CHECK(attention::check(a));
    if (a.places < a.steps)
        return makeError(Code::InvalidArgument,
                         str("attention: ", a.steps, " steps do not fit a cache of ", a.places, " places."));
    if (a.steps <= kFewQueries)
        return byTypeAndColumns(type, a.headWidth(), [&](auto element, auto count) {
            return makeSplit<decltype(element), decltype(count)::value>(context, a);
        });
    return byType(type, [&](auto element) { return makeTiled<decltype(element)>(context, a); });
}

} // namespace millrace::kernels::cuda
