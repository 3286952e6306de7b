// Nadam: Adam with Nesterov's momentum.
#include "kernels/cpu/optimizers/passes.h"

#include <cmath>

namespace millrace::kernels::cpu {

namespace {

struct Rule
{
    float decay, beta1, newer1, beta2, newer2;
    float momentRate, gradientRate; ///< the rate times the factor of m and of g
    float secondScale, epsilon;     ///< 1 / sqrt(1 - beta2^t)
    MR_INLINE void operator()(float& w, float gradient, float& m, float& v) const
    {
        const float g = gradient + decay * w;
        m = beta1 * m + newer1 * g;
        v = beta2 * v + newer2 * (g * g);
        w -= (momentRate * m + gradientRate * g) / (std::sqrt(v) * secondScale + epsilon);
    }
};

MR_VECTORISED void range(const Rule& rule, const Pointers& at, std::int64_t begin, std::int64_t end)
{
    eachElement<2>(rule, at, begin, end);
}

double momentumAt(const Nadam& options, std::int64_t step)
{
    return options.beta1 * (1 - 0.5 * std::pow(0.96, static_cast<double>(step) * options.momentumDecay));
}

} // namespace

void update(const Nadam& options, const Buffers& buffers)
{
    // from the first step on each time, until nothing is left of the product, so that there is nothing to keep
    double product = 1;
    for (std::int64_t t = 1; t <= options.step && product > 1e-30; ++t) product *= momentumAt(options, t);
    const double now = momentumAt(options, options.step), next = momentumAt(options, options.step + 1);
    const auto makeRule = [&](double decay) {
        return Rule{static_cast<float>(decay),
                    static_cast<float>(options.beta1),
                    static_cast<float>(1 - options.beta1),
                    static_cast<float>(options.beta2),
                    static_cast<float>(1 - options.beta2),
                    static_cast<float>(options.learningRate * next / (1 - product * next)),
                    static_cast<float>(options.learningRate * (1 - now) / (1 - product)),
                    static_cast<float>(1 / std::sqrt(1 - std::pow(options.beta2, static_cast<double>(options.step)))),
                    static_cast<float>(options.epsilon)};
    };
    updateElements(buffers, options.weightDecay, 0.35, makeRule, range);
}

} // namespace millrace::kernels::cpu
