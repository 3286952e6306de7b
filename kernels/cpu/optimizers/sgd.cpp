// Stochastic gradient descent with momentum.
#include "kernels/cpu/optimizers/passes.h"

namespace millrace::kernels::cpu {

namespace {

struct Rule
{
    float rate, momentum, decay;
    float ahead, kept; ///< the step is ahead g + kept v: Nesterov's (1, momentum), else (0, 1)
    MR_INLINE void operator()(float& w, float gradient, float& v) const
    {
        const float g = gradient + decay * w;
        v = momentum * v + g;
        w -= rate * (ahead * g + kept * v);
    }
};

MR_VECTORISED void range(const Rule& rule, const Pointers& at, std::int64_t begin, std::int64_t end)
{
    eachElement<1>(rule, at, begin, end);
}

} // namespace

void update(const Sgd& options, const Buffers& buffers)
{
    const auto makeRule = [&](double decay) {
        const auto momentum = static_cast<float>(options.momentum);
        return Rule{static_cast<float>(options.learningRate), momentum, static_cast<float>(decay),
                    options.nesterov ? 1.0F : 0.0F, options.nesterov ? momentum : 1.0F};
    };
    updateElements(buffers, options.weightDecay, 0.15, makeRule, range);
}

} // namespace millrace::kernels::cpu
