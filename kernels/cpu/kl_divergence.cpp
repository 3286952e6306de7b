// Kullback-Leibler divergence from a teacher's answers: two softmaxes a row, then loss and gradient from both.
#include "kernels/ops/kl_divergence.h"

#include "kernels/cpu/make_kernel.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/softmax_row.h"

#include <cmath>

namespace millrace::kernels::cpu {

namespace {

struct Rows
{
    const float *x, *teacher;
    float* dx; ///< may be x; null: not wanted
    double* losses;
    std::int64_t classes;
    float inverse, factor; ///< 1 / T and T / R
};

/// sum_c exp((x[c] - maximum) / T)
MR_INLINE float partition(const float* x, float maximum, float inverse, std::int64_t classes)
{
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::int64_t c = 0; c < classes; ++c) sum += exponential((x[c] - maximum) * inverse);
    return sum;
}

MR_INLINE void divergenceOfRow(const Rows& rows, std::int64_t r)
{
    const std::int64_t classes = rows.classes;
    const float *x = rows.x + r * classes, *teacher = rows.teacher + r * classes;
    const float xMaximum = rowMaximum(x, classes), teacherMaximum = rowMaximum(teacher, classes);
    const float xSum = partition(x, xMaximum, rows.inverse, classes);
    const float teacherSum = partition(teacher, teacherMaximum, rows.inverse, classes);
    const float perX = 1.0F / xSum, perTeacher = 1.0F / teacherSum, inverse = rows.inverse;
    double cross = 0; // sum_c p[c] ((teacher[c] - its maximum) - (x[c] - its maximum)) / T
#pragma omp simd reduction(+ : cross)
    for (std::int64_t c = 0; c < classes; ++c) {
        const float t = (teacher[c] - teacherMaximum) * inverse;
        cross += static_cast<double>(exponential(t) * perTeacher * (t - (x[c] - xMaximum) * inverse));
    }
    rows.losses[r] = cross + std::log(static_cast<double>(xSum)) - std::log(static_cast<double>(teacherSum));
    if (!rows.dx) return;
    float* dx = rows.dx + r * classes;
    for (std::int64_t c = 0; c < classes; ++c) {
        const float q = exponential((x[c] - xMaximum) * inverse) * perX;
        const float p = exponential((teacher[c] - teacherMaximum) * inverse) * perTeacher;
        dx[c] = rows.factor * (q - p);
    }
}

MR_VECTORISED void divergence(const Rows& rows, std::int64_t begin, std::int64_t end)
{
    for (std::int64_t r = begin; r < end; ++r) divergenceOfRow(rows, r);
}

} // namespace

KernelResult makeKlDivergence(const KlDivergence& loss, int threads)
{
    MR_CHECK(requirePositive("kl", {{"rows", loss.rows}, {"classes", loss.classes}}));
    if (!(loss.temperature > 0))
        return makeError(Code::InvalidArgument,
                         str("kl: the temperature is ", loss.temperature, ", expected more than 0."));
    const auto run = [loss, threads](const Arguments& arguments) {
        const double temperature = loss.temperature, count = static_cast<double>(loss.rows);
        auto* losses = reinterpret_cast<double*>(arguments.scratch);
        const Rows rows{arguments.input(0),
                        arguments.input(1),
                        arguments.output(1),
                        losses,
                        loss.classes,
                        static_cast<float>(1 / temperature),
                        static_cast<float>(temperature / count)};
        parallelFor(threads, loss.rows, 200 + 2 * static_cast<double>(loss.classes),
                    [&](std::int64_t begin, std::int64_t end) { divergence(rows, begin, end); });
        double sum = 0;
        for (std::int64_t r = 0; r < loss.rows; ++r) sum += losses[r];
        if (float* value = arguments.output(0)) *value = static_cast<float>(temperature * temperature * sum / count);
    };
    return makeKernel(run, static_cast<std::uint64_t>(loss.rows) * sizeof(double));
}

} // namespace millrace::kernels::cpu
