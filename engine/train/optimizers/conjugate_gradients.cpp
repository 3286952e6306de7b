// Non-linear conjugate gradients: each direction is conjugate to the ones before, with a search along it.
//   beta = max(0, g·(g - g_previous) / g_previous·g_previous);  direction = -g + beta direction
//   w += t direction, t by the strong Wolfe conditions (c1 1e-4, c2 0.1) from the t that moves as far downhill as the
//   last one did, at the first step from min(1, 1 / ‖g‖₁) learningRate
// It starts again from -g where that direction does not go down, and where two successive gradients are far from
// orthogonal, |g·g_previous| >= 0.2 g·g (Powell). PyTorch has none. Weight decay is part of the loss.
// Source    Polak, Ribière 1969; Nocedal, Wright 2006, Numerical Optimization, section 5.2; Powell 1977.
#include "engine/train/optimizers/line_search.h"
#include "kernels/cpu/optimizer.h"

#include <algorithm>
#include <cmath>

namespace millrace::train {

namespace {

constexpr double kSmallestGradient = 1e-7, kFarFromOrthogonal = 0.2;

class ConjugateGradients : public Optimizer
{
public:
    ConjugateGradients(const OptimizerSettings& settings, ParameterLayout layout, int threads)
        : m_layout(std::move(layout)), m_weightDecay(settings.weightDecay), m_threads(threads),
          m_direction(m_layout.size), m_previous(m_layout.size), m_start(m_layout.size)
    {
    }

    Status step(Objective& given, double learningRate, std::int64_t) override
    {
        RegularisedObjective objective(given, m_layout, m_weightDecay, m_threads);
        MR_TRY(const double loss, objective.evaluate());
        const auto gradient = objective.gradients();
        if (largestOf(gradient) <= kSmallestGradient) return {};
        const double slope = chooseDirection(gradient);
        const bool fresh = m_scalars.t == 0;
        const double first =
            fresh ? std::min(1.0, 1 / sumOfSizes(gradient)) * learningRate : m_scalars.t * m_scalars.slope / slope;
        std::copy(gradient.begin(), gradient.end(), m_previous.begin());
        std::copy(objective.parameters().begin(), objective.parameters().end(), m_start.begin());
        Line line(objective, m_start, m_direction, m_threads);
        m_scalars.slope = slope;
        MR_TRY(m_scalars.t, searchLine(line, {0, loss, slope}, first, {.curvature = 0.1}));
        line.moveTo(m_scalars.t);
        return {};
    }

    std::map<std::string, std::span<std::byte>> state() override
    {
        return {{"direction", std::as_writable_bytes(std::span(m_direction))},
                {"previous_gradient", std::as_writable_bytes(std::span(m_previous))},
                {"scalars", std::as_writable_bytes(std::span(&m_scalars, 1))}};
    }

private:
    struct Scalars
    {
        double t = 0, slope = 0; ///< of the last search; t is 0 before the first and where one found nothing
    };

    /// Sets the direction and returns the slope along it, which is below 0.
    double chooseDirection(std::span<const float> gradient)
    {
        const double square = kernels::cpu::squaredNorm(gradient, m_threads);
        const double before = kernels::cpu::squaredNorm(m_previous, m_threads);
        const double both = kernels::cpu::dot(gradient, m_previous, m_threads);
        const bool restart = before == 0 || std::abs(both) >= kFarFromOrthogonal * square;
        const double beta = restart ? 0 : std::max(0.0, (square - both) / before);
        kernels::cpu::combine(m_direction, static_cast<float>(beta), gradient, -1.0F, m_threads);
        const double slope = kernels::cpu::dot(gradient, m_direction, m_threads);
        if (slope < 0) return slope;
        kernels::cpu::combine(m_direction, 0.0F, gradient, -1.0F, m_threads);
        return -square;
    }

    ParameterLayout m_layout;
    double m_weightDecay;
    int m_threads;
    std::vector<float> m_direction, m_previous, m_start;
    Scalars m_scalars;
};

} // namespace

std::unique_ptr<Optimizer> createConjugateGradients(const OptimizerSettings& settings, ParameterLayout layout,
                                                    int threads)
{
    return std::make_unique<ConjugateGradients>(settings, std::move(layout), threads);
}

} // namespace millrace::train
