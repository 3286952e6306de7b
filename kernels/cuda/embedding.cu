// Embedding on a GPU. Forward, rows are copied. Backward, rows of dy with the same token have to be added up, in an
// order that is the same each time, so without atomic additions. First the places of the tokens are sorted by token: a
// radix sort of eight bits a pass that keeps equal tokens in their order. (In each pass a block takes a tile of tokens;
// its thread d looks through the tile for those whose digit is d, counts them, and later places them one after the
// other.) Then the sorted places are cut into chunks of the same length, and a block adds up the rows of a chunk, run
// by run of equal tokens. A run that crosses chunks leaves a sum in each: a tail where it begins, heads where it goes
// on; a last kernel adds these in their order. So a token that is every tenth of a text is no longer work for one
// block.
#include "kernels/ops/embedding.h"

#include "kernels/cuda/cutter.h"
#include "kernels/cuda/kernel.h"
#include "kernels/cuda/values.h"
#include "kernels/ops/check.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace millrace::kernels::cuda {

namespace {

constexpr int kThreads = 256;
constexpr int kDigits = 256, kDigitBits = 8;
constexpr std::int64_t kTile = 1024;
constexpr int kScanThreads = 1024;
constexpr std::int64_t kLeastChunk = 32, kMostChunks = 4096;
constexpr int kAtOnce = 4; ///< rows that a thread has asked for before it adds the first
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

template <class T, int N> __global__ void gatherRows(const T* table, const std::int32_t* tokens, T* y, Embedding e)
{
    const std::int64_t pieces = e.width / N, all = e.tokens * pieces;
    for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < all;
         i += static_cast<std::int64_t>(gridDim.x) * blockDim.x) {
        const std::int64_t n = i / pieces, c = i % pieces * N;
        const std::int32_t token = tokens[n];
        Values<T, N> row;
        if (token >= 0 && token < e.vocabulary) {
            row = Values<T, N>::load(table + token * e.width + c);
        } else {
            for (int k = 0; k < N; ++k) row.at[k] = kNan;
        }
        row.store(y + n * e.width + c);
    }
}

/// Tokens to be sorted, and where they came from; null: each is where it came from.
struct Entries
{
    std::int32_t *tokens, *places;
};

/// The tokens outside of the vocabulary sort behind all others.
__device__ std::int32_t keyOf(std::int32_t token, std::int32_t vocabulary)
{
    return token >= 0 && token < vocabulary ? token : vocabulary;
}

/// Puts the digits of the block's tile into shared memory; returns how many there are.
__device__ int loadTile(const std::int32_t* tokens, std::int64_t count, std::int32_t vocabulary, int shift,
                        unsigned char* digits)
{
    const std::int64_t first = blockIdx.x * kTile, left = count - first;
    const int size = static_cast<int>(left < kTile ? left : kTile);
    for (int i = static_cast<int>(threadIdx.x); i < size; i += kDigits)
        digits[i] = static_cast<unsigned char>(keyOf(tokens[first + i], vocabulary) >> shift & (kDigits - 1));
    __syncthreads();
    return size;
}

/// counts[digit,tile]
__global__ void countDigits(const std::int32_t* tokens, std::int64_t count, std::int32_t vocabulary, int shift,
                            std::uint32_t* counts)
{
    __shared__ unsigned char digits[kTile];
    const int size = loadTile(tokens, count, vocabulary, shift, digits);
    std::uint32_t own = 0;
    for (int i = 0; i < size; ++i) own += digits[i] == threadIdx.x ? 1U : 0U;
    counts[static_cast<std::int64_t>(threadIdx.x) * gridDim.x + blockIdx.x] = own;
}

/// Each count becomes the sum of those before it. One block.
__global__ void scanCounts(std::uint32_t* counts, std::int64_t size)
{
    __shared__ std::uint32_t sums[kScanThreads];
    const int thread = static_cast<int>(threadIdx.x);
    const std::int64_t share = (size + kScanThreads - 1) / kScanThreads, begin = thread * share;
    const std::int64_t end = begin + share < size ? begin + share : size;
    std::uint32_t sum = 0;
    for (std::int64_t i = begin; i < end; ++i) sum += counts[i];
    sums[thread] = sum;
    __syncthreads();
    for (int distance = 1; distance < kScanThreads; distance *= 2) {
        const std::uint32_t before = thread >= distance ? sums[thread - distance] : 0;
        __syncthreads();
        sums[thread] += before;
        __syncthreads();
    }
    std::uint32_t before = sums[thread] - sum;
    for (std::int64_t i = begin; i < end; ++i) {
        const std::uint32_t own = counts[i];
        counts[i] = before;
        before += own;
    }
}

