// Adagrad.
#include "kernels/cpu/optimizers/passes.h"

#include <cmath>

namespace millrace::kernels::cpu {

namespace {

struct Rule
{
    float rate, decay, epsilon;
    MR_INLINE void operator()(float& w, float gradient, float& v) const
    {
        const float g = gradient + decay * w;
        v += g * g;
        w -= rate * g / (std::sqrt(v) + epsilon);
    }
};

MR_VECTORISED void range(const Rule& rule, const Pointers& at, std::int64_t begin, std::int64_t end)
{
    eachElement<1>(rule, at, begin, end);
}

} // namespace

void update(const Adagrad& options, const Buffers& buffers)
{
    const auto makeRule = [&](double decay) {
        return Rule{static_cast<float>(options.learningRate), static_cast<float>(decay),
                    static_cast<float>(options.epsilon)};
    };
    updateElements(buffers, options.weightDecay, 0.3, makeRule, range);
}

} // namespace millrace::kernels::cpu
