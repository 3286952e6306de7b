#include "engine/train/optimizer.h"

#include "engine/pipeline/optimizer_types.h"
#include "kernels/base/text.h"
#include "kernels/cpu/optimizer.h"

#include <algorithm>
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

    std::map<std::string, std::span<float>> vectors() override
    {
        std::map<std::string, std::span<float>> all;
        for (std::size_t i = 0; i < m_state.size(); ++i) all[std::string(Options::kState[i])] = m_spans[i];
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

using Settings = const OptimizerSettings&;
using namespace kernels;

struct RuleRow
{
    std::string_view id;
    UpdateRule (*rule)(Settings);
};

constexpr std::array<RuleRow, 10> kRules{{
    {"sgd",
     [](Settings s) -> UpdateRule {
         return Sgd{.momentum = s.momentum, .weightDecay = s.weightDecay, .nesterov = s.nesterov};
     }},
    {"adam",
     [](Settings s) -> UpdateRule {
         return Adam{.beta1 = s.beta1, .beta2 = s.beta2, .epsilon = s.epsilon, .weightDecay = s.weightDecay};
     }},
    {"adamw",
     [](Settings s) -> UpdateRule {
         return Adam{
             .beta1 = s.beta1, .beta2 = s.beta2, .epsilon = s.epsilon, .weightDecay = s.weightDecay, .decoupled = true};
     }},
    {"nadam",
     [](Settings s) -> UpdateRule {
         return Nadam{.beta1 = s.beta1, .beta2 = s.beta2, .epsilon = s.epsilon, .weightDecay = s.weightDecay};
     }},
    {"rmsprop",
     [](Settings s) -> UpdateRule {
         return RmsProp{.rho = s.rho, .momentum = s.momentum, .epsilon = s.epsilon, .weightDecay = s.weightDecay};
     }},
    {"adagrad", [](Settings s) -> UpdateRule { return Adagrad{.epsilon = s.epsilon, .weightDecay = s.weightDecay}; }},
    {"adadelta",
     [](Settings s) -> UpdateRule {
         return Adadelta{.rho = s.rho, .epsilon = s.epsilon, .weightDecay = s.weightDecay};
     }},
    {"lamb",
     [](Settings s) -> UpdateRule {
         return Lamb{.beta1 = s.beta1, .beta2 = s.beta2, .epsilon = s.epsilon, .weightDecay = s.weightDecay};
     }},
    {"lion",
     [](Settings s) -> UpdateRule { return Lion{.beta1 = s.beta1, .beta2 = s.beta2, .weightDecay = s.weightDecay}; }},
    {"muon",
     [](Settings s) -> UpdateRule {
         return Muon{.momentum = s.momentum,
                     .weightDecay = s.weightDecay,
                     .nesterov = s.nesterov,
                     .beta1 = s.beta1,
                     .beta2 = s.beta2,
                     .epsilon = s.epsilon};
     }},
}};

struct LineSearchRow
{
    std::string_view id;
    Result<std::unique_ptr<Optimizer>> (*create)(Settings, ParameterLayout, std::unique_ptr<Vectors>);
};

constexpr std::array<LineSearchRow, 2> kLineSearches{{{"lbfgs", createLbfgs}, {"cg", createConjugateGradients}}};

/// Null where there is none of that id.
const LineSearchRow* lineSearch(std::string_view id)
{
    const auto found = std::ranges::find(kLineSearches, id, &LineSearchRow::id);
    return found == kLineSearches.end() ? nullptr : &*found;
}

Error unknown(std::string_view id)
{
    std::vector<std::string_view> known;
    for (const RuleRow& row : kRules) known.push_back(row.id);
    for (const LineSearchRow& row : kLineSearches) known.push_back(row.id);
    return makeError(Code::NotFound, str("There is no optimizer \"", printable(id), "\"."))
        .advise(didYouMean(id, {known.begin(), known.end()}));
}

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

Result<UpdateRule> updateRule(const OptimizerSettings& settings)
{
    for (const RuleRow& row : kRules)
        if (row.id == settings.id) return row.rule(settings);
    if (lineSearch(settings.id))
        return makeError(Code::Unsupported, str("The optimizer \"", settings.id,
                                                "\" searches along a line: it has no "
                                                "rule by which one gradient moves the weights."));
    return unknown(settings.id);
}

std::span<const std::string_view> stateNames(const UpdateRule& rule)
{
    return std::visit(
        [](const auto& options) { return std::span<const std::string_view>(std::decay_t<decltype(options)>::kState); },
        rule);
}

Result<std::unique_ptr<Optimizer>> createOptimizer(const OptimizerSettings& settings, ParameterLayout layout,
                                                   int threads)
{
    if (lineSearch(settings.id)) return createLineSearch(settings, std::move(layout), hostVectors(threads));
    MR_TRY(const UpdateRule rule, updateRule(settings));
    return std::visit(
        [&](const auto& options) {
            using Options = std::decay_t<decltype(options)>;
            return std::unique_ptr<Optimizer>(
                std::make_unique<OneGradient<Options>>(options, std::move(layout), threads));
        },
        rule);
}

Result<std::unique_ptr<Optimizer>> createLineSearch(const OptimizerSettings& settings, ParameterLayout layout,
                                                    std::unique_ptr<Vectors> vectors)
{
    const LineSearchRow* row = lineSearch(settings.id);
    if (!row) return unknown(settings.id);
    return row->create(settings, std::move(layout), std::move(vectors));
}

} // namespace millrace::train
