// Embedding in double.
#include "kernels/reference/reference.h"

#include <limits>

namespace millrace::kernels::reference {

void embedding(const Embedding& embedding, Inputs inputs, Outputs outputs)
{
    const auto [N, V, C] = embedding;
    const double *table = inputs[0].data(), *token = inputs[1].data();
    for (std::int64_t n = 0; n < N; ++n) {
        const auto v = static_cast<std::int64_t>(token[n]);
        for (std::int64_t c = 0; c < C; ++c)
            outputs[0].data()[n * C + c] =
                v >= 0 && v < V ? table[v * C + c] : std::numeric_limits<double>::quiet_NaN();
    }
}

void embeddingBackward(const Embedding& embedding, Inputs inputs, Outputs outputs)
{
    const auto [N, V, C] = embedding;
    const double *token = inputs[0].data(), *dy = inputs[1].data();
    outputs[0].assign(outputs[0].size(), 0);
    for (std::int64_t n = 0; n < N; ++n) {
        const auto v = static_cast<std::int64_t>(token[n]);
        if (v < 0 || v >= V) continue;
        for (std::int64_t c = 0; c < C; ++c) outputs[0].data()[v * C + c] += dy[n * C + c];
    }
}

} // namespace millrace::kernels::reference
