// Kullback-Leibler divergence from a teacher's answers in double.
#include "kernels/reference/reference.h"

#include <algorithm>
#include <cmath>

namespace millrace::kernels::reference {

namespace {

/// log softmax(x / T) of one row.
Values logProbabilities(const double* x, std::int64_t count, double temperature)
{
    const double maximum = *std::max_element(x, x + count);
    double sum = 0;
    for (std::int64_t c = 0; c < count; ++c) sum += std::exp((x[c] - maximum) / temperature);
    Values result;
    for (std::int64_t c = 0; c < count; ++c) result.push_back((x[c] - maximum) / temperature - std::log(sum));
    return result;
}

} // namespace

void klDivergence(const KlDivergence& loss, Inputs inputs, Outputs outputs)
{
    const auto [R, C, T] = loss;
    const auto rows = static_cast<double>(R);
    double sum = 0;
    for (std::int64_t r = 0; r < R; ++r) {
        const Values q = logProbabilities(inputs[0].data() + r * C, C, T);
        const Values p = logProbabilities(inputs[1].data() + r * C, C, T);
        for (std::size_t c = 0; c < q.size(); ++c) {
            sum += std::exp(p[c]) * (p[c] - q[c]);
            outputs[1][static_cast<std::size_t>(r * C) + c] = T * (std::exp(q[c]) - std::exp(p[c])) / rows;
        }
    }
    outputs[0][0] = T * T * sum / rows;
}

} // namespace millrace::kernels::reference
