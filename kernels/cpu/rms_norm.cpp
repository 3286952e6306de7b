// Root-mean-square normalisation: as layer normalisation, without the mean.
#include "kernels/ops/rms_norm.h"

#include "kernels/cpu/make_kernel.h"
#include "kernels/cpu/row_norm.h"

namespace millrace::kernels::cpu {

namespace {

MR_VECTORISED void forwardRows(const RmsNorm& norm, const Arguments& arguments, std::int64_t begin, std::int64_t end)
{
    const std::int64_t columns = norm.columns;
    const float* scale = arguments.input(1);
    for (std::int64_t r = begin; r < end; ++r) {
        const float* x = arguments.input(0) + r * columns;
        float* y = arguments.output(0) + r * columns;
        const float rstd = row_norm::statisticsOf<false>(x, columns, norm.epsilon).rstd;
        if (float* kept = arguments.output(1)) kept[r] = rstd;
        for (std::int64_t c = 0; c < columns; ++c) y[c] = x[c] * rstd * scale[c];
    }
}

MR_VECTORISED void backwardRows(const row_norm::BackwardOperands& o, const row_norm::PieceSums& sums,
                                std::int64_t columns, std::int64_t begin, std::int64_t end)
{
    row_norm::backwardPiece<false>(o, sums, columns, begin, end);
}

} // namespace

KernelResult makeRmsNorm(const RmsNorm& norm, int threads)
{
    MR_CHECK(requirePositive("rms_norm", {{"rows", norm.rows}, {"columns", norm.columns}}));
    return makeKernel([norm, threads](const Arguments& arguments) {
        parallelFor(threads, norm.rows, row_norm::rowNanoseconds(norm.columns),
                    [&](std::int64_t begin, std::int64_t end) { forwardRows(norm, arguments, begin, end); });
    });
}

KernelResult makeRmsNormBackward(const RmsNorm& norm, int threads)
{
    MR_CHECK(requirePositive("rms_norm", {{"rows", norm.rows}, {"columns", norm.columns}}));
    const auto run = [norm, threads](const Arguments& a) {
        const row_norm::BackwardOperands operands{a.input(0), a.input(1),  nullptr,     a.input(2),
                                                  a.input(3), a.output(0), a.output(1), nullptr};
        row_norm::backward(operands, a.scratch, norm.rows, norm.columns, threads,
                           [&](const row_norm::PieceSums& sums, std::int64_t begin, std::int64_t end) {
                               backwardRows(operands, sums, norm.columns, begin, end);
                           });
    };
    return makeKernel(run, row_norm::scratchBytes(norm.rows, norm.columns, threads));
}

} // namespace millrace::kernels::cpu
