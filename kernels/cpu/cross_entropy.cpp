// Softmax cross-entropy: one pass over each row gives its loss, whether it was a hit, and its gradient.
#include "kernels/ops/cross_entropy.h"

#include "kernels/cpu/make_kernel.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/softmax_row.h"

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
    float* gradient; ///< may be x; null where nobody wants it
    RowResult* results;
    std::int64_t classes;
    float perRow; ///< 1 / B
};

MR_INLINE RowResult crossEntropyRow(const Rows& rows, std::int64_t r)
{
    const std::int64_t classes = rows.classes;
    const float* x = rows.x + r * classes;
    const std::int32_t label = rows.labels[r];
    const bool known = label >= 0 && label < classes;
    const double target = known ? static_cast<double>(x[label]) : std::numeric_limits<double>::quiet_NaN();
    const float maximum = rowMaximum(x, classes);
    std::int64_t atMaximum = 0; // of the classes before the label: one of them would be the answer
    for (std::int64_t c = 0; known && c < label; ++c) atMaximum += x[c] == maximum ? 1 : 0;
    const bool hit = known && x[label] == maximum && atMaximum == 0;

    float sum = 0;
    if (rows.gradient) {
        float* gradient = rows.gradient + r * classes; // where it is x, x is gone after the next line
        sum = exponentials(x, gradient, maximum, classes);
        const float factor = rows.perRow / sum;
        for (std::int64_t c = 0; c < classes; ++c) gradient[c] *= factor;
        if (known) gradient[label] -= rows.perRow;
    } else {
        sum = sumOfExponentials(x, maximum, classes);
    }
    return {static_cast<double>(maximum) + std::log(static_cast<double>(sum)) - target, hit};
}

MR_VECTORISED void crossEntropy(const Rows& rows, std::int64_t begin, std::int64_t end)
{
    for (std::int64_t r = begin; r < end; ++r) rows.results[r] = crossEntropyRow(rows, r);
}

} // namespace

KernelResult makeCrossEntropy(const CrossEntropy& dimensions, int threads)
{
    MR_CHECK(requirePositive("cross_entropy", {{"rows", dimensions.rows}, {"classes", dimensions.classes}}));
    const auto run = [dimensions, threads](const Arguments& arguments) {
        const auto& [count, classes] = dimensions;
        auto* results = reinterpret_cast<RowResult*>(arguments.scratch);
        const Rows rows{arguments.input(0),
                        static_cast<const std::int32_t*>(arguments.inputs[1]),
                        arguments.output(2),
                        results,
                        classes,
                        1.0F / static_cast<float>(count)};
        parallelFor(threads, count, 100 + 0.6 * static_cast<double>(classes),
                    [&](std::int64_t begin, std::int64_t end) { crossEntropy(rows, begin, end); });
        double loss = 0;
        std::int64_t correct = 0;
        for (std::int64_t r = 0; r < count; ++r) {
            loss += results[r].loss;
            correct += results[r].hit;
        }
        if (arguments.output(0)) *arguments.output(0) = static_cast<float>(loss / static_cast<double>(count));
        if (arguments.output(1)) *arguments.output(1) = static_cast<float>(correct);
    };
    return makeKernel(run, static_cast<std::uint64_t>(dimensions.rows) * sizeof(RowResult));
}

} // namespace millrace::kernels::cpu
