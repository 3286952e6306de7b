// Functions of flat buffers, each one pass in groups of four. They are bound by memory.
#include "kernels/cuda/vectors.h"

#include "kernels/cuda/flat.h"
#include "kernels/cuda/sums.h"

namespace millrace::kernels::cuda {

namespace {

constexpr unsigned kThreads = 256;

__device__ std::uint64_t firstGroup()
{
    return (std::uint64_t{blockIdx.x} * blockDim.x + threadIdx.x) * Group::kSize;
}

__device__ std::uint64_t groupStride()
{
    return std::uint64_t{gridDim.x} * blockDim.x * Group::kSize;
}

__global__ void combineKernel(float* values, float own, const float* other, float factor, std::uint64_t n, bool aligned)
{
    for (std::uint64_t first = firstGroup(); first < n; first += groupStride()) {
        const Group group(first, 0, n, aligned);
        float x[Group::kSize], y[Group::kSize];
        group.load(values, x);
        group.load(other, y);
        for (int i = 0; i < Group::kSize; ++i) x[i] = own * x[i] + factor * y[i];
        group.store(values, x);
    }
}

__global__ void scaleKernel(float* values, float factor, std::uint64_t n, bool aligned)
{
    for (std::uint64_t first = firstGroup(); first < n; first += groupStride()) {
        const Group group(first, 0, n, aligned);
        float x[Group::kSize];
        group.load(values, x);
        for (int i = 0; i < Group::kSize; ++i) x[i] *= factor;
        group.store(values, x);
    }
}

__global__ void exchangeKernel(float* a, float* b, std::uint64_t n, bool aligned)
{
    for (std::uint64_t first = firstGroup(); first < n; first += groupStride()) {
        const Group group(first, 0, n, aligned);
        float x[Group::kSize], y[Group::kSize];
        group.load(a, x);
        group.load(b, y);
        group.store(a, y);
        group.store(b, x);
    }
}

template <class T> __global__ void convertKernel(T* to, const float* from, std::uint64_t n, bool aligned)
{
    for (std::uint64_t first = firstGroup(); first < n; first += groupStride()) {
        const Group group(first, 0, n, aligned);
        float x[Group::kSize];
        group.load(from, x);
        group.store(to, x);
    }
}

template <class... Parameters, class... Values>
void launchOver(std::uint64_t n, Context& context, void (*kernel)(Parameters...), Values... values)
{
    if (n == 0) return;
    const dim3 blocks = blocksFor(static_cast<std::int64_t>(n), std::int64_t{kThreads} * Group::kSize);
    launch(context, kernel, blocks, dim3(kThreads), 0, values...);
}

} // namespace

void combine(Context& context, float* values, float own, const float* other, float factor, std::uint64_t n)
{
    launchOver(n, context, combineKernel, values, own, other, factor, n, isAligned<float>(values, other));
}

void scale(Context& context, float* values, float factor, std::uint64_t n)
{
    launchOver(n, context, scaleKernel, values, factor, n, isAligned<float>(values));
}

void exchange(Context& context, float* a, float* b, std::uint64_t n)
{
    launchOver(n, context, exchangeKernel, a, b, n, isAligned<float>(a, b));
}

void convert(Context& context, void* to, DType type, const float* from, std::uint64_t n)
{
    byType(type, [&](auto element) {
        using T = decltype(element);
        launchOver(n, context, convertKernel<T>, static_cast<T*>(to), from, n,
                   isAligned<float>(from) && isAligned<T>(static_cast<T*>(to)));
    });
}

namespace {

struct Products
{
    const float *a, *b;
    __device__ double operator()(const Group& group, double sum) const
    {
        float x[Group::kSize], y[Group::kSize];
        group.load(a, x);
        group.load(b, y);
        for (int i = 0; i < Group::kSize; ++i) sum += static_cast<double>(x[i]) * static_cast<double>(y[i]);
        return sum;
    }
};

struct Sizes
{
    const float* values;
    __device__ double operator()(const Group& group, double sum) const
    {
        float x[Group::kSize];
        group.load(values, x);
        for (int i = 0; i < Group::kSize; ++i) sum += static_cast<double>(fabsf(x[i]));
        return sum;
    }
};

/// A NaN is passed over, as on a CPU.
struct Largest
{
    const float* values;
    __device__ double operator()(const Group& group, double largest) const
    {
        float x[Group::kSize];
        group.load(values, x);
        for (int i = 0; i < Group::kSize; ++i) {
            const auto size = static_cast<double>(fabsf(x[i]));
            largest = size > largest ? size : largest;
        }
        return largest;
    }
};

/// Squares of the clamped values, which it writes back where there is a limit. NaN where a value is not finite: in f64
/// no sum of squares of f32 overflows, so the sum alone tells.
struct ClampedSquares
{
    float* values;
    double clipValue; ///< 0: none
    double weight;
    const StepControl* control;
    __device__ double operator()(const Group& group, double sum) const
    {
        float x[Group::kSize];
        group.load(values, x);
        // the values are still multiplied by weight and loss scale, and so is the limit
        const auto limit = static_cast<float>(clipValue * weight * static_cast<double>(control->counter.lossScale));
        for (int i = 0; i < Group::kSize; ++i) {
            const bool finite = x[i] - x[i] == 0;
            if (clipValue > 0) x[i] = x[i] > limit ? limit : x[i] < -limit ? -limit : x[i];
            const auto value = static_cast<double>(x[i]);
            sum += finite ? value * value : static_cast<double>(NAN);
        }
        if (clipValue > 0) group.store(values, x);
        return sum;
    }
};

struct TotalInto
{
    double* total;
    __device__ void operator()(double value) const { *total = value; }
};

/// The step's outcome from the sum of squares.
struct Finish
{
    GradientOptions options;
    StepControl* control;
    StepOutcome* outcome;
    __device__ void operator()(double squares) const
    {
        float& lossScale = control->counter.lossScale;
        const double factor = 1 / (static_cast<double>(options.weight) * static_cast<double>(lossScale));
        const double norm = sqrt(squares) * factor;
        // without a loss scale to lower nothing mends a step: all that are on their way are left out as well
        const bool finite = norm - norm == 0 && (options.dynamicScale || outcome->finite != 0);
        const bool clips = options.clipNorm > 0 && norm > options.clipNorm;
        outcome->gradientNorm = norm;
        outcome->finite = finite ? 1 : 0;
        outcome->gradientFactor = static_cast<float>(clips ? factor * (options.clipNorm / norm) : factor);
        outcome->goodSteps = finite ? outcome->goodSteps + 1 : 0;
        if (!finite) outcome->skippedSteps += 1;
        if (!options.dynamicScale) return;
        if (!finite) {
            lossScale = lossScale > 2 * LossScale::kSmallest ? lossScale / 2 : LossScale::kSmallest;
        } else if (outcome->goodSteps >= LossScale::kGoodSteps) {
            lossScale = 2 * lossScale < LossScale::kLargest ? 2 * lossScale : LossScale::kLargest;
            outcome->goodSteps = 0;
        }
    }
};

} // namespace

Result<std::unique_ptr<WaitingSums>> WaitingSums::create(Context& context)
{
    std::unique_ptr<WaitingSums> sums(new WaitingSums(context));
    const Runtime& call = context.runtime();
    void* memory = nullptr;
    MR_CHECK(context.asStatus(call.cudaMalloc(&memory, kPartialBytes + sizeof(double)), "memory for sums"));
    sums->m_partial = static_cast<double*>(memory);
    sums->m_total = sums->m_partial + kMostPartials;
    MR_CHECK(context.asStatus(call.cudaHostAlloc(&memory, sizeof(double), cudaHostAllocDefault), "memory for sums"));
    sums->m_fetched = static_cast<double*>(memory);
    return Result<std::unique_ptr<WaitingSums>>(std::move(sums));
}

WaitingSums::~WaitingSums()
{
    m_context.runtime().cudaFree(m_partial);
    m_context.runtime().cudaFreeHost(m_fetched);
}

Result<double> WaitingSums::fetch()
{
    const Runtime& call = m_context.runtime();
    m_context.check(
        call.cudaMemcpyAsync(m_fetched, m_total, sizeof(double), cudaMemcpyDeviceToHost, m_context.stream()),
        "reading a sum");
    m_context.check(call.cudaStreamSynchronize(m_context.stream()), "a sum");
    MR_CHECK(m_context.status());
    return *m_fetched;
}

Result<double> WaitingSums::dot(const float* a, const float* b, std::uint64_t n)
{
    sum<false>(m_context, Products{a, b}, n, isAligned<float>(a, b), m_partial, TotalInto{m_total});
    return fetch();
}

Result<double> WaitingSums::largest(const float* values, std::uint64_t n)
{
    sum<true>(m_context, Largest{values}, n, isAligned<float>(values), m_partial, TotalInto{m_total});
    return fetch();
}

Result<double> WaitingSums::sumOfSizes(const float* values, std::uint64_t n)
{
    sum<false>(m_context, Sizes{values}, n, isAligned<float>(values), m_partial, TotalInto{m_total});
    return fetch();
}

void finishGradients(Context& context, float* gradients, std::uint64_t n, const GradientOptions& options,
                     StepControl* control, StepOutcome* outcome, std::byte* scratch)
{
    const ClampedSquares squares{gradients, options.clipValue, static_cast<double>(options.weight), control};
    sum<false>(context, squares, n, isAligned<float>(gradients), reinterpret_cast<double*>(scratch),
               Finish{options, control, outcome});
}

void squareGradients(Context& context, float* gradients, std::uint64_t n, const GradientOptions& options,
                     const StepControl* control, double* square, std::byte* scratch)
{
    const ClampedSquares squares{gradients, options.clipValue, static_cast<double>(options.weight), control};
    sum<false>(context, squares, n, isAligned<float>(gradients), reinterpret_cast<double*>(scratch), TotalInto{square});
}

void concludeGradients(Context& context, const double* squares, std::uint64_t count, const GradientOptions& options,
                       StepControl* control, StepOutcome* outcome)
{
    launch(context, totalSum<false, Finish>, dim3(1), dim3(kSumThreads), 0, squares, static_cast<int>(count),
           Finish{options, control, outcome});
}

std::uint64_t gradientScratchBytes()
{
    return kPartialBytes;
}

} // namespace millrace::kernels::cuda
