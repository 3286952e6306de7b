#include "engine/train/optimizer.h"

#include "engine/pipeline/optimizer_types.h"
#include "kernels/base/text.h"
#include "kernels/cpu/optimizer.h"

#include <array>

namespace millrace::train {

namespace {

/// An optimiser that looks at one gradient: its contract's options, and the states that the contract names.
template <class Options> class OneGradient : public Optimizer
{
public:
    OneGradient(Options options, ParameterLayout layout, int threads)
        : m_options(options), m_layout(std::move(layout)), m_threads(threads)
    {
        for (std::size_t i = 0; i < m_state.size(); ++i) {
            m_state[i].resize(m_layout.size);
            m_spans[i] = m_state[i];
        }
        if constexpr (std::is_same_v<Options, kernels::Muon>)
            m_scratch.resize(kernels::cpu::muonScratch(m_layout.segments));
    }

    Status step(Objective& objective, double learningRate, std::int64_t step) override
    {
        MR_CHECK(objective.evaluate());
        m_options.learningRate = learningRate;
        if constexpr (requires { m_options.step; }) m_options.step = step;
        kernels::cpu::update(m_options, {m_layout.segments, objective.parameters(), objective.gradients(), m_spans,
                                         m_scratch, m_threads});
        return {};
    }

    std::map<std::string, std::span<std::byte>> state() override
    {
        std::map<std::string, std::span<std::byte>> all;
        for (std::size_t i = 0; i < m_state.size(); ++i)
            all[std::string(Options::kState[i])] = std::as_writable_bytes(m_spans[i]);
        return all;
    }

private:
    Options m_options;
    ParameterLayout m_layout;
    int m_threads;
    std::array<std::vector<float>, Options::kState.size()> m_state;
    std::array<std::span<float>, Options::kState.size()> m_spans;
    std::vector<float> m_scratch;
};

template <class Options> std::unique_ptr<Optimizer> make(Options options, ParameterLayout layout, int threads)
{
    return std::make_unique<OneGradient<Options>>(options, std::move(layout), threads);
}

struct Row
{
    std::string_view id;
    std::unique_ptr<Optimizer> (*create)(const OptimizerSettings&, ParameterLayout, int threads);
};

using Settings = const OptimizerSettings&;
using namespace kernels;

constexpr std::array<Row, 12> kRows{{
    {"sgd",
     [](Settings s, ParameterLayout layout, int threads) {
         return make(Sgd{.momentum = s.momentum, .weightDecay = s.weightDecay, .nesterov = s.nesterov},
                     std::move(layout), threads);
     }},
    {"adam",
     [](Settings s, ParameterLayout layout, int threads) {
         return make(Adam{.beta1 = s.beta1, .beta2 = s.beta2, .epsilon = s.epsilon, .weightDecay = s.weightDecay},
                     std::move(layout), threads);
     }},
    {"adamw",
     [](Settings s, ParameterLayout layout, int threads) {
         return make(Adam{.beta1 = s.beta1,
                          .beta2 = s.beta2,
                          .epsilon = s.epsilon,
                          .weightDecay = s.weightDecay,
                          .decoupled = true},
                     std::move(layout), threads);
     }},
    {"nadam",
     [](Settings s, ParameterLayout layout, int threads) {
         return make(Nadam{.beta1 = s.beta1, .beta2 = s.beta2, .epsilon = s.epsilon, .weightDecay = s.weightDecay},
                     std::move(layout), threads);
     }},
    {"rmsprop",
     [](Settings s, ParameterLayout layout, int threads) {
         return make(RmsProp{.rho = s.rho, .momentum = s.momentum, .epsilon = s.epsilon, .weightDecay = s.weightDecay},
                     std::move(layout), threads);
     }},
    {"adagrad",
     [](Settings s, ParameterLayout layout, int threads) {
         return make(Adagrad{.epsilon = s.epsilon, .weightDecay = s.weightDecay}, std::move(layout), threads);
     }},
    {"adadelta",
     [](Settings s, ParameterLayout layout, int threads) {
         return make(Adadelta{.rho = s.rho, .epsilon = s.epsilon, .weightDecay = s.weightDecay}, std::move(layout),
                     threads);
     }},
    {"lamb",
     [](Settings s, ParameterLayout layout, int threads) {
         return make(Lamb{.beta1 = s.beta1, .beta2 = s.beta2, .epsilon = s.epsilon, .weightDecay = s.weightDecay},
                     std::move(layout), threads);
     }},
    {"lion",
     [](Settings s, ParameterLayout layout, int threads) {
         return make(Lion{.beta1 = s.beta1, .beta2 = s.beta2, .weightDecay = s.weightDecay}, std::move(layout),
                     threads);
     }},
    {"muon",
     [](Settings s, ParameterLayout layout, int threads) {
         return make(Muon{.momentum = s.momentum,
                          .weightDecay = s.weightDecay,
                          .nesterov = s.nesterov,
                          .beta1 = s.beta1,
                          .beta2 = s.beta2,
                          .epsilon = s.epsilon},
                     std::move(layout), threads);
     }},
    {"lbfgs", createLbfgs},
    {"cg", createConjugateGradients},
}};

} // namespace

OptimizerSettings OptimizerSettings::of(std::string_view id)
{
    OptimizerSettings settings;
    settings.id = id;
    const pipeline::OptimizerType* row = pipeline::findOptimizer(id);
    if (!row) return settings;
    for (const auto& [name, value] : row->parameters) {
        if (name == "weight_decay") settings.weightDecay = value;
        if (name == "momentum") settings.momentum = value;
        if (name == "nesterov") settings.nesterov = value != 0;
        if (name == "beta1") settings.beta1 = value;
        if (name == "beta2") settings.beta2 = value;
        if (name == "rho") settings.rho = value;
        if (name == "epsilon") settings.epsilon = value;
    }
    return settings;
}

Result<std::unique_ptr<Optimizer>> createOptimizer(const OptimizerSettings& settings, ParameterLayout layout,
                                                   int threads)
{
    std::vector<std::string_view> known;
    for (const Row& row : kRows) {
        if (row.id == settings.id) return row.create(settings, std::move(layout), threads);
        known.push_back(row.id);
    }
    return makeError(Code::NotFound, str("There is no optimizer \"", printable(settings.id), "\"."))
        .advise(didYouMean(settings.id, {known.begin(), known.end()}));
}

} // namespace millrace::train
