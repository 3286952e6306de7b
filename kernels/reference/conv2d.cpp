// Convolution in double.
#include "kernels/reference/reference.h"

namespace millrace::kernels::reference {

namespace {

/// Calls visit(y index, x index, weight index) for every product of the convolution.
template <class Visit> void forEachProduct(const Conv2d& k, const Visit& visit)
{
    const std::int64_t P = k.outputHeight(), Q = k.outputWidth(), O = k.outputChannels,
                       perGroup = k.channels / k.groups;
    for (std::int64_t b = 0; b < k.batch; ++b) {
        for (std::int64_t p = 0; p < P; ++p) {
            for (std::int64_t q = 0; q < Q; ++q) {
                for (std::int64_t o = 0; o < O; ++o) {
                    const std::int64_t group = o / (O / k.groups);
                    for (std::int64_t r = 0; r < k.kernelHeight; ++r) {
                        const std::int64_t h = p * k.strideHeight - k.padHeight + r * k.dilationHeight;
                        if (h < 0 || h >= k.height) continue;
                        for (std::int64_t s = 0; s < k.kernelWidth; ++s) {
                            const std::int64_t w = q * k.strideWidth - k.padWidth + s * k.dilationWidth;
                            if (w < 0 || w >= k.width) continue;
                            const std::int64_t y = ((b * P + p) * Q + q) * O + o;
                            const std::int64_t x = ((b * k.height + h) * k.width + w) * k.channels + group * perGroup;
                            const std::int64_t weight = ((o * k.kernelHeight + r) * k.kernelWidth + s) * perGroup;
                            for (std::int64_t c = 0; c < perGroup; ++c) visit(y, x + c, weight + c);
                        }
                    }
                }
            }
        }
    }
}

} // namespace

void conv2d(const Conv2d& conv, Inputs inputs, Outputs outputs)
{
    const double *x = inputs[0].data(), *weight = inputs[1].data();
    const auto O = static_cast<std::size_t>(conv.outputChannels);
    for (std::size_t i = 0; i < outputs[0].size(); ++i) outputs[0][i] = inputs[2].empty() ? 0 : inputs[2][i % O];
    double* y = outputs[0].data();
    forEachProduct(conv, [&](auto yAt, auto xAt, auto weightAt) { y[yAt] += x[xAt] * weight[weightAt]; });
}

void conv2dBackward(const Conv2d& conv, Inputs inputs, Outputs outputs)
{
    const double *x = inputs[0].data(), *weight = inputs[1].data(), *dy = inputs[2].data();
    for (Values& output : outputs) output.assign(output.size(), 0);
    double *dx = outputs[0].data(), *dweight = outputs[1].data();
    forEachProduct(conv, [&](auto yAt, auto xAt, auto weightAt) {
        dx[xAt] += dy[yAt] * weight[weightAt];
        dweight[weightAt] += dy[yAt] * x[xAt];
    });
    const auto O = static_cast<std::size_t>(conv.outputChannels);
    for (std::size_t i = 0; i < inputs[2].size(); ++i) outputs[2][i % O] += inputs[2][i];
}

} // namespace millrace::kernels::reference