__global__ void placeTokens(Entries from, std::int64_t count, std::int32_t vocabulary, int shift,
                            const std::uint32_t* counts, Entries to)
{
    __shared__ unsigned char digits[kTile];
    const int size = loadTile(from.tokens, count, vocabulary, shift, digits);
    const std::int64_t first = blockIdx.x * kTile;
    std::uint32_t next = counts[static_cast<std::int64_t>(threadIdx.x) * gridDim.x + blockIdx.x];
    for (int i = 0; i < size; ++i) {
        if (digits[i] != threadIdx.x) continue;
        to.tokens[next] = keyOf(from.tokens[first + i], vocabulary);
        to.places[next] = from.places ? from.places[first + i] : static_cast<std::int32_t>(first + i);
        ++next;
    }
}

/// The sorted tokens, cut into chunks.
struct Runs
{
    const std::int32_t *tokens, *places;
    std::int64_t count, chunk;
    std::int32_t vocabulary;

    __device__ std::int64_t begin(std::int64_t index) const { return index * chunk; }
    __device__ std::int64_t end(std::int64_t index) const
    {
        return (index + 1) * chunk < count ? (index + 1) * chunk : count;
    }
    __device__ bool goesOnAt(std::int64_t at, std::int32_t token) const
    {
        return at > 0 && at < count && tokens[at - 1] == token && tokens[at] == token;
    }
};

template <class T, int N>
__global__ void sumChunks(Runs runs, const T* dy, std::int64_t width, float* heads, float* tails, float* dtable)
{
    const std::int64_t chunk = blockIdx.x, begin = runs.begin(chunk), end = runs.end(chunk);
    for (std::int64_t c = static_cast<std::int64_t>(threadIdx.x) * N; c < width; c += blockDim.x * N) {
        Values<float, N> sum{};
        std::int32_t token = runs.tokens[begin];
        std::int64_t first = begin; // of the run
        const auto finish = [&](std::int64_t last) {
            if (token == runs.vocabulary) return;
            if (first == begin && runs.goesOnAt(begin, token))
                sum.store(heads + chunk * width + c);
            else if (last == end && runs.goesOnAt(end, token))
                sum.store(tails + chunk * width + c);
            else
                sum.store(dtable + token * width + c);
        };
        for (std::int64_t at = begin; at < end; at += kAtOnce) {
            Values<T, N> rows[kAtOnce];
            for (int i = 0; i < kAtOnce; ++i) {
                const std::int64_t from = at + i < end ? at + i : end - 1;
                rows[i] = Values<T, N>::load(dy + runs.places[from] * width + c);
            }
            for (int i = 0; i < kAtOnce; ++i) {
                if (at + i >= end) break;
                if (const std::int32_t next = runs.tokens[at + i]; next != token) {
                    finish(at + i);
                    sum = {};
                    token = next;
                    first = at + i;
                }
                for (int k = 0; k < N; ++k) sum.at[k] += rows[i].at[k];
            }
        }
        finish(end);
    }
}

/// The index behind the last of the sorted tokens that is `token`, where that at `from` is one.
__device__ std::int64_t endOfRun(const Runs& runs, std::int64_t from, std::int32_t token)
{
    std::int64_t low = from, high = runs.count; // tokens[low] is one, tokens[high] is not
    while (high - low > 1) {
        const std::int64_t middle = low + (high - low) / 2;
        (runs.tokens[middle] == token ? low : high) = middle;
    }
    return high;
}

/// Adds up the runs that begin in the block's chunk and go on behind it.
template <int N>
__global__ void joinChunks(Runs runs, std::int64_t width, const float* heads, const float* tails, float* dtable)
{
    const std::int64_t chunk = blockIdx.x, begin = runs.begin(chunk), end = runs.end(chunk);
    const std::int32_t token = runs.tokens[end - 1];
    if (token == runs.vocabulary || !runs.goesOnAt(end, token)) return;
    if (runs.tokens[begin] == token && runs.goesOnAt(begin, token)) return; // it began before
    const std::int64_t last = (endOfRun(runs, end, token) - 1) / runs.chunk;
    for (std::int64_t c = static_cast<std::int64_t>(threadIdx.x) * N; c < width; c += blockDim.x * N) {
        auto sum = Values<float, N>::load(tails + chunk * width + c);
        for (std::int64_t next = chunk + 1; next <= last; ++next) {
            const auto head = Values<float, N>::load(heads + next * width + c);
            for (int k = 0; k < N; ++k) sum.at[k] += head.at[k];
        }
        sum.store(dtable + token * width + c);
    }
}

Status check(const Embedding& e)
{
    MR_CHECK(requirePositive("embedding", {{"tokens", e.tokens}, {"vocabulary", e.vocabulary}, {"width", e.width}}));
    constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();
    if (e.tokens <= kMost && e.vocabulary < kMost) return {};
    return makeError(Code::Unsupported, str("embedding: ", e.tokens, " tokens of a vocabulary of ", e.vocabulary,
                                            " are more than a GPU's kernel counts, ", kMost, "."));
}

