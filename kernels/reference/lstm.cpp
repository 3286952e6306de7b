// LSTM in double, a step after the other.
#include "kernels/reference/reference.h"

#include "kernels/reference/recurrent.h"

namespace millrace::kernels::reference {

void lstm(const Lstm& lstm, Inputs inputs, Outputs outputs)
{
    const auto [B, T, I, H] = lstm;
    Values hidden = inputs[5], cell = inputs[6];
    hidden.resize(static_cast<std::size_t>(B * H)), cell.resize(static_cast<std::size_t>(B * H));
    for (std::int64_t t = 0; t < T; ++t) {
        for (std::int64_t b = 0; b < B; ++b) {
            const std::int64_t row = b * T + t;
            const Values a = affine(inputs[1], inputs[0].data() + row * I, I, inputs[3]);
            const Values p = affine(inputs[2], hidden.data() + b * H, H, inputs[4]);
            for (std::int64_t h = 0; h < H; ++h) {
                double* gates = outputs[2].data() + row * 4 * H;
                for (std::int64_t gate = 0; gate < 4; ++gate) {
                    const auto at = static_cast<std::size_t>(gate * H + h);
                    gates[at] = gate == 2 ? std::tanh(a[at] + p[at]) : sigmoid(a[at] + p[at]);
                }
                double& c = cell.data()[b * H + h];
                c = gates[H + h] * c + gates[h] * gates[2 * H + h];
                outputs[1].data()[row * H + h] = c;
                outputs[0].data()[row * H + h] = gates[3 * H + h] * std::tanh(c);
            }
        }
        for (std::int64_t b = 0; b < B; ++b)
            for (std::int64_t h = 0; h < H; ++h) hidden.data()[b * H + h] = outputs[0].data()[(b * T + t) * H + h];
    }
    outputs[3] = hidden;
    outputs[4] = cell;
}

void lstmBackward(const Lstm& lstm, Inputs inputs, Outputs outputs)
{
    const auto [B, T, I, H] = lstm;
    const double *y = inputs[3].data(), *cells = inputs[4].data(), *dy = inputs[6].data();
    for (Values& output : outputs) output.assign(output.size(), 0);
    const Values nothing(static_cast<std::size_t>(H));
    Values pre(static_cast<std::size_t>(4 * H)); // the gradient of the gates before sigmoid and tanh
    for (std::int64_t b = 0; b < B; ++b) {
        Values dhidden = nothing, dcell = nothing;
        for (std::int64_t t = T - 1; t >= 0; --t) {
            const std::int64_t row = b * T + t;
            const double* gates = inputs[5].data() + row * 4 * H;
            for (std::int64_t h = 0; h < H; ++h) {
                const double i = gates[h], f = gates[H + h], g = gates[2 * H + h], o = gates[3 * H + h];
                const double c = std::tanh(cells[row * H + h]), before = t > 0 ? cells[(row - 1) * H + h] : 0;
                const double dh = dy[row * H + h] + dhidden.data()[h];
                const double dc = dcell.data()[h] + dh * o * (1 - c * c);
                pre.data()[h] = dc * g * i * (1 - i);
                pre.data()[H + h] = dc * before * f * (1 - f);
                pre.data()[2 * H + h] = dc * i * (1 - g * g);
                pre.data()[3 * H + h] = dh * c * o * (1 - o);
                dcell.data()[h] = dc * f;
            }
            differentiateAffine(inputs[1], inputs[0].data() + row * I, I, pre, outputs[0].data() + row * I, outputs[1],
                                outputs[3]);
            dhidden = nothing;
            differentiateAffine(inputs[2], t > 0 ? y + (row - 1) * H : nothing.data(), H, pre, dhidden.data(),
                                outputs[2], outputs[4]);
        }
    }
}

} // namespace millrace::kernels::reference
