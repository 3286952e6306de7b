// Group normalisation in double.
#include "kernels/reference/reference.h"

#include <cmath>

namespace millrace::kernels::reference {

namespace {

/// Calls body(place in x, channel, place in mean) for every element of x.
template <class Body> void forEach(const GroupNorm& n, const Body& body)
{
    const std::int64_t width = n.channels / n.groups;
    for (std::int64_t b = 0; b < n.batch; ++b)
        for (std::int64_t p = 0; p < n.positions; ++p)
            for (std::int64_t c = 0; c < n.channels; ++c)
                body(static_cast<std::size_t>((b * n.positions + p) * n.channels + c), static_cast<std::size_t>(c),
                     static_cast<std::size_t>(b * n.groups + c / width));
}

} // namespace

void groupNorm(const GroupNorm& norm, Inputs inputs, Outputs outputs)
{
    const Values &x = inputs[0], &scale = inputs[1], &bias = inputs[2];
    const auto count = static_cast<double>(norm.positions * norm.channels / norm.groups);
    Values &mean = outputs[1], &rstd = outputs[2];
    forEach(norm, [&](std::size_t i, std::size_t, std::size_t g) { mean[g] += x[i] / count; });
    forEach(norm, [&](std::size_t i, std::size_t, std::size_t g) {
        rstd[g] += (x[i] - mean[g]) * (x[i] - mean[g]) / count; // the variance first
    });
    for (double& value : rstd) value = 1 / std::sqrt(value + norm.epsilon);
    forEach(norm, [&](std::size_t i, std::size_t c, std::size_t g) {
        outputs[0][i] = (x[i] - mean[g]) * rstd[g] * scale[c] + bias[c];
    });
}

void groupNormBackward(const GroupNorm& norm, Inputs inputs, Outputs outputs)
{
    const Values &x = inputs[0], &scale = inputs[1], &mean = inputs[2], &rstd = inputs[3], &dy = inputs[4];
    const auto count = static_cast<double>(norm.positions * norm.channels / norm.groups);
    Values sum(mean.size()), product(mean.size());
    forEach(norm, [&](std::size_t i, std::size_t c, std::size_t g) {
        const double normalised = (x[i] - mean[g]) * rstd[g];
        sum[g] += dy[i] * scale[c] / count;
        product[g] += dy[i] * scale[c] * normalised / count;
        outputs[1][c] += dy[i] * normalised;
        outputs[2][c] += dy[i];
    });
    forEach(norm, [&](std::size_t i, std::size_t c, std::size_t g) {
        outputs[0][i] = rstd[g] * (dy[i] * scale[c] - sum[g] - (x[i] - mean[g]) * rstd[g] * product[g]);
    });
}

} // namespace millrace::kernels::reference
