// The optimisers that look at one element at a time, each as its rule: the same arithmetic as kernels/cpu/optimizers,
// with factors that are computed in f64 once and multiplied in f32.
#include "kernels/cuda/optimizers/pass.h"

namespace millrace::kernels::cuda {

namespace {

__device__ float rounded(double x)
{
    return static_cast<float>(x);
}

struct SgdRule
{
    static constexpr int kStates = 1;
    float rate, momentum, decay;
    float ahead, kept; ///< the step is ahead g + kept v: Nesterov's (1, momentum), else (0, 1)
    __device__ SgdRule(const Sgd& options, const StepControl& control, double weightDecay)
        : rate(rounded(control.learningRate)), momentum(rounded(options.momentum)), decay(rounded(weightDecay)),
          ahead(options.nesterov ? 1.0F : 0.0F), kept(options.nesterov ? momentum : 1.0F)
    {
    }
    __device__ void operator()(float& w, float gradient, float& v) const
    {
        const float g = gradient + decay * w;
        v = momentum * v + g;
        w -= rate * (ahead * g + kept * v);
    }
};

struct AdamRule
{
    static constexpr int kStates = 2;
    float shrink;                       ///< 1 - learningRate weightDecay (AdamW)
    float coupledDecay;                 ///< weightDecay (Adam)
    float beta1, newer1, beta2, newer2; ///< newer = 1 - beta
    float rate;                         ///< learningRate / (1 - beta1^t)
    float secondScale;                  ///< 1 / sqrt(1 - beta2^t)
    float epsilon;
    __device__ AdamRule(const Adam& options, const StepControl& control, double weightDecay)
        : shrink(rounded(options.decoupled ? 1 - control.learningRate * weightDecay : 1)),
          coupledDecay(rounded(options.decoupled ? 0 : weightDecay)), beta1(rounded(options.beta1)),
          newer1(rounded(1 - options.beta1)), beta2(rounded(options.beta2)), newer2(rounded(1 - options.beta2)),
          rate(rounded(control.learningRate / (1 - pow(options.beta1, static_cast<double>(control.update))))),
          secondScale(rounded(1 / sqrt(1 - pow(options.beta2, static_cast<double>(control.update))))),
          epsilon(rounded(options.epsilon))
    {
    }
    __device__ void operator()(float& w, float gradient, float& m, float& v) const
    {
        const float g = gradient + coupledDecay * w;
        m = beta1 * m + newer1 * g;
        v = beta2 * v + newer2 * (g * g);
        w = w * shrink - rate * m / (sqrtf(v) * secondScale + epsilon);
    }
};

struct NadamRule
{
    static constexpr int kStates = 2;
    float decay, beta1, newer1, beta2, newer2;
    float momentRate, gradientRate; ///< the rate times the factor of m and of g
    float secondScale, epsilon;     ///< 1 / sqrt(1 - beta2^t)
    __device__ NadamRule(const Nadam& options, const StepControl& control, double weightDecay)
        : decay(rounded(weightDecay)), beta1(rounded(options.beta1)), newer1(rounded(1 - options.beta1)),
          beta2(rounded(options.beta2)), newer2(rounded(1 - options.beta2)),
          secondScale(rounded(1 / sqrt(1 - pow(options.beta2, static_cast<double>(control.update))))),
          epsilon(rounded(options.epsilon))
    {
        // from the first step on each time, until nothing is left of the product, so that there is nothing to keep
        double product = 1;
        for (std::int64_t t = 1; t <= control.update && product > 1e-30; ++t) product *= momentumAt(options, t);
        const double now = momentumAt(options, control.update), next = momentumAt(options, control.update + 1);
        momentRate = rounded(control.learningRate * next / (1 - product * next));
        gradientRate = rounded(control.learningRate * (1 - now) / (1 - product));
    }
    static __device__ double momentumAt(const Nadam& options, std::int64_t t)
    {
        return options.beta1 * (1 - 0.5 * pow(0.96, static_cast<double>(t) * options.momentumDecay));
    }
    __device__ void operator()(float& w, float gradient, float& m, float& v) const
    {
        const float g = gradient + decay * w;
        m = beta1 * m + newer1 * g;
        v = beta2 * v + newer2 * (g * g);
        w -= (momentRate * m + gradientRate * g) / (sqrtf(v) * secondScale + epsilon);
    }
};

struct RmsPropRule
{
    static constexpr int kStates = 2;
    float rate, decay, rho, newer, momentum, epsilon;
    __device__ RmsPropRule(const RmsProp& options, const StepControl& control, double weightDecay)
        : rate(rounded(control.learningRate)), decay(rounded(weightDecay)), rho(rounded(options.rho)),
          newer(rounded(1 - options.rho)), momentum(rounded(options.momentum)), epsilon(rounded(options.epsilon))
    {
    }
    __device__ void operator()(float& w, float gradient, float& v, float& m) const
    {
        const float g = gradient + decay * w;
        v = rho * v + newer * (g * g);
        m = momentum * m + g / (sqrtf(v) + epsilon);
        w -= rate * m;
    }
};

struct AdagradRule
{
    static constexpr int kStates = 1;
    float rate, decay, epsilon;
    __device__ AdagradRule(const Adagrad& options, const StepControl& control, double weightDecay)
        : rate(rounded(control.learningRate)), decay(rounded(weightDecay)), epsilon(rounded(options.epsilon))
    {
    }
    __device__ void operator()(float& w, float gradient, float& v) const
    {
        const float g = gradient + decay * w;
        v += g * g;
        w -= rate * g / (sqrtf(v) + epsilon);
    }
};

struct AdadeltaRule
{
    static constexpr int kStates = 2;
    float rate, decay, rho, newer, epsilon;
    __device__ AdadeltaRule(const Adadelta& options, const StepControl& control, double weightDecay)
        : rate(rounded(control.learningRate)), decay(rounded(weightDecay)), rho(rounded(options.rho)),
          newer(rounded(1 - options.rho)), epsilon(rounded(options.epsilon))
    {
    }
    __device__ void operator()(float& w, float gradient, float& v, float& u) const
    {
        const float g = gradient + decay * w;
        v = rho * v + newer * (g * g);
        const float step = sqrtf(u + epsilon) / sqrtf(v + epsilon) * g;
        u = rho * u + newer * (step * step);
        w -= rate * step;
    }
};

struct LionRule
{
    static constexpr int kStates = 1;
    float rate, shrink, beta1, newer1, beta2, newer2;
    __device__ LionRule(const Lion& options, const StepControl& control, double weightDecay)
        : rate(rounded(control.learningRate)), shrink(rounded(1 - control.learningRate * weightDecay)),
          beta1(rounded(options.beta1)), newer1(rounded(1 - options.beta1)), beta2(rounded(options.beta2)),
          newer2(rounded(1 - options.beta2))
    {
    }
    __device__ void operator()(float& w, float g, float& m) const
    {
        const float direction = beta1 * m + newer1 * g;
        const float sign = direction > 0 ? 1.0F : (direction < 0 ? -1.0F : 0.0F);
        w = w * shrink - rate * sign;
        m = beta2 * m + newer2 * g;
    }
};

} // namespace

UpdateResult makeElementWise(Context& context, const Sgd& rule, std::span<const Segment> segments)
{
    return ElementWise<SgdRule, Sgd>::create(context, rule, segments);
}

UpdateResult makeElementWise(Context& context, const Adam& rule, std::span<const Segment> segments)
{
    return ElementWise<AdamRule, Adam>::create(context, rule, segments);
}

UpdateResult makeElementWise(Context& context, const Nadam& rule, std::span<const Segment> segments)
{
    return ElementWise<NadamRule, Nadam>::create(context, rule, segments);
}

UpdateResult makeElementWise(Context& context, const RmsProp& rule, std::span<const Segment> segments)
{
    return ElementWise<RmsPropRule, RmsProp>::create(context, rule, segments);
}

UpdateResult makeElementWise(Context& context, const Adagrad& rule, std::span<const Segment> segments)
{
    return ElementWise<AdagradRule, Adagrad>::create(context, rule, segments);
}

UpdateResult makeElementWise(Context& context, const Adadelta& rule, std::span<const Segment> segments)
{
    return ElementWise<AdadeltaRule, Adadelta>::create(context, rule, segments);
}

UpdateResult makeElementWise(Context& context, const Lion& rule, std::span<const Segment> segments)
{
    return ElementWise<LionRule, Lion>::create(context, rule, segments);
}

} // namespace millrace::kernels::cuda
