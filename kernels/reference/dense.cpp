// Dense layer in double.
#include "kernels/reference/reference.h"

namespace millrace::kernels::reference {

void dense(const Dense& dense, Inputs inputs, Outputs outputs)
{
    const std::int64_t B = dense.batch, I = dense.inputs, O = dense.outputs;
    const double *x = inputs[0].data(), *weight = inputs[1].data();
    for (std::int64_t b = 0; b < B; ++b) {
        for (std::int64_t o = 0; o < O; ++o) {
            double sum = inputs[2].empty() ? 0 : inputs[2].data()[o];
            for (std::int64_t i = 0; i < I; ++i) sum += x[b * I + i] * weight[o * I + i];
            outputs[0].data()[b * O + o] = sum;
        }
    }
}

void denseBackward(const Dense& dense, Inputs inputs, Outputs outputs)
{
    const std::int64_t B = dense.batch, I = dense.inputs, O = dense.outputs;
    const double *x = inputs[0].data(), *weight = inputs[1].data(), *dy = inputs[2].data();
    for (Values& output : outputs) output.assign(output.size(), 0);
    double *dx = outputs[0].data(), *dweight = outputs[1].data(), *dbias = outputs[2].data();
    for (std::int64_t b = 0; b < B; ++b) {
        for (std::int64_t o = 0; o < O; ++o) {
            const double gradient = dy[b * O + o];
            dbias[o] += gradient;
            for (std::int64_t i = 0; i < I; ++i) {
                dx[b * I + i] += gradient * weight[o * I + i];
                dweight[o * I + i] += gradient * x[b * I + i];
            }
        }
    }
}

} // namespace millrace::kernels::reference
