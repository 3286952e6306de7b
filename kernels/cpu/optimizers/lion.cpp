// Lion: steps of one size in the direction of the signs.
#include "kernels/cpu/optimizers/passes.h"

namespace millrace::kernels::cpu {

namespace {

struct Rule
{
    float rate, shrink, beta1, newer1, beta2, newer2;
    MR_INLINE void operator()(float& w, float g, float& m) const
    {
        const float direction = beta1 * m + newer1 * g;
        const float sign = direction > 0 ? 1.0F : (direction < 0 ? -1.0F : 0.0F);
        w = w * shrink - rate * sign;
        m = beta2 * m + newer2 * g;
    }
};

MR_VECTORISED void range(const Rule& rule, const Pointers& at, std::int64_t begin, std::int64_t end)
{
    eachElement<1>(rule, at, begin, end);
}

} // namespace

void update(const Lion& options, const Buffers& buffers)
{
    const auto makeRule = [&](double decay) {
        return Rule{static_cast<float>(options.learningRate), static_cast<float>(1 - options.learningRate * decay),
                    static_cast<float>(options.beta1),        static_cast<float>(1 - options.beta1),
                    static_cast<float>(options.beta2),        static_cast<float>(1 - options.beta2)};
    };
    updateElements(buffers, options.weightDecay, 0.15, makeRule, range);
}

} // namespace millrace::kernels::cpu