/// Scratch memory of the backward kernel, and how the sorted tokens are cut.
struct Scratch
{
    std::int64_t tiles, chunk, chunks;
    std::uint32_t* counts; ///< (digits,tiles)
    Entries sorted, other;
    float *heads, *tails; ///< (chunks,C)
    std::uint64_t bytes;

    Scratch(const Embedding& e, std::byte* memory)
        : tiles((e.tokens + kTile - 1) / kTile),
          chunk(std::max(kLeastChunk, (e.tokens + kMostChunks - 1) / kMostChunks)),
          chunks((e.tokens + chunk - 1) / chunk)
    {
        Cutter cutter(memory);
        counts = cutter.take<std::uint32_t>(kDigits * tiles);
        for (Entries* entries : {&sorted, &other}) {
            entries->tokens = cutter.take<std::int32_t>(e.tokens);
            entries->places = cutter.take<std::int32_t>(e.tokens);
        }
        heads = cutter.take<float>(chunks * e.width);
        tails = cutter.take<float>(chunks * e.width);
        bytes = cutter.bytes();
    }
};

/// Sorts the tokens with their places into scratch.sorted.
void sortTokens(Context& context, const Embedding& e, const std::int32_t* tokens, Scratch& scratch)
{
    const auto vocabulary = static_cast<std::int32_t>(e.vocabulary);
    Entries from{const_cast<std::int32_t*>(tokens), nullptr}; // the first pass only reads them
    for (int shift = 0; shift < 32 && (shift == 0 || vocabulary >> shift > 0); shift += kDigitBits) {
        launch(context, countDigits, blocksFor(scratch.tiles, 1), dim3(kDigits), 0, from.tokens, e.tokens, vocabulary,
               shift, scratch.counts);
        launch(context, scanCounts, dim3(1), dim3(kScanThreads), 0, scratch.counts, kDigits * scratch.tiles);
        launch(context, placeTokens, blocksFor(scratch.tiles, 1), dim3(kDigits), 0, from, e.tokens, vocabulary, shift,
               scratch.counts, scratch.other);
        std::swap(scratch.sorted, scratch.other);
        from = scratch.sorted;
    }
}

template <class T, int N>
void backward(Context& context, const Embedding& e, const std::int32_t* tokens, const T* dy, float* dtable,
              std::byte* memory)
{
    context.check(context.runtime().cudaMemsetAsync(
                      dtable, 0, static_cast<std::size_t>(e.vocabulary * e.width) * sizeof(float), context.stream()),
                  "clearing the gradient of an embedding");
    Scratch scratch(e, memory);
    sortTokens(context, e, tokens, scratch);
    const Runs runs{scratch.sorted.tokens, scratch.sorted.places, e.tokens, scratch.chunk,
                    static_cast<std::int32_t>(e.vocabulary)};
    const std::int64_t pieces = (e.width + N - 1) / N;
    const dim3 block(static_cast<unsigned>(std::min<std::int64_t>((pieces + kWarp - 1) / kWarp * kWarp, kThreads)));
    launch(context, sumChunks<T, N>, blocksFor(scratch.chunks, 1), block, 0, runs, dy, e.width, scratch.heads,
           scratch.tails, dtable);
    launch(context, joinChunks<N>, blocksFor(scratch.chunks, 1), block, 0, runs, e.width, scratch.heads, scratch.tails,
           dtable);
}

} // namespace

KernelResult makeEmbedding(Context& context, const Embedding& e, DType type)
{
    MR_CHECK(check(e));
    return byTypeAndColumns(type, e.width, [&](auto element, auto count) {
        using T = decltype(element);
        constexpr int N = decltype(count)::value;
        return makeKernel([&context, e](const Arguments& a) {
            launch(context, gatherRows<T, N>, blocksFor(e.tokens * (e.width / N), kThreads), dim3(kThreads), 0,
                   static_cast<const T*>(a.inputs[0]), static_cast<const std::int32_t*>(a.inputs[1]),
                   static_cast<T*>(a.outputs[0]), e);
        });
    });
}

KernelResult makeEmbeddingBackward(Context& context, const Embedding& e, DType type)
{
    MR_CHECK(check(e));
    return byTypeAndColumns(type, e.width, [&](auto element, auto count) {
        using T = decltype(element);
        const auto run = [&context, e](const Arguments& a) {
            backward<T, decltype(count)::value>(context, e, static_cast<const std::int32_t*>(a.inputs[0]),
                                                static_cast<const T*>(a.inputs[1]), a.output(0), a.scratch);
        };
        return makeKernel(run, Scratch(e, nullptr).bytes);
    });
}

} // namespace millrace::kernels::cuda
