// Sum, mean and maximum over axes in double.
#include "kernels/reference/reference.h"

#include <algorithm>
#include <limits>

namespace millrace::kernels::reference {

namespace {

/// For each element of x, which one of y it goes to.
std::vector<std::size_t> targets(const Reduce& reduce, std::size_t count)
{
    std::vector<std::size_t> result(count);
    for (std::size_t i = 0; i < count; ++i) {
        std::size_t rest = i, stride = 1;
        for (std::size_t axis = reduce.shape.size(); axis-- > 0;) {
            const auto size = static_cast<std::size_t>(reduce.shape[axis]);
            if (!reduce.reduced[axis]) {
                result[i] += rest % size * stride;
                stride *= size;
            }
            rest /= size;
        }
    }
    return result;
}

} // namespace

void reduce(const Reduce& reduce, Inputs inputs, Outputs outputs)
{
    const Values& x = inputs[0];
    Values& y = outputs[0];
    const std::vector<std::size_t> to = targets(reduce, x.size());
    const bool maximum = reduce.operation == Reduction::Max;
    std::fill(y.begin(), y.end(), maximum ? -std::numeric_limits<double>::infinity() : 0.0);
    const double factor =
        reduce.operation == Reduction::Mean ? static_cast<double>(y.size()) / static_cast<double>(x.size()) : 1;
    for (std::size_t i = 0; i < x.size(); ++i) y[to[i]] = maximum ? std::max(y[to[i]], x[i]) : y[to[i]] + factor * x[i];
}

void reduceBackward(const Reduce& reduce, Inputs inputs, Outputs outputs)
{
    Values& dx = outputs[0];
    const std::vector<std::size_t> to = targets(reduce, dx.size());
    if (reduce.operation != Reduction::Max) {
        const Values& dy = inputs[0];
        const double factor =
            reduce.operation == Reduction::Mean ? static_cast<double>(dy.size()) / static_cast<double>(dx.size()) : 1;
        for (std::size_t i = 0; i < dx.size(); ++i) dx[i] = factor * dy[to[i]];
        return;
    }
    const Values &x = inputs[0], &y = inputs[1], &dy = inputs[2];
    std::vector<double> ties(y.size());
    for (std::size_t i = 0; i < x.size(); ++i) ties[to[i]] += x[i] == y[to[i]] ? 1 : 0;
    for (std::size_t i = 0; i < x.size(); ++i) dx[i] = x[i] == y[to[i]] ? dy[to[i]] / ties[to[i]] : 0;
}

} // namespace millrace::kernels::reference
