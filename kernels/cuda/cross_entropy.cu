// Softmax cross-entropy: loss, hits and gradient, the gradient over the logits where it may take their memory.
//
// A block copies its row into shared memory where it fits (a vocabulary of 50,257 in 16 bits: two rows on each
// multiprocessor of an H100, so that one is read while the other is computed with), and then each logit is read once
// and each gradient written once. From the copy the maximum, its place and the sum are found in one reading, the
// gradient in another; a thread only meets what it copied itself, so nobody waits in between. A row that does not fit
// is read twice.
//
// The gradient is divided by the weight of the whole batch, which is added up before: by a block of its own, and the
// rows' losses after it by another. A small batch with few classes, whose time is that of launches, is one block with
// a thread for each row.
//
// In place is safe: a row is its block's alone, an element that of the thread that read it, and the label's logit is
// read before the first sum over the block, after which gradients are written.
#include "kernels/cuda/kernel.h"
#include "kernels/cuda/loss_sum.h"
#include "kernels/cuda/rows.h"

#include <algorithm>
#include <climits>
#include <cmath>

namespace millrace::kernels::cuda {

namespace {

constexpr int kMostThreads = 1024;
constexpr int kTwoBlocksThreads = 512; // of a row where two fit a multiprocessor
constexpr std::int64_t kSmallRows = 2048, kSmallClasses = 64, kSmallElements = 32768;
constexpr int kStaticShared = 2048; // what the sums over a block take, generously, and what the system does

struct Totals
{
    double weight;  ///< W: of the rows' labels, less those that are ignored
    double classes; ///< of all classes
};

template <class T> struct Batch
{
    const T* x;
    const std::int32_t* labels;
    const float* weights; ///< by class; null: 1 each
    T* gradient;          ///< may be x; null: not wanted
    const Counter* counter;
    std::int64_t rows, ignored;
    int classes;
    float target, share; ///< what of a row's weight goes to its label, and to each class: 1 - e and e / C
};

/// All threads of the block must call it.
template <class T> __device__ Totals totalsOf(const Batch<T>& batch)
{
    double weight = 0, classes = 0;
    for (std::int64_t r = threadIdx.x; r < batch.rows; r += blockDim.x) {
        const std::int32_t label = batch.labels[r];
        if (label == batch.ignored) continue;
        const bool isWeighed = batch.weights && label >= 0 && label < batch.classes;
        weight += isWeighed ? static_cast<double>(batch.weights[label]) : 1.0;
    }
    for (int c = static_cast<int>(threadIdx.x); batch.weights && c < batch.classes; c += static_cast<int>(blockDim.x))
        classes += static_cast<double>(batch.weights[c]);
    return {blockSum(weight), batch.weights ? blockSum(classes) : static_cast<double>(batch.classes)};
}

/// What a row's thread, or block, found in its logits.
struct RowState
{
    OnlineSoftmax softmax;
    float scores = 0;    ///< sum_c w[c] x[c], where labels are smoothed
    int place = INT_MAX; ///< the first with the maximum

    template <int count>
    __device__ void add(const float (&values)[count], int column, const float* weights, bool scored)
    {
        if (softmax.add(values)) {
            for (int k = count - 1; k >= 0; --k)
                if (values[k] == softmax.maximum) place = column + k;
        }
        if (!scored) return;
        for (int k = 0; k < count; ++k) scores += weights ? weights[column + k] * values[k] : values[k];
    }

