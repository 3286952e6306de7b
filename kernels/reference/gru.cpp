// GRU in double, a step after the other.
#include "kernels/reference/reference.h"

#include "kernels/reference/recurrent.h"

namespace millrace::kernels::reference {

void gru(const Gru& gru, Inputs inputs, Outputs outputs)
{
    const auto [B, T, I, H] = gru;
    Values hidden = inputs[5];
    hidden.resize(static_cast<std::size_t>(B * H));
    for (std::int64_t b = 0; b < B; ++b) {
        double* state = hidden.data() + b * H;
        for (std::int64_t t = 0; t < T; ++t) {
            const std::int64_t row = b * T + t;
            const Values a = affine(inputs[1], inputs[0].data() + row * I, I, inputs[3]);
            const Values p = affine(inputs[2], state, H, inputs[4]);
            double* gates = outputs[1].data() + row * 3 * H;
            for (std::int64_t h = 0; h < H; ++h) {
                const double r = sigmoid(a.data()[h] + p.data()[h]), z = sigmoid(a.data()[H + h] + p.data()[H + h]);
                const double n = std::tanh(a.data()[2 * H + h] + r * p.data()[2 * H + h]);
                gates[h] = r, gates[H + h] = z, gates[2 * H + h] = n;
                outputs[2].data()[row * H + h] = p.data()[2 * H + h];
                state[h] = (1 - z) * n + z * state[h];
                outputs[0].data()[row * H + h] = state[h];
            }
        }
    }
    outputs[3] = hidden;
}

void gruBackward(const Gru& gru, Inputs inputs, Outputs outputs)
{
    const auto [B, T, I, H] = gru;
    const double *y = inputs[3].data(), *product = inputs[5].data(), *dy = inputs[6].data();
    for (Values& output : outputs) output.assign(output.size(), 0);
    const Values nothing(static_cast<std::size_t>(H));
    Values da(static_cast<std::size_t>(3 * H)), dp = da; // of a and p
    for (std::int64_t b = 0; b < B; ++b) {
        Values dhidden = nothing;
        for (std::int64_t t = T - 1; t >= 0; --t) {
            const std::int64_t row = b * T + t;
            const double* gates = inputs[4].data() + row * 3 * H;
            const double* before = t > 0 ? y + (row - 1) * H : nothing.data();
            Values kept = nothing; // what goes on to h[t-1] beside the product
            for (std::int64_t h = 0; h < H; ++h) {
                const double r = gates[h], z = gates[H + h], n = gates[2 * H + h];
                const double dh = dy[row * H + h] + dhidden.data()[h];
                const double dn = dh * (1 - z) * (1 - n * n);
                da.data()[2 * H + h] = dn;
                dp.data()[2 * H + h] = dn * r;
                da.data()[h] = dp.data()[h] = dn * product[row * H + h] * r * (1 - r);
                da.data()[H + h] = dp.data()[H + h] = dh * (before[h] - n) * z * (1 - z);
                kept.data()[h] = dh * z;
            }
            differentiateAffine(inputs[1], inputs[0].data() + row * I, I, da, outputs[0].data() + row * I, outputs[1],
                                outputs[3]);
            differentiateAffine(inputs[2], before, H, dp, kept.data(), outputs[2], outputs[4]);
            dhidden = kept;
        }
    }
}

} // namespace millrace::kernels::reference
