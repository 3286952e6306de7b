// L-BFGS: Newton's step with an inverse Hessian that the last gradients tell, and a search along it.
//   y = g - g_previous, s = step taken; pairs with y·s > 1e-10 are kept, the last ten of them
//   direction = -H g by the two-loop recursion from H = (y·s / y·y) I;  w += t direction, t by the strong Wolfe
//   conditions (c1 1e-4, c2 0.9) from t = learningRate, at the first step min(1, 1 / ‖g‖₁) learningRate
// One update is one iteration: as torch.optim.LBFGS with max_iter 1, history_size 10 and line_search_fn "strong_wolfe".
// Weight decay, which PyTorch's has not, is part of the loss.
// Source    Nocedal, Wright 2006, Numerical Optimization, algorithms 7.4 and 7.5.
#include "engine/train/optimizers/line_search.h"

#include <algorithm>
#include <array>

namespace millrace::train {

namespace {

constexpr std::size_t kHistory = 10;
constexpr double kSmallestGradient = 1e-7, kSmallestSlope = 1e-9, kSmallestCurvature = 1e-10; // as PyTorch

class Lbfgs : public Optimizer
{
public:
    Lbfgs(const OptimizerSettings& settings, ParameterLayout layout, std::unique_ptr<Vectors> vectors)
        : m_layout(std::move(layout)), m_weightDecay(settings.weightDecay), m_vectors(std::move(vectors))
    {
    }

    Status allocate()
    {
        MR_TRY(m_steps, m_vectors->allocate(kHistory * m_layout.size));
        MR_TRY(m_differences, m_vectors->allocate(kHistory * m_layout.size));
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
        if (m_scalars.iterations > 0) MR_CHECK(remember(gradient));
        MR_CHECK(chooseDirection(gradient));
        MR_TRY(const double slope, m_vectors->dot(gradient, m_direction));
        double first = 1;
        if (m_scalars.iterations == 0) {
            MR_TRY(const double size, m_vectors->sumOfSizes(gradient));
            first = std::min(1.0, 1 / size);
        }
        m_vectors->copy(m_previous, gradient);
        m_scalars.iterations += 1;
        m_scalars.t = 0;
        if (slope > -kSmallestSlope) return {};
        m_vectors->copy(m_start, objective.parameters());
        Line line(objective, m_start, m_direction, *m_vectors);
        MR_TRY(m_scalars.t, searchLine(line, {0, loss, slope}, first * learningRate, {}));
        line.moveTo(m_scalars.t);
        return {};
    }

    std::map<std::string, std::span<float>> vectors() override
    {
        return {{"steps", m_steps},
                {"differences", m_differences},
                {"direction", m_direction},
                {"previous_gradient", m_previous}};
    }

    std::map<std::string, std::span<std::byte>> numbers() override
    {
        return {{"scalars", std::as_writable_bytes(std::span(&m_scalars, 1))}};
    }

private:
    /// What a checkpoint keeps beside the vectors. Pair i of the history lies in slot (first + i) mod kHistory.
    struct Scalars
    {
        std::int64_t iterations = 0;
        std::uint64_t first = 0, pairs = 0;
        double t = 0;                                    ///< of the last search
        double scale = 1;                                ///< of the Hessian that the recursion starts from
        std::array<double, kHistory> inverseCurvature{}; ///< 1 / y·s, by slot
    };

    std::span<float> slot(std::span<float> history, std::uint64_t index) const
    {
        return history.subspan(index * m_layout.size, m_layout.size);
    }
    std::uint64_t slotOf(std::uint64_t pair) const { return (m_scalars.first + pair) % kHistory; }

    /// Keeps the last step and what it changed of the gradient, where the loss curves upwards along it.
    Status remember(std::span<const float> gradient)
    {
        const bool full = m_scalars.pairs == kHistory;
        // the slot is free, or that of the oldest pair; which is lost only where the new one is kept
        const std::uint64_t index = full ? m_scalars.first : slotOf(m_scalars.pairs);
        const auto y = m_start; // memory that is free until the search
        m_vectors->copy(y, gradient);
        m_vectors->combine(y, 1.0F, m_previous, -1.0F);
        MR_TRY(const double along, m_vectors->dot(y, m_direction));
        const double curvature = m_scalars.t * along;
        if (curvature <= kSmallestCurvature) return {};
        MR_TRY(const double square, m_vectors->dot(y, y));
        m_vectors->copy(slot(m_differences, index), y);
        m_vectors->copy(slot(m_steps, index), m_direction);
        m_vectors->scale(slot(m_steps, index), static_cast<float>(m_scalars.t));
        m_scalars.inverseCurvature[index] = 1 / curvature;
        m_scalars.scale = curvature / square;
        if (full)
            m_scalars.first = slotOf(1);
        else
            m_scalars.pairs += 1;
        return {};
    }

    /// direction = -H gradient
    Status chooseDirection(std::span<const float> gradient)
    {
        m_vectors->copy(m_direction, gradient);
        m_vectors->scale(m_direction, -1.0F);
        std::array<double, kHistory> alpha{};
        for (std::uint64_t pair = m_scalars.pairs; pair-- > 0;) {
            const std::uint64_t at = slotOf(pair);
            MR_TRY(const double along, m_vectors->dot(slot(m_steps, at), m_direction));
            alpha[at] = along * m_scalars.inverseCurvature[at];
            m_vectors->combine(m_direction, 1.0F, slot(m_differences, at), static_cast<float>(-alpha[at]));
        }
        m_vectors->scale(m_direction, static_cast<float>(m_scalars.scale));
        for (std::uint64_t pair = 0; pair < m_scalars.pairs; ++pair) {
            const std::uint64_t at = slotOf(pair);
            MR_TRY(const double along, m_vectors->dot(slot(m_differences, at), m_direction));
            const double beta = along * m_scalars.inverseCurvature[at];
            m_vectors->combine(m_direction, 1.0F, slot(m_steps, at), static_cast<float>(alpha[at] - beta));
        }
        return {};
    }

    ParameterLayout m_layout;
    double m_weightDecay;
    std::unique_ptr<Vectors> m_vectors;
    std::span<float> m_steps, m_differences; ///< kHistory vectors each
    std::span<float> m_direction, m_previous, m_start;
    Scalars m_scalars;
};

} // namespace

Result<std::unique_ptr<Optimizer>> createLbfgs(const OptimizerSettings& settings, ParameterLayout layout,
                                               std::unique_ptr<Vectors> vectors)
{
    auto optimizer = std::make_unique<Lbfgs>(settings, std::move(layout), std::move(vectors));
    MR_CHECK(optimizer->allocate());
    return std::unique_ptr<Optimizer>(std::move(optimizer));
}

} // namespace millrace::train