    template <class Group> __device__ void merge(const Group& group, bool scored)
    {
        const float own = softmax.maximum;
        softmax.merge(group);
        place = -group.max(own == softmax.maximum ? -place : -INT_MAX, -INT_MAX);
        if (scored) scores = group.sum(scores);
    }
};

/// Copies a row, to where it lies between two vectors as it did before, and returns the place. Several vectors of each
/// thread are on their way at once.
template <class T> __device__ const T* copyRow(const T* row, T* to, int columns)
{
    constexpr int kSize = Packed<T>::kSize, kAtOnce = 4;
    const BlockOfRow block;
    const RowPieces pieces = piecesOf(row, columns);
    to += pieces.past;
    const int rank = block.rank(), threads = block.threads();
    for (int c = rank; c < pieces.head; c += threads) to[c] = row[c];
    for (int first = rank; first < pieces.packs; first += kAtOnce * threads) {
        Packed<T> packs[kAtOnce];
        for (int k = 0; k < kAtOnce; ++k) {
            const int pack = first + k * threads;
            if (pack < pieces.packs) packs[k] = Packed<T>::loadOnce(row + pieces.head + pack * kSize);
        }
        for (int k = 0; k < kAtOnce; ++k) {
            const int pack = first + k * threads;
            if (pack < pieces.packs) packs[k].store(to + pieces.head + pack * kSize);
        }
    }
    for (int c = pieces.tail + rank; c < columns; c += threads) to[c] = row[c];
    return to;
}

/// One row, whose logits lie at x. The result is right for every thread.
template <class T, class Group>
__device__ LossSum crossEntropyOfRow(const Batch<T>& batch, const Totals& totals, std::int64_t r, const T* x,
                                     const Group& group)
{
    const std::int64_t first = r * batch.classes;
    T* gradient = batch.gradient ? batch.gradient + first : nullptr;
    const std::int32_t label = batch.labels[r];
    if (label == batch.ignored) {
        const auto clear = [&](int c, auto piece) {
            const float zeros[piece.value] = {};
            storePiece(gradient + c, zeros);
        };
        if (gradient) forEachPiece(group, x, batch.classes, clear);
        return {0, 0};
    }

    const bool isKnown = label >= 0 && label < batch.classes, isSmoothed = batch.share != 0;
    const float logit = isKnown ? toFloat(batch.x[first + label]) : NAN;
    RowState row;
    forEachPiece(group, x, batch.classes, [&](int c, auto piece) {
        float values[piece.value];
        loadPiece(x + c, values);
        row.add(values, c, batch.weights, isSmoothed);
    });
    row.merge(group, isSmoothed);

    const float weight = isKnown && batch.weights ? batch.weights[label] : 1.0F;
    const float target = batch.target * weight, maximum = row.softmax.maximum;
    const auto mass =
        static_cast<float>(static_cast<double>(target) + static_cast<double>(batch.share) * totals.classes);
    if (gradient) {
        const float scale = batch.counter->lossScale * static_cast<float>(1.0 / totals.weight);
        const float factor = mass * scale / row.softmax.sum, atLabel = target * scale, each = batch.share * scale;
        forEachPiece(group, x, batch.classes, [&](int c, auto piece) {
            float values[piece.value];
            loadPiece(x + c, values);
            for (float& value : values) value = expf(value - maximum) * factor;
            if (isSmoothed) {
                for (int k = 0; k < piece.value; ++k) values[k] -= batch.weights ? each * batch.weights[c + k] : each;
            }
            if (label >= c && label < c + piece.value) {
                for (int k = 0; k < piece.value; ++k) values[k] -= c + k == label ? atLabel : 0.0F;
            }
            storePiece(gradient + c, values);
        });
    }
    // the scores less the maximum of each: sum_c w[c] (x[c] - maximum)
    const double scores = static_cast<double>(row.scores) - static_cast<double>(maximum) * totals.classes;
    const double loss = static_cast<double>(mass * logf(row.softmax.sum) - target * (logit - maximum)) -
                        (isSmoothed ? static_cast<double>(batch.share) * scores : 0.0);
    return {loss, isKnown && row.place == label};
}

// kernels

template <class T> __global__ void __launch_bounds__(kMostThreads) addTotals(Batch<T> batch, Totals* totals)
{
    const Totals found = totalsOf(batch);
    if (threadIdx.x == 0) *totals = found;
}

/// A block for each row. (The one block for each multiprocessor is the least: left to choose, ptxas aims at two of 1024
/// threads, and spills.)
template <bool isCached, class T>
__global__ void __launch_bounds__(kMostThreads, 1) crossEntropy(Batch<T> batch, const Totals* totals, LossSum* parts)
{
    const T* x = batch.x + static_cast<std::int64_t>(blockIdx.x) * batch.classes;
    if constexpr (isCached) x = copyRow(x, dynamicShared<T>(), batch.classes);
    const LossSum part = crossEntropyOfRow(batch, *totals, blockIdx.x, x, BlockOfRow{});
    if (threadIdx.x == 0) parts[blockIdx.x] = part;
}

/// One block for the whole batch.
template <class T>
__global__ void __launch_bounds__(kMostThreads) crossEntropyOfSmall(Batch<T> batch, LossOutputs outputs)
{
    const Totals totals = totalsOf(batch);
    LossSum sum{0, 0};
    for (std::int64_t r = threadIdx.x; r < batch.rows; r += blockDim.x) {
        const LossSum part = crossEntropyOfRow(batch, totals, r, batch.x + r * batch.classes, ThreadOfRow{});
        sum.loss += part.loss;
        sum.hits += part.hits;
    }
    sum.loss = blockSum(sum.loss);
    sum.hits = blockSum(sum.hits);
    if (threadIdx.x != 0) return;
    if (outputs.loss) *outputs.loss = static_cast<float>(sum.loss / totals.weight);
    if (outputs.hits) *outputs.hits = static_cast<float>(sum.hits);
}

template <class T> Batch<T> batchOf(const CrossEntropy& dimensions, const Arguments& arguments)
{
    const auto smoothing = static_cast<float>(dimensions.labelSmoothing);
    return {.x = static_cast<const T*>(arguments.inputs[0]),
            .labels = static_cast<const std::int32_t*>(arguments.inputs[1]),
            .weights = arguments.input(2),
            .gradient = static_cast<T*>(arguments.outputs[2]),
            .counter = arguments.counter,
            .rows = dimensions.rows,
            .ignored = dimensions.ignoreIndex,
            .classes = static_cast<int>(dimensions.classes),
            .target = 1.0F - smoothing,
            .share = smoothing / static_cast<float>(dimensions.classes)};
}

/// How the rows of a batch are gone through.
struct Way
{
    bool isCached;
    int threads;
    std::size_t sharedBytes;
};

template <class T> Result<Way> wayOf(Context& context, std::int64_t classes)
{
    const int shared = context.sharedBytesPerBlock() - kStaticShared;
    const std::int64_t needed = (classes + Packed<T>::kSize) * static_cast<std::int64_t>(sizeof(T));
    if (needed > shared) return Way{false, rowThreads<T>(classes, kMostThreads), 0};
    // all that there is, for the attribute is the kernel's and other batches use it too
    MR_CHECK(
        context.asStatus(context.runtime().cudaFuncSetAttribute(reinterpret_cast<const void*>(&crossEntropy<true, T>),
                                                                cudaFuncAttributeMaxDynamicSharedMemorySize, shared),
                         "the shared memory of the cross-entropy"));
    const bool twoFit = 2 * (needed + kStaticShared) <= shared;
    return Way{true, rowThreads<T>(classes, twoFit ? kTwoBlocksThreads : kMostThreads),
               static_cast<std::size_t>(needed)};
}

bool isSmall(const CrossEntropy& dimensions)
{
    return dimensions.rows <= kSmallRows && dimensions.classes <= kSmallClasses &&
           dimensions.rows * dimensions.classes <= kSmallElements;
}

} // namespace

// launchers

KernelResult makeCrossEntropy(Context& context, const CrossEntropy& dimensions, DType type)
{
    MR_CHECK(requireRows("cross_entropy", dimensions.rows, dimensions.classes));
    if (!(dimensions.labelSmoothing >= 0 && dimensions.labelSmoothing <= 1))
        return makeError(Code::InvalidArgument, str("cross_entropy: the label smoothing is ", dimensions.labelSmoothing,
                                                    ", expected 0 to 1."));
    return byType(type, [&](auto element) -> KernelResult {
        using T = decltype(element);
        if (isSmall(dimensions))
            return makeKernel([&context, dimensions](const Arguments& arguments) {
                const std::int64_t threads =
                    std::min<std::int64_t>((dimensions.rows + kWarp - 1) / kWarp * kWarp, kMostThreads);
                launch(context, crossEntropyOfSmall<T>, 1, static_cast<unsigned>(threads), 0,
                       batchOf<T>(dimensions, arguments),
                       LossOutputs{arguments.output(0), arguments.output(1), 1, nullptr});
            });
        MR_TRY(const Way way, wayOf<T>(context, dimensions.classes));
        const std::uint64_t scratch = sizeof(Totals) + static_cast<std::uint64_t>(dimensions.rows) * sizeof(LossSum);
        return makeKernel(
            [&context, dimensions, way](const Arguments& arguments) {
                const Batch<T> batch = batchOf<T>(dimensions, arguments);
                auto* totals = reinterpret_cast<Totals*>(arguments.scratch);
                auto* parts = reinterpret_cast<LossSum*>(totals + 1);
                launch(context, addTotals<T>, 1, kMostThreads, 0, batch, totals);
                launch(context, way.isCached ? crossEntropy<true, T> : crossEntropy<false, T>,
                       blocksFor(dimensions.rows, 1), way.threads, way.sharedBytes, batch, totals, parts);
                if (arguments.output(0) || arguments.output(1))
                    sumLosses(context, parts, dimensions.rows,
                              {arguments.output(0), arguments.output(1), 1, &totals->weight});
            },
            scratch);
    });
}

} // namespace millrace::kernels::cuda
