// Adam and AdamW.
#include "kernels/cpu/optimizers/passes.h"

#include <cmath>

namespace millrace::kernels::cpu {

namespace {

struct Rule
{
    float shrink;                       ///< 1 - learningRate weightDecay (AdamW)
    float coupledDecay;                 ///< weightDecay (Adam)
    float beta1, newer1, beta2, newer2; ///< newer = 1 - beta, subtracted in f64
    float rate;                         ///< learningRate / (1 - beta1^t)
    float secondScale;                  ///< 1 / sqrt(1 - beta2^t)
    float epsilon;
    MR_INLINE void operator()(float& w, float gradient, float& m, float& v) const
    {
        const float g = gradient + coupledDecay * w;
        m = beta1 * m + newer1 * g;
        v = beta2 * v + newer2 * (g * g);
        w = w * shrink - rate * m / (std::sqrt(v) * secondScale + epsilon);
    }
};

MR_VECTORISED void range(const Rule& rule, const Pointers& at, std::int64_t begin, std::int64_t end)
{
    eachElement<2>(rule, at, begin, end);
}

} // namespace

void update(const Adam& options, const Buffers& buffers)
{
    const auto t = static_cast<double>(options.step);
    const auto makeRule = [&](double decay) {
        return Rule{static_cast<float>(options.decoupled ? 1 - options.learningRate * decay : 1),
                    static_cast<float>(options.decoupled ? 0 : decay),
                    static_cast<float>(options.beta1),
                    static_cast<float>(1 - options.beta1),
                    static_cast<float>(options.beta2),
                    static_cast<float>(1 - options.beta2),
                    static_cast<float>(options.learningRate / (1 - std::pow(options.beta1, t))),
                    static_cast<float>(1 / std::sqrt(1 - std::pow(options.beta2, t))),
                    static_cast<float>(options.epsilon)};
    };
    updateElements(buffers, options.weightDecay, 0.35, makeRule, range);
}

} // namespace millrace::kernels::cpu
