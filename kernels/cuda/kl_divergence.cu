// Kullback-Leibler divergence from a teacher's answers: a block for each row finds both softmaxes in one reading, then
// loss and gradient from both in another, which comes from a cache.
#include "kernels/cuda/kernel.h"
#include "kernels/cuda/loss_sum.h"
#include "kernels/cuda/rows.h"

namespace millrace::kernels::cuda {

namespace {

constexpr int kMostThreads = 512;

struct Rows
{
    const float *x, *teacher;
    float* dx; ///< may be x; null: not wanted
    const Counter* counter;
    int classes;
    float inverse, factor; ///< 1 / T and T / R
};

// kernels

__global__ void __launch_bounds__(kMostThreads) klDivergence(Rows rows, LossSum* parts)
{
    const std::int64_t first = static_cast<std::int64_t>(blockIdx.x) * rows.classes;
    const float *x = rows.x + first, *teacher = rows.teacher + first;
    const BlockOfRow block;
    OnlineSoftmax student, master;
    forEachPiece(block, x, rows.classes, [&](int c, auto piece) {
        float q[piece.value], p[piece.value];
        loadPiece(x + c, q);
        loadPiece(teacher + c, p);
        for (int k = 0; k < piece.value; ++k) {
            q[k] *= rows.inverse;
            p[k] *= rows.inverse;
        }
        student.add(q);
        master.add(p);
    });
    student.merge(block);
    master.merge(block);
    const float perStudent = 1.0F / student.sum, perMaster = 1.0F / master.sum;
    const float factor = rows.dx ? rows.factor * rows.counter->lossScale : 0.0F;
    double cross = 0; // sum_c p[c] (log p[c] - log q[c]), less the logarithms of the sums
    forEachPiece(block, x, rows.classes, [&](int c, auto piece) {
        float q[piece.value], p[piece.value];
        loadPiece(x + c, q);
        loadPiece(teacher + c, p);
        for (int k = 0; k < piece.value; ++k) {
            const float own = q[k] * rows.inverse - student.maximum, other = p[k] * rows.inverse - master.maximum;
            const float probability = expf(other) * perMaster;
            cross += static_cast<double>(probability * (other - own));
            q[k] = factor * (expf(own) * perStudent - probability);
        }
        if (rows.dx) storePiece(rows.dx + first + c, q);
    });
    cross = blockSum(cross);
    if (threadIdx.x == 0)
        parts[blockIdx.x] = {cross + static_cast<double>(logf(student.sum)) - static_cast<double>(logf(master.sum)), 0};
}

} // namespace

// launchers

KernelResult makeKlDivergence(Context& context, const KlDivergence& loss, DType type)
{
    MR_CHECK(requireF32("kl", type));
    MR_CHECK(requireRows("kl", loss.rows, loss.classes));
    if (!(loss.temperature > 0))
        return makeError(Code::InvalidArgument,
                         str("kl: the temperature is ", loss.temperature, ", expected more than 0."));
    const auto run = [&context, loss](const Arguments& arguments) {
        const double temperature = loss.temperature, count = static_cast<double>(loss.rows);
        auto* parts = reinterpret_cast<LossSum*>(arguments.scratch);
        launch(context, klDivergence, blocksFor(loss.rows, 1), rowThreads<float>(loss.classes, kMostThreads), 0,
               Rows{arguments.input(0), arguments.input(1), arguments.output(1), arguments.counter,
                    static_cast<int>(loss.classes), static_cast<float>(1 / temperature),
                    static_cast<float>(temperature / count)},
               parts);
        if (float* value = arguments.output(0))
            sumLosses(context, parts, loss.rows, {value, nullptr, temperature * temperature / count, nullptr});
    };
    return makeKernel(run, static_cast<std::uint64_t>(loss.rows) * sizeof(LossSum));
}

} // namespace millrace::kernels::cuda
