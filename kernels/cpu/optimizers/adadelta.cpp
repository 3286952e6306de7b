// Adadelta.
#include "kernels/cpu/optimizers/passes.h"

#include <cmath>

namespace millrace::kernels::cpu {

namespace {

struct Rule
{
    float rate, decay, rho, newer, epsilon;
    MR_INLINE void operator()(float& w, float gradient, float& v, float& u) const
    {
        const float g = gradient + decay * w;
        v = rho * v + newer * (g * g);
        const float step = std::sqrt(u + epsilon) / std::sqrt(v + epsilon) * g;
        u = rho * u + newer * (step * step);
        w -= rate * step;
    }
};

MR_VECTORISED void range(const Rule& rule, const Pointers& at, std::int64_t begin, std::int64_t end)
{
    eachElement<2>(rule, at, begin, end);
}

} // namespace

void update(const Adadelta& options, const Buffers& buffers)
{
    const auto makeRule = [&](double decay) {
        return Rule{static_cast<float>(options.learningRate), static_cast<float>(decay),
                    static_cast<float>(options.rho), static_cast<float>(1 - options.rho),
                    static_cast<float>(options.epsilon)};
    };
    updateElements(buffers, options.weightDecay, 0.5, makeRule, range);
}

} // namespace millrace::kernels::cpu
