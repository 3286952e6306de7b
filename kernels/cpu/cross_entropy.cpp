// Softmax cross-entropy: one pass over each row gives its loss, whether it was a hit, and its gradient.
#include "kernels/ops/cross_entropy.h"

#include "kernels/cpu/make_kernel.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/softmax_row.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace millrace::kernels::cpu {

namespace {

struct RowResult
{
    double loss;
    std::int64_t hit; ///< 1 where the row's first maximum is at the label
};

struct Rows
{
    const float* x;
    const std::int32_t* labels;
    const float* weights; ///< by class; null: 1 each
    float* gradient;      ///< may be x; null where nobody wants it
    RowResult* results;
    std::int64_t classes, ignored;
    float target, share; ///< what of a row's weight goes to its label, and to each class: 1 - e and e / C
    double allWeights;   ///< of all classes
    float perWeight;     ///< 1 / W
};

/// sum_c w[c] (x[c] - maximum)
MR_INLINE float weightedSum(const float* x, const float* weights, float maximum, std::int64_t classes)
{
    float sum = 0;
    if (weights) {
#pragma omp simd reduction(+ : sum)
        for (std::int64_t c = 0; c < classes; ++c) sum += weights[c] * (x[c] - maximum);
    } else {
#pragma omp simd reduction(+ : sum)
        for (std::int64_t c = 0; c < classes; ++c) sum += x[c] - maximum;
    }
    return sum;
}

MR_INLINE bool isFirstMaximum(const float* x, std::int64_t label, float maximum)
{
    if (x[label] != maximum) return false;
    std::int64_t before = 0;
    for (std::int64_t c = 0; c < label; ++c) before += x[c] == maximum ? 1 : 0;
    return before == 0;
}

/// What is left to do with the exponentials in a row's gradient once their sum is known.
MR_INLINE void finishGradient(const Rows& rows, float* gradient, float factor)
{
    const float share = rows.share * rows.perWeight, *weights = rows.weights;
    if (rows.share == 0) {
        for (std::int64_t c = 0; c < rows.classes; ++c) gradient[c] *= factor;
    } else if (weights) {
        for (std::int64_t c = 0; c < rows.classes; ++c) gradient[c] = gradient[c] * factor - share * weights[c];
    } else {
        for (std::int64_t c = 0; c < rows.classes; ++c) gradient[c] = gradient[c] * factor - share;
    }
}

MR_INLINE RowResult crossEntropyRow(const Rows& rows, std::int64_t r)
{
    const std::int64_t classes = rows.classes;
    const float* x = rows.x + r * classes;
    float* gradient = rows.gradient ? rows.gradient + r * classes : nullptr; // where it is x, x is gone once it is used
    const std::int32_t label = rows.labels[r];
    if (label == rows.ignored) {
        if (gradient) std::fill_n(gradient, classes, 0.0F);
        return {0, 0};
    }
    const bool known = label >= 0 && label < classes;
    const float weight = known && rows.weights ? rows.weights[label] : 1.0F;
    const float target = rows.target * weight;
    const float maximum = rowMaximum(x, classes);
    const float score = known ? x[label] - maximum : std::numeric_limits<float>::quiet_NaN();
    const bool hit = known && isFirstMaximum(x, label, maximum);
    const float scores = rows.share == 0 ? 0.0F : weightedSum(x, rows.weights, maximum, classes);
    const double mass = static_cast<double>(target) + static_cast<double>(rows.share) * rows.allWeights;

    const float sum = gradient ? exponentials(x, gradient, maximum, classes) : sumOfExponentials(x, maximum, classes);
    if (gradient) {
        finishGradient(rows, gradient, static_cast<float>(mass) * rows.perWeight / sum);
        if (known) gradient[label] -= target * rows.perWeight;
    }
    const double loss = mass * std::log(static_cast<double>(sum)) -
                        static_cast<double>(target) * static_cast<double>(score) -
                        static_cast<double>(rows.share) * static_cast<double>(scores);
    return {loss, hit};
}

MR_VECTORISED void crossEntropy(const Rows& rows, std::int64_t begin, std::int64_t end)
{
    for (std::int64_t r = begin; r < end; ++r) rows.results[r] = crossEntropyRow(rows, r);
}

/// W: the weights of the rows' labels, less those that are ignored.
double totalWeight(const Rows& rows, std::int64_t count)
{
    double total = 0;
    for (std::int64_t r = 0; r < count; ++r) {
        const std::int32_t label = rows.labels[r];
        if (label == rows.ignored) continue;
        const bool weighed = rows.weights && label >= 0 && label < rows.classes;
        total += weighed ? static_cast<double>(rows.weights[label]) : 1.0;
    }
    return total;
}

void run(const CrossEntropy& dimensions, int threads, const Arguments& arguments)
{
    const std::int64_t count = dimensions.rows, classes = dimensions.classes;
    const auto smoothing = static_cast<float>(dimensions.labelSmoothing);
    Rows rows{.x = arguments.input(0),
              .labels = static_cast<const std::int32_t*>(arguments.inputs[1]),
              .weights = arguments.input(2),
              .gradient = arguments.output(2),
              .results = reinterpret_cast<RowResult*>(arguments.scratch),
              .classes = classes,
              .ignored = dimensions.ignoreIndex,
              .target = 1.0F - smoothing,
              .share = smoothing / static_cast<float>(classes),
              .allWeights = static_cast<double>(classes),
              .perWeight = 0};
    if (rows.weights) {
        rows.allWeights = 0;
        for (std::int64_t c = 0; c < classes; ++c) rows.allWeights += static_cast<double>(rows.weights[c]);
    }
    const double total = totalWeight(rows, count);
    rows.perWeight = static_cast<float>(1.0 / total);
    parallelFor(threads, count, 100 + 0.6 * static_cast<double>(classes),
                [&](std::int64_t begin, std::int64_t end) { crossEntropy(rows, begin, end); });
    double loss = 0;
    std::int64_t correct = 0;
    for (std::int64_t r = 0; r < count; ++r) {
        loss += rows.results[r].loss;
        correct += rows.results[r].hit;
    }
    if (arguments.output(0)) *arguments.output(0) = static_cast<float>(loss / total);
    if (arguments.output(1)) *arguments.output(1) = static_cast<float>(correct);
}

} // namespace

KernelResult makeCrossEntropy(const CrossEntropy& dimensions, int threads)
{
    MR_CHECK(requirePositive("cross_entropy", {{"rows", dimensions.rows}, {"classes", dimensions.classes}}));
    if (!(dimensions.labelSmoothing >= 0 && dimensions.labelSmoothing <= 1))
        return makeError(Code::InvalidArgument, str("cross_entropy: the label smoothing is ", dimensions.labelSmoothing,
                                                    ", expected 0 to 1."));
    return makeKernel([dimensions, threads](const Arguments& arguments) { run(dimensions, threads, arguments); },
                      static_cast<std::uint64_t>(dimensions.rows) * sizeof(RowResult));
}

} // namespace millrace::kernels::cpu
