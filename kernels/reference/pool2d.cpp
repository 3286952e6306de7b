// Max and average pooling in double.
#include "kernels/reference/reference.h"

#include <cmath>

namespace millrace::kernels::reference {

namespace {

/// Calls visit(y index, the x indices of its window within the image) for every output.
template <class Visit> void forEachWindow(const Pool2d& p, const Visit& visit)
{
    const std::int64_t rows = p.outputHeight(), columns = p.outputWidth();
    std::vector<std::size_t> window;
    for (std::int64_t b = 0; b < p.batch; ++b) {
        for (std::int64_t row = 0; row < rows; ++row) {
            for (std::int64_t column = 0; column < columns; ++column) {
                for (std::int64_t c = 0; c < p.channels; ++c) {
                    window.clear();
                    for (std::int64_t r = 0; r < p.kernelHeight; ++r) {
                        for (std::int64_t s = 0; s < p.kernelWidth; ++s) {
                            const std::int64_t h = row * p.strideHeight - p.padHeight + r;
                            const std::int64_t w = column * p.strideWidth - p.padWidth + s;
                            if (h < 0 || h >= p.height || w < 0 || w >= p.width) continue;
                            window.push_back(
                                static_cast<std::size_t>(((b * p.height + h) * p.width + w) * p.channels + c));
                        }
                    }
                    visit(static_cast<std::size_t>(((b * rows + row) * columns + column) * p.channels + c), window);
                }
            }
        }
    }
}

/// The index of the window's maximum; of a NaN, where there is one.
std::size_t maximumOf(const Values& x, const std::vector<std::size_t>& window)
{
    std::size_t best = window.front();
    for (const std::size_t i : window) {
        if (x[i] > x[best] || std::isnan(x[i])) best = i;
    }
    return best;
}

double countOf(const Pool2d& pool, const std::vector<std::size_t>& window)
{
    return static_cast<double>(pool.countPadding ? pool.kernelHeight * pool.kernelWidth
                                                 : static_cast<std::int64_t>(window.size()));
}

} // namespace

void maxPool2d(const Pool2d& pool, Inputs inputs, Outputs outputs)
{
    const Values& x = inputs[0];
    forEachWindow(pool, [&](std::size_t y, const auto& window) { outputs[0][y] = x[maximumOf(x, window)]; });
}

void maxPool2dBackward(const Pool2d& pool, Inputs inputs, Outputs outputs)
{
    const Values &x = inputs[0], &dy = inputs[1];
    outputs[0].assign(outputs[0].size(), 0);
    forEachWindow(pool, [&](std::size_t y, const auto& window) { outputs[0][maximumOf(x, window)] += dy[y]; });
}

void averagePool2d(const Pool2d& pool, Inputs inputs, Outputs outputs)
{
    forEachWindow(pool, [&](std::size_t y, const auto& window) {
        double sum = 0;
        for (const std::size_t i : window) sum += inputs[0][i];
        outputs[0][y] = sum / countOf(pool, window);
    });
}

void averagePool2dBackward(const Pool2d& pool, Inputs inputs, Outputs outputs)
{
    outputs[0].assign(outputs[0].size(), 0);
    forEachWindow(pool, [&](std::size_t y, const auto& window) {
        for (const std::size_t i : window) outputs[0][i] += inputs[0][y] / countOf(pool, window);
    });
}

} // namespace millrace::kernels::reference
