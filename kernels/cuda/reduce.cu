// Sum, mean and maximum over axes. Neighbouring axes that are both kept or both reduced are merged. Where the innermost
// one is reduced, a block has one result and its threads go along that axis; where it is kept, neighbouring threads
// have neighbouring results, a vector of them each where their number divides. Either way what is read is contiguous.
//
// Where there are too few results to fill the device, each is split among several blocks, and a second kernel joins
// their parts: in order, so that the bits are the same each time. All parts are f64, which holds every f32 and NaN as
// well, so that sums and maxima are one kernel.
//
// The gradient of a maximum needs to know how often the maximum occurs: the same kernels count that first.
#include "kernels/cuda/axes.h"
#include "kernels/cuda/kernel.h"
#include "kernels/cuda/rows.h"

#include <algorithm>
#include <cmath>

namespace millrace::kernels::cuda {

namespace {

constexpr int kThreads = 256;
constexpr int kColumns = 32, kLines = kThreads / kColumns; // of a block whose threads have neighbouring results
constexpr std::int64_t kBlocksEach = 4;                    // blocks of a multiprocessor that make it busy
constexpr std::int64_t kLeast = 4096;                      // elements that are not split
constexpr std::int64_t kMostSplits = 1024;

enum class Fold
{
    Sum,
    Max,
    Ties ///< how often the maximum occurs
};

/// y[k], or share[k], from the elements x[kept.offset(k) + reduced.offset(j)], j < count.
struct Problem
{
    Fold fold = Fold::Sum;
    Axes kept, reduced;
    std::int64_t results = 1, count = 1;
    std::int64_t splits = 1, perSplit = 1; ///< how many blocks share a result, and the elements of each
    double factor = 1;
    bool isInnerReduced = false;
};

template <class T> struct Operands
{
    const T *x, *y, *dy; ///< y and dy: of Ties alone
    T* output;           ///< null for Ties
    float* share;        ///< of Ties: dy / how often the maximum occurs
    double* parts;       ///< (splits, results); null where nothing is split
};

__device__ double start(Fold fold)
{
    return fold == Fold::Max ? static_cast<double>(-INFINITY) : 0.0;
}

/// NaN wins a maximum.
__device__ double join(Fold fold, double a, double b)
{
    if (fold != Fold::Max) return a + b;
    return b > a || b != b ? b : a;
}

__device__ double take(Fold fold, double sum, float value, float maximum)
{
    if (fold == Fold::Ties) return value == maximum ? sum + 1 : sum;
    return join(fold, sum, static_cast<double>(value));
}

template <class T> __device__ void finish(const Problem& p, const Operands<T>& o, std::int64_t k, double value)
{
    if (p.fold == Fold::Ties)
        o.share[k] = toFloat(o.dy[k]) / static_cast<float>(value);
    else
        o.output[k] = fromFloat<T>(static_cast<float>(value * p.factor));
}

/// What a block found for result k.
template <class T>
__device__ void hand(const Problem& p, const Operands<T>& o, std::int64_t split, std::int64_t k, double value)
{
    if (o.parts)
        o.parts[split * p.results + k] = value;
    else
        finish(p, o, k, value);
}

/// Over the block; thread 0 gets the result.
__device__ double joinBlock(Fold fold, double value)
{
    __shared__ double partial[kWarp];
    const int lane = static_cast<int>(threadIdx.x) % kWarp, warp = static_cast<int>(threadIdx.x) / kWarp;
    for (int offset = kWarp / 2; offset > 0; offset /= 2)
        value = join(fold, value, __shfl_xor_sync(0xFFFFFFFFU, value, offset));
    if (lane == 0) partial[warp] = value;
    __syncthreads();
    for (int w = 1; w < static_cast<int>(blockDim.x) / kWarp; ++w) value = join(fold, value, partial[w]);
    return value;
}

// kernels

/// A block for each result and split.
template <class T> __global__ void __launch_bounds__(kThreads) reduceRows(Problem p, Operands<T> o)
{
    const std::int64_t k = blockIdx.x, split = blockIdx.y;
    const std::int64_t begin = split * p.perSplit, end = begin + p.perSplit < p.count ? begin + p.perSplit : p.count;
    const T* x = o.x + p.kept.offset(k);
    const float maximum = p.fold == Fold::Ties ? toFloat(o.y[k]) : 0.0F;
    double sum = start(p.fold);
    if (p.reduced.isDense()) {
        forEachPiece(BlockOfRow{}, x + begin, static_cast<int>(end - begin), [&](int c, auto piece) {
            float values[piece.value];
            loadPiece(x + begin + c, values);
            for (const float value : values) sum = take(p.fold, sum, value, maximum);
        });
    } else {
        for (std::int64_t j = begin + threadIdx.x; j < end; j += blockDim.x)
            sum = take(p.fold, sum, toFloat(x[p.reduced.offset(j)]), maximum);
    }
    sum = joinBlock(p.fold, sum);
    if (threadIdx.x == 0) hand(p, o, split, k, sum);
}

/// A thread for each `width` neighbouring results, in several lines that share the elements.
template <int width, class T> __global__ void __launch_bounds__(kThreads) reduceColumns(Problem p, Operands<T> o)
{
    __shared__ double lines[kLines][kColumns * width];
    const int column = static_cast<int>(threadIdx.x), line = static_cast<int>(threadIdx.y);
    const std::int64_t k = (static_cast<std::int64_t>(blockIdx.x) * kColumns + column) * width, split = blockIdx.y;
    const std::int64_t begin = split * p.perSplit, end = begin + p.perSplit < p.count ? begin + p.perSplit : p.count;
    double sums[width];
    for (double& sum : sums) sum = start(p.fold);
    if (k < p.results) {
        float maxima[width] = {};
        if (p.fold == Fold::Ties) loadPiece(o.y + k, maxima);
        const T* x = o.x + p.kept.offset(k);
        for (std::int64_t j = begin + line; j < end; j += kLines) {
            float values[width];
            loadPiece(x + p.reduced.offset(j), values);
            for (int i = 0; i < width; ++i) sums[i] = take(p.fold, sums[i], values[i], maxima[i]);
        }
    }
    for (int i = 0; i < width; ++i) lines[line][column * width + i] = sums[i];
    __syncthreads();
    // the columns of the block's results, one for each of its threads
    const int own = line * kColumns + column;
    const std::int64_t result = static_cast<std::int64_t>(blockIdx.x) * kColumns * width + own;
    if (own >= kColumns * width || result >= p.results) return;
    double sum = lines[0][own];
    for (int l = 1; l < kLines; ++l) sum = join(p.fold, sum, lines[l][own]);
    hand(p, o, split, result, sum);
}

template <class T> __global__ void __launch_bounds__(kThreads) joinSplits(Problem p, Operands<T> o)
{
    const std::int64_t k = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
    if (k >= p.results) return;
    double sum = o.parts[k];
    for (std::int64_t split = 1; split < p.splits; ++split) sum = join(p.fold, sum, o.parts[split * p.results + k]);
    finish(p, o, k, sum);
}

/// dx from what its results got: factor dy, or of a maximum the share of those that are it.
template <class T> struct Spread
{
    Axes axes; ///< of x; strides in y, 0 for those that are reduced
    std::int64_t elements;
    bool isAligned; ///< a vector of x is one of y, or all of one result
    bool isInnerReduced;
    float factor;
    const T *dy, *x, *y; ///< x and y: of a maximum alone
    const float* share;  ///< null unless of a maximum
    T* dx;

    __device__ float at(std::int64_t i, std::int64_t k) const
    {
        if (!share) return factor * toFloat(dy[k]);
        return toFloat(x[i]) == toFloat(y[k]) ? share[k] : 0.0F;
    }
};

template <class T> __global__ void __launch_bounds__(kThreads) spread(Spread<T> s)
{
    constexpr int kSize = Packed<T>::kSize;
    const std::int64_t i = (static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x) * kSize;
    if (s.isAligned && i < s.elements) {
        const std::int64_t k = s.axes.offset(i);
        float values[kSize];
        for (int e = 0; e < kSize; ++e) values[e] = s.at(i + e, s.isInnerReduced ? k : k + e);
        storePiece(s.dx + i, values);
    } else {
        for (std::int64_t e = i; e < i + kSize && e < s.elements; ++e)
            s.dx[e] = fromFloat<T>(s.at(e, s.axes.offset(e)));
    }
}

/// x's axes without those of size 1, neighbours of a kind merged; outermost first.
struct MergedAxis
{
    std::int64_t size, stride;
    bool isReduced;
};

std::vector<MergedAxis> mergedAxes(const Reduce& reduce)
{
    std::vector<MergedAxis> merged; // innermost first
    std::int64_t stride = 1;
    for (std::size_t axis = reduce.shape.size(); axis-- > 0;) {
        const std::int64_t size = reduce.shape[axis];
        if (size > 1 && !merged.empty() && merged.back().isReduced == reduce.reduced[axis])
            merged.back().size *= size;
        else if (size > 1)
            merged.push_back({size, stride, reduce.reduced[axis]});
        stride *= size;
    }
    std::ranges::reverse(merged);
    return merged;
}

Result<Problem> problemOf(Context& context, const Reduce& reduce, Fold fold)
{
    Problem p;
    p.fold = fold;
    const std::vector<MergedAxis> axes = mergedAxes(reduce);
    for (const MergedAxis& axis : axes)
        MR_CHECK((axis.isReduced ? p.reduced : p.kept).add("reduce", axis.size, axis.stride));
    p.results = p.kept.positions();
    p.count = p.reduced.positions();
    p.isInnerReduced = axes.empty() || axes.back().isReduced;
    if (fold == Fold::Sum && reduce.operation == Reduction::Mean) p.factor = 1.0 / static_cast<double>(p.count);

    const std::int64_t wanted = kBlocksEach * context.info().multiprocessors;
    const std::int64_t blocks = p.isInnerReduced ? p.results : (p.results + kColumns - 1) / kColumns;
    const std::int64_t least = p.isInnerReduced ? kLeast : kLeast / kColumns;
    const std::int64_t splits = std::min({(wanted + blocks - 1) / blocks, (p.count + least - 1) / least, kMostSplits});
    p.perSplit = (p.count + splits - 1) / splits;
    p.splits = (p.count + p.perSplit - 1) / p.perSplit;
    constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();
    if (p.results > kMost || p.perSplit > kMost)
        return makeError(Code::Unsupported, str("reduce: ", p.results, " results of ", p.count,
                                                " elements each, more than this GPU's kernel counts."));
    return p;
}

std::uint64_t partsBytes(const Problem& p)
{
    return p.splits > 1 ? static_cast<std::uint64_t>(p.splits * p.results) * sizeof(double) : 0;
}

// launchers

template <class T> void run(Context& context, const Problem& p, const Operands<T>& operands)
{
    const auto splits = static_cast<unsigned>(p.splits);
    if (p.isInnerReduced) {
        const int threads = p.perSplit <= kThreads * Packed<T>::kSize / 4 ? kWarp : kThreads;
        launch(context, reduceRows<T>, dim3(static_cast<unsigned>(p.results), splits), threads, 0, p, operands);
    } else {
        constexpr int kSize = Packed<T>::kSize;
        const bool isVector = p.kept.sizes[p.kept.count - 1] % kSize == 0;
        dim3 grid = blocksFor(p.results, kColumns * (isVector ? kSize : 1));
        grid.y = splits;
        launch(context, isVector ? reduceColumns<kSize, T> : reduceColumns<1, T>, grid, dim3(kColumns, kLines), 0, p,
               operands);
    }
    if (p.splits > 1) launch(context, joinSplits<T>, blocksFor(p.results, kThreads), kThreads, 0, p, operands);
}

template <class T> Result<Spread<T>> spreadOf(const Reduce& reduce)
{
    Spread<T> s{};
    s.elements = 1;
    std::int64_t stride = 1, reduced = 1;
    const std::vector<MergedAxis> axes = mergedAxes(reduce);
    for (const MergedAxis& axis : axes) {
        s.elements *= axis.size;
        (axis.isReduced ? reduced : stride) *= axis.size;
    }
    for (const MergedAxis& axis : axes) {
        if (!axis.isReduced) stride /= axis.size;
        MR_CHECK(s.axes.add("reduce", axis.size, axis.isReduced ? 0 : stride));
    }
    s.isAligned = !axes.empty() && axes.back().size % Packed<T>::kSize == 0;
    s.isInnerReduced = axes.empty() || axes.back().isReduced;
    s.factor = reduce.operation == Reduction::Mean ? 1.0F / static_cast<float>(reduced) : 1.0F;
    return s;
}

Status check(const Reduce& reduce)
{
    for (const std::int64_t size : reduce.shape) MR_CHECK(requirePositive("reduce", {{"an axis", size}}));
    if (reduce.reduced.size() == reduce.shape.size() && std::ranges::find(reduce.reduced, true) != reduce.reduced.end())
        return {};
    return makeError(Code::InvalidArgument, str("reduce: of ", reduce.shape.size(), " axes ", reduce.reduced.size(),
                                                " are marked, expected as many and at least one to reduce."));
}

} // namespace

KernelResult makeReduce(Context& context, const Reduce& reduce, DType type)
{
    MR_CHECK(check(reduce));
    MR_TRY(const Problem p, problemOf(context, reduce, reduce.operation == Reduction::Max ? Fold::Max : Fold::Sum));
    return byType(type, [&](auto element) {
        using T = decltype(element);
        const auto reduceAll = [&context, p](const Arguments& arguments) {
            run<T>(context, p,
                   {.x = static_cast<const T*>(arguments.inputs[0]),
                    .y = nullptr,
                    .dy = nullptr,
                    .output = static_cast<T*>(arguments.outputs[0]),
                    .share = nullptr,
                    .parts = p.splits > 1 ? reinterpret_cast<double*>(arguments.scratch) : nullptr});
        };
        return makeKernel(reduceAll, partsBytes(p));
    });
}

KernelResult makeReduceBackward(Context& context, const Reduce& reduce, DType type)
{
    MR_CHECK(check(reduce));
    MR_TRY(const Problem p, problemOf(context, reduce, Fold::Ties));
    return byType(type, [&](auto element) -> KernelResult {
        using T = decltype(element);
        MR_TRY(const Spread<T> spreading, spreadOf<T>(reduce));
        const dim3 blocks = blocksFor(spreading.elements, kThreads * Packed<T>::kSize);
        if (reduce.operation != Reduction::Max)
            return makeKernel([&context, spreading, blocks](const Arguments& arguments) {
                Spread<T> s = spreading;
                s.dy = static_cast<const T*>(arguments.inputs[0]);
                s.dx = static_cast<T*>(arguments.outputs[0]);
                launch(context, spread<T>, blocks, kThreads, 0, s);
            });
        const auto share = [&context, p, spreading, blocks](const Arguments& arguments) {
            Spread<T> s = spreading;
            s.x = static_cast<const T*>(arguments.inputs[0]);
            s.y = static_cast<const T*>(arguments.inputs[1]);
            s.dx = static_cast<T*>(arguments.outputs[0]);
            auto* parts = reinterpret_cast<double*>(arguments.scratch);
            auto* shares = reinterpret_cast<float*>(arguments.scratch + partsBytes(p));
            run<T>(context, p,
                   {.x = s.x,
                    .y = s.y,
                    .dy = static_cast<const T*>(arguments.inputs[2]),
                    .output = nullptr,
                    .share = shares,
                    .parts = p.splits > 1 ? parts : nullptr});
            s.share = shares;
            launch(context, spread<T>, blocks, kThreads, 0, s);
        };
        return makeKernel(share, partsBytes(p) + static_cast<std::uint64_t>(p.results) * sizeof(float));
    });
}

} // namespace millrace::kernels::cuda
