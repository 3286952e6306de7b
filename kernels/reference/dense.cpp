// Dense layer in double.
#include "kernels/reference/reference.h"

namespace millrace::kernels::reference {

namespace {

/// Of GELU and ReLU.
Activation activationOf(Epilogue epilogue, std::int64_t elements)
{
    return {epilogue == Epilogue::Relu ? Nonlinearity::Relu : Nonlinearity::GeluTanh, elements};
}

} // namespace

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
    if (dense.epilogue == Epilogue::None) return;
    const Values z = outputs[0];
    activation(activationOf(dense.epilogue, B * O), std::span(&z, 1), outputs.first(1));
    if (outputs.size() > 1 && !outputs[1].empty()) outputs[1] = z;
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
    if (dense.epilogue == Epilogue::None) return;
    const Values operands[] = {inputs[3], outputs[0]};
    activationBackward(activationOf(dense.epilogue, B * I), operands, outputs.first(1));
}

} // namespace millrace::kernels::reference
