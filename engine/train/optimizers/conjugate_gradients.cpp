// Non-linear conjugate gradients: each direction is conjugate to the ones before, with a search along it.
//   beta = max(0, g·(g - g_previous) / g_previous·g_previous);  direction = -g + beta direction
//   w += t direction, t by the strong Wolfe conditions (c1 1e-4, c2 0.1) from the t that moves as far downhill as the
//   last one did, at the first step from min(1, 1 / ‖g‖₁) learningRate
// It starts again from -g where that direction does not go down, and where two successive gradients are far from
// orthogonal, |g·g_previous| >= 0.2 g·g (Powell). PyTorch has none. Weight decay is part of the loss.
// Source    Polak, Ribière 1969; Nocedal, Wright 2006, Numerical Optimization, section 5.2; Powell 1977.
#include "engine/train/optimizers/line_search.h"

#include <algorithm>
#include <cmath>

namespace millrace::train {

namespace {

constexpr double kSmallestGradient = 1e-7, kFarFromOrthogonal = 0.2;

class ConjugateGradients : public Optimizer
{
public:
    ConjugateGradients(const OptimizerSettings& settings, ParameterLayout layout, std::unique_ptr<Vectors> vectors)
        : m_layout(std::move(layout)), m_weightDecay(settings.weightDecay), m_vectors(std::move(vectors))
    {
    }

    Status allocate()
    {
        MR_TRY(m_direction, m_vectors->allocate(m_layout.size));
        MR_TRY(m_previous, m_vectors->allocate(m_layout.size));
        MR_TRY(m_start, m_vectors->allocate(m_layout.size));
        return {};
    }

    Status step(Objective& given, double learningRate, std::int64_t) override
    {
        RegularisedObjective objective(given, m_layout, m_weightDecay, *m_vectors);
        MR_TRY(const double loss, objective.evaluate());
        const auto gradient = objective.gradients();
        MR_TRY(const double largest, m_vectors->largest(gradient));
        if (largest <= kSmallestGradient) return {};
        MR_TRY(const double slope, chooseDirection(gradient));
        double first = m_scalars.t * m_scalars.slope / slope;
        if (m_scalars.t == 0) {
            MR_TRY(const double size, m_vectors->sumOfSizes(gradient));
            first = std::min(1.0, 1 / size) * learningRate;
        }
        m_vectors->copy(m_previous, gradient);
        m_vectors->copy(m_start, objective.parameters());
        Line line(objective, m_start, m_direction, *m_vectors);
        m_scalars.slope = slope;
        MR_TRY(m_scalars.t, searchLine(line, {0, loss, slope}, first, {.curvature = 0.1}));
        line.moveTo(m_scalars.t);
        return {};
    }

    std::map<std::string, std::span<float>> vectors() override
    {
        return {{"direction", m_direction}, {"previous_gradient", m_previous}};
    }

    std::map<std::string, std::span<std::byte>> numbers() override
    {
        return {{"scalars", std::as_writable_bytes(std::span(&m_scalars, 1))}};
    }

private:
    struct Scalars
    {
        double t = 0, slope = 0; ///< of the last search; t is 0 before the first and where one found nothing
    };

    /// Sets the direction and returns the slope along it, which is below 0.
    Result<double> chooseDirection(std::span<const float> gradient)
    {
        MR_TRY(const double square, m_vectors->dot(gradient, gradient));
        MR_TRY(const double before, m_vectors->dot(m_previous, m_previous));
        MR_TRY(const double both, m_vectors->dot(gradient, m_previous));
        const bool restart = before == 0 || std::abs(both) >= kFarFromOrthogonal * square;
        const double beta = restart ? 0 : std::max(0.0, (square - both) / before);
        m_vectors->combine(m_direction, static_cast<float>(beta), gradient, -1.0F);
        MR_TRY(const double slope, m_vectors->dot(gradient, m_direction));
        if (slope < 0) return slope;
        m_vectors->combine(m_direction, 0.0F, gradient, -1.0F);
        return -square;
    }

    ParameterLayout m_layout;
    double m_weightDecay;
    std::unique_ptr<Vectors> m_vectors;
    std::span<float> m_direction, m_previous, m_start;
    Scalars m_scalars;
};

} // namespace

Result<std::unique_ptr<Optimizer>> createConjugateGradients(const OptimizerSettings& settings, ParameterLayout layout,
                                                            std::unique_ptr<Vectors> vectors)
{
    auto optimizer = std::make_unique<ConjugateGradients>(settings, std::move(layout), std::move(vectors));
    MR_CHECK(optimizer->allocate());
    return std::unique_ptr<Optimizer>(std::move(optimizer));
}

} // namespace millrace::train
