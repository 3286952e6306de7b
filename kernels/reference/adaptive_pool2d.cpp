// Pooling to a given size in double.
#include "kernels/reference/reference.h"

namespace millrace::kernels::reference {

namespace {

/// Calls body(place in y, visit), where visit(f) calls f(place in x) for the window's elements.
template <class Body> void forEachOutput(const AdaptivePool2d& p, const Body& body)
{
    const std::int64_t P = p.outputRows, Q = p.outputColumns, H = p.height, W = p.width, C = p.channels;
    for (std::int64_t i = 0; i < p.batch * P * Q * C; ++i) {
        const std::int64_t c = i % C, q = i / C % Q, row = i / (C * Q) % P, b = i / (C * Q * P);
        const auto visit = [&](const auto& f) {
            for (std::int64_t h = row * H / P; h * P < (row + 1) * H; ++h)
                for (std::int64_t w = q * W / Q; w * Q < (q + 1) * W; ++w)
                    f(static_cast<std::size_t>(((b * H + h) * W + w) * C + c));
        };
        body(static_cast<std::size_t>(i), visit);
    }
}

} // namespace

void adaptiveMaxPool2d(const AdaptivePool2d& pool, Inputs inputs, Outputs outputs)
{
    forEachOutput(pool, [&](std::size_t y, const auto& visit) {
        bool first = true;
        visit([&](std::size_t x) {
            if (first || inputs[0][x] > outputs[0][y]) outputs[0][y] = inputs[0][x];
            first = false;
        });
    });
}

void adaptiveMaxPool2dBackward(const AdaptivePool2d& pool, Inputs inputs, Outputs outputs)
{
    forEachOutput(pool, [&](std::size_t y, const auto& visit) {
        bool first = true;
        std::size_t best = 0;
        visit([&](std::size_t x) {
            if (first || inputs[0][x] > inputs[0][best]) best = x;
            first = false;
        });
        outputs[0][best] += inputs[1][y];
    });
}

void adaptiveAveragePool2d(const AdaptivePool2d& pool, Inputs inputs, Outputs outputs)
{
    forEachOutput(pool, [&](std::size_t y, const auto& visit) {
        double count = 0;
        visit([&](std::size_t x) {
            outputs[0][y] += inputs[0][x];
            ++count;
        });
        outputs[0][y] /= count;
    });
}

void adaptiveAveragePool2dBackward(const AdaptivePool2d& pool, Inputs inputs, Outputs outputs)
{
    forEachOutput(pool, [&](std::size_t y, const auto& visit) {
        double count = 0;
        visit([&](std::size_t) { ++count; });
        visit([&](std::size_t x) { outputs[0][x] += inputs[0][y] / count; });
    });
}

} // namespace millrace::kernels::reference
