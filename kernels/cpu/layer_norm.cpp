// Layer normalisation: a row stays in the first cache while its statistics are taken and it is rescaled.
#include "kernels/ops/layer_norm.h"

#include "kernels/cpu/make_kernel.h"
#include "kernels/cpu/row_norm.h"

namespace millrace::kernels::cpu {

namespace {

struct ForwardOperands
{
    const float *x, *scale, *bias; ///< bias may be null
    float *y, *mean, *rstd;        ///< mean and rstd may be null
};

MR_VECTORISED void forwardRows(const LayerNorm& norm, const ForwardOperands& o, std::int64_t begin, std::int64_t end)
{
    const std::int64_t columns = norm.columns;
    for (std::int64_t r = begin; r < end; ++r) {
        const float* x = o.x + r * columns;
        float* y = o.y + r * columns;
        const auto [mean, rstd] = row_norm::statisticsOf<true>(x, columns, norm.epsilon);
        if (o.mean) o.mean[r] = mean;
        if (o.rstd) o.rstd[r] = rstd;
        const float *scale = o.scale, *bias = o.bias;
        if (bias) {
            for (std::int64_t c = 0; c < columns; ++c) y[c] = (x[c] - mean) * rstd * scale[c] + bias[c];
        } else {
            for (std::int64_t c = 0; c < columns; ++c) y[c] = (x[c] - mean) * rstd * scale[c];
        }
    }
}

MR_VECTORISED void backwardRows(const row_norm::BackwardOperands& o, const row_norm::PieceSums& sums,
                                std::int64_t columns, std::int64_t begin, std::int64_t end)
{
    row_norm::backwardPiece<true>(o, sums, columns, begin, end);
}

} // namespace

KernelResult makeLayerNorm(const LayerNorm& norm, int threads)
{
    MR_CHECK(requirePositive("layer_norm", {{"rows", norm.rows}, {"columns", norm.columns}}));
    return makeKernel([norm, threads](const Arguments& arguments) {
        const ForwardOperands operands{arguments.input(0),  arguments.input(1),  arguments.input(2),
                                       arguments.output(0), arguments.output(1), arguments.output(2)};
        parallelFor(threads, norm.rows, row_norm::rowNanoseconds(norm.columns),
                    [&](std::int64_t begin, std::int64_t end) { forwardRows(norm, operands, begin, end); });
    });
}

KernelResult makeLayerNormBackward(const LayerNorm& norm, int threads)
{
    MR_CHECK(refuseFused("layer_norm", norm.residual));
    MR_CHECK(requirePositive("layer_norm", {{"rows", norm.rows}, {"columns", norm.columns}}));
    const auto run = [norm, threads](const Arguments& a) {
        const row_norm::BackwardOperands operands{a.input(0), a.input(1),  a.input(2),  a.input(3),
                                                  a.input(4), a.output(0), a.output(1), a.output(2)};
        row_norm::backward(operands, a.scratch, norm.rows, norm.columns, threads,
                           [&](const row_norm::PieceSums& sums, std::int64_t begin, std::int64_t end) {
                               backwardRows(operands, sums, norm.columns, begin, end);
                           });
    };
    return makeKernel(run, row_norm::scratchBytes(norm.rows, norm.columns, threads));
}

} // namespace millrace::kernels::cpu
