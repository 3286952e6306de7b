// What every device does before it reorders axes: those that move together become one.
#pragma once

#include "kernels/ops/transpose.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace millrace::kernels {

/// An axis of y: its size and how far apart its elements are in x and in y.
struct TransposeAxis
{
    std::int64_t size, from, to;
};

/// y's axes, outermost first, without those of size 1; neighbours that are neighbours in x too are one.
inline std::vector<TransposeAxis> mergedAxes(const Transpose& t)
{
    std::vector<std::int64_t> strides(t.shape.size(), 1);
    for (std::size_t i = t.shape.size(); i-- > 1;) strides[i - 1] = strides[i] * t.shape[i];
    std::vector<TransposeAxis> axes;
    for (const std::int64_t axis : t.order) {
        const auto index = static_cast<std::size_t>(axis);
        if (t.shape[index] == 1) continue;
        const TransposeAxis next{t.shape[index], strides[index], 1};
        if (!axes.empty() && axes.back().from == next.from * next.size)
            axes.back() = {axes.back().size * next.size, next.from, 1};
        else
            axes.push_back(next);
    }
    if (axes.empty()) axes.push_back({1, 1, 1});
    for (std::size_t i = axes.size(); i-- > 1;) axes[i - 1].to = axes[i].to * axes[i].size;
    return axes;
}

} // namespace millrace::kernels
