// L-BFGS: Newton's step with an inverse Hessian that the last gradients tell, and a search along it.
//   y = g - g_previous, s = step taken; pairs with y·s > 1e-10 are kept, the last ten of them
//   direction = -H g by the two-loop recursion from H = (y·s / y·y) I;  w += t direction, t by the strong Wolfe
//   conditions (c1 1e-4, c2 0.9) from t = learningRate, at the first step min(1, 1 / ‖g‖₁) learningRate
// One update is one iteration: as torch.optim.LBFGS with max_iter 1, history_size 10 and line_search_fn "strong_wolfe".
// Weight decay, which PyTorch's has not, is part of the loss.
// Source    Nocedal, Wright 2006, Numerical Optimization, algorithms 7.4 and 7.5.
#include "engine/train/optimizers/line_search.h"
#include "kernels/cpu/optimizer.h"

#include <algorithm>
#include <array>

namespace millrace::train {

namespace {

constexpr std::size_t kHistory = 10;
constexpr double kSmallestGradient = 1e-7, kSmallestSlope = 1e-9, kSmallestCurvature = 1e-10; // as PyTorch

class Lbfgs : public Optimizer
{
public:
    Lbfgs(const OptimizerSettings& settings, ParameterLayout layout, int threads)
        : m_layout(std::move(layout)), m_weightDecay(settings.weightDecay), m_threads(threads),
          m_steps(kHistory * m_layout.size), m_differences(kHistory * m_layout.size), m_direction(m_layout.size),
          m_previous(m_layout.size), m_start(m_layout.size)
    {
    }

    Status step(Objective& given, double learningRate, std::int64_t) override
    {
        RegularisedObjective objective(given, m_layout, m_weightDecay, m_threads);
        MR_TRY(const double loss, objective.evaluate());
        const auto gradient = objective.gradients();
        if (largestOf(gradient) <= kSmallestGradient) return {};
        if (m_scalars.iterations > 0) remember(gradient);
        chooseDirection(gradient);
        const double slope = kernels::cpu::dot(gradient, m_direction, m_threads);
        const double first = m_scalars.iterations == 0 ? std::min(1.0, 1 / sumOfSizes(gradient)) : 1.0;
        std::copy(gradient.begin(), gradient.end(), m_previous.begin());
        m_scalars.iterations += 1;
        m_scalars.t = 0;
        if (slope > -kSmallestSlope) return {};
        std::copy(objective.parameters().begin(), objective.parameters().end(), m_start.begin());
        Line line(objective, m_start, m_direction, m_threads);
        MR_TRY(m_scalars.t, searchLine(line, {0, loss, slope}, first * learningRate, {}));
        line.moveTo(m_scalars.t);
        return {};
    }

    std::map<std::string, std::span<std::byte>> state() override
    {
        return {{"steps", std::as_writable_bytes(std::span(m_steps))},
                {"differences", std::as_writable_bytes(std::span(m_differences))},
                {"direction", std::as_writable_bytes(std::span(m_direction))},
                {"previous_gradient", std::as_writable_bytes(std::span(m_previous))},
                {"scalars", std::as_writable_bytes(std::span(&m_scalars, 1))}};
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

    std::span<float> slot(std::vector<float>& history, std::uint64_t index)
    {
        return std::span(history).subspan(index * m_layout.size, m_layout.size);
    }
    std::uint64_t slotOf(std::uint64_t pair) const { return (m_scalars.first + pair) % kHistory; }

    /// Keeps the last step and what it changed of the gradient, where the loss curves upwards along it.
    void remember(std::span<const float> gradient)
    {
        const bool full = m_scalars.pairs == kHistory;
        // the slot is free, or that of the oldest pair; which is lost only where the new one is kept
        const std::uint64_t index = full ? m_scalars.first : slotOf(m_scalars.pairs);
        std::copy(gradient.begin(), gradient.end(), m_start.begin());
        kernels::cpu::combine(m_start, 1.0F, m_previous, -1.0F,
                              m_threads); // y, in memory that is free until the search
        const double curvature = m_scalars.t * kernels::cpu::dot(m_start, m_direction, m_threads);
        if (curvature <= kSmallestCurvature) return;
        std::copy(m_start.begin(), m_start.end(), slot(m_differences, index).begin());
        std::copy(m_direction.begin(), m_direction.end(), slot(m_steps, index).begin());
        kernels::cpu::scale(slot(m_steps, index), static_cast<float>(m_scalars.t), m_threads);
        m_scalars.inverseCurvature[index] = 1 / curvature;
        m_scalars.scale = curvature / kernels::cpu::squaredNorm(m_start, m_threads);
        if (full)
            m_scalars.first = slotOf(1);
        else
            m_scalars.pairs += 1;
    }

    /// direction = -H gradient
    void chooseDirection(std::span<const float> gradient)
    {
        std::copy(gradient.begin(), gradient.end(), m_direction.begin());
        kernels::cpu::scale(m_direction, -1.0F, m_threads);
        std::array<double, kHistory> alpha{};
        for (std::uint64_t pair = m_scalars.pairs; pair-- > 0;) {
            const std::uint64_t at = slotOf(pair);
            alpha[at] = kernels::cpu::dot(slot(m_steps, at), m_direction, m_threads) * m_scalars.inverseCurvature[at];
            kernels::cpu::combine(m_direction, 1.0F, slot(m_differences, at), static_cast<float>(-alpha[at]),
                                  m_threads);
        }
        kernels::cpu::scale(m_direction, static_cast<float>(m_scalars.scale), m_threads);
        for (std::uint64_t pair = 0; pair < m_scalars.pairs; ++pair) {
            const std::uint64_t at = slotOf(pair);
            const double beta =
                kernels::cpu::dot(slot(m_differences, at), m_direction, m_threads) * m_scalars.inverseCurvature[at];
            kernels::cpu::combine(m_direction, 1.0F, slot(m_steps, at), static_cast<float>(alpha[at] - beta),
                                  m_threads);
        }
    }

    ParameterLayout m_layout;
    double m_weightDecay;
    int m_threads;
    std::vector<float> m_steps, m_differences; ///< kHistory vectors each
    std::vector<float> m_direction, m_previous, m_start;
    Scalars m_scalars;
};

} // namespace

std::unique_ptr<Optimizer> createLbfgs(const OptimizerSettings& settings, ParameterLayout layout, int threads)
{
    return std::make_unique<Lbfgs>(settings, std::move(layout), threads);
}

} // namespace millrace::train
