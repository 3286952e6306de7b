#include "engine/train/optimizer.h"

#include "kernels/base/text.h"
#include "kernels/cpu/optimizer.h"

namespace millrace::train {

namespace {

class Sgd : public Optimizer
{
public:
    explicit Sgd(OptimizerSettings settings) : m_settings(std::move(settings)), m_velocity(m_settings.size) {}
    void update(std::span<float> parameters, std::span<const float> gradients, double learningRate,
                std::int64_t) override
    {
        kernels::cpu::sgd({learningRate, m_settings.momentum, m_settings.weightDecay}, m_settings.segments, parameters,
                          gradients, m_velocity, m_settings.threads);
    }
    std::map<std::string, std::span<float>> state() override { return {{"velocity", m_velocity}}; }

private:
    OptimizerSettings m_settings;
    std::vector<float> m_velocity;
};

class Adam : public Optimizer
{
public:
    Adam(OptimizerSettings settings, bool decoupled)
        : m_settings(std::move(settings)), m_decoupled(decoupled), m_first(m_settings.size), m_second(m_settings.size)
    {
    }
    void update(std::span<float> parameters, std::span<const float> gradients, double learningRate,
                std::int64_t step) override
    {
        kernels::Adam options;
        options.learningRate = learningRate;
        options.weightDecay = m_settings.weightDecay;
        options.decoupled = m_decoupled;
        options.step = step;
        kernels::cpu::adam(options, m_settings.segments, parameters, gradients, m_first, m_second, m_settings.threads);
    }
    std::map<std::string, std::span<float>> state() override
    {
        return {{"first_moment", m_first}, {"second_moment", m_second}};
    }

private:
    OptimizerSettings m_settings;
    bool m_decoupled;
    std::vector<float> m_first, m_second;
};

} // namespace

Result<std::unique_ptr<Optimizer>> createOptimizer(std::string_view name, OptimizerSettings settings)
{
    if (name == "sgd") return std::make_unique<Sgd>(std::move(settings));
    if (name == "adam" || name == "adamw") return std::make_unique<Adam>(std::move(settings), name == "adamw");
    return makeError(Code::NotFound, str("There is no optimizer \"", printable(name), "\"."))
        .advise(didYouMean(name, {"sgd", "adam", "adamw"}));
}

} // namespace millrace::train
