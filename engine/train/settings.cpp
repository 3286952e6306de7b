#include "engine/train/settings.h"

#include "engine/pipeline/optimizer_types.h"
#include "kernels/base/text.h"

namespace millrace::train {

bool isFullBatch(const OptimizerSettings& optimizer)
{
    const pipeline::OptimizerType* row = pipeline::findOptimizer(optimizer.id);
    return row && row->fullBatch;
}

execute::Place StepSettings::place() const
{
    const DType storage = precision == "bf16" ? DType::BF16 : precision == "f16" ? DType::F16 : DType::F32;
    return {.threads = threads, .device = device, .storage = device ? storage : DType::F32};
}

Result<NodeValues> NodeValues::create(const pipeline::Node& node, const pipeline::NodeSpec& spec)
{
    for (const pipeline::ParamSpec& param : spec.params)
        if (auto valid = checkParam(param, paramValue(node, spec, param.id)); !valid)
            return std::move(valid).error().atNode(node.id, param.id);
    return NodeValues(node, spec);
}

std::int64_t NodeValues::integer(std::string_view id) const
{
    return pipeline::paramValue(*m_node, *m_spec, id).get<std::int64_t>();
}

double NodeValues::number(std::string_view id) const
{
    return pipeline::paramValue(*m_node, *m_spec, id).get<double>();
}

bool NodeValues::boolean(std::string_view id) const
{
    return pipeline::paramValue(*m_node, *m_spec, id).get<bool>();
}

std::string NodeValues::text(std::string_view id) const
{
    return pipeline::paramValue(*m_node, *m_spec, id).get<std::string>();
}

StepSettings stepSettings(const NodeValues& values, int threads)
{
    StepSettings settings;
    settings.optimizer = {values.text("optimizer"), values.number("weight_decay"), values.number("momentum"),
                          values.number("beta1"),   values.number("beta2"),        values.number("rho"),
                          values.number("epsilon"), values.boolean("nesterov")};
    settings.seed = static_cast<std::uint64_t>(values.integer("seed"));
    settings.clipNorm = values.number("clip_norm");
    settings.clipValue = values.number("clip_value");
    settings.average = values.number("average");
    settings.accumulation = values.integer("gradient_accumulation");
    settings.labelSmoothing = values.number("label_smoothing");
    settings.precision = values.text("precision");
    settings.stochasticRounding = values.text("rounding") == "stochastic";
    settings.recompute = values.text("recompute");
    settings.threads = threads;
    return settings;
}

Schedule scheduleOf(const NodeValues& values)
{
    Schedule schedule;
    schedule.id = values.text("schedule");
    schedule.base = values.number("learning_rate");
    schedule.factor = values.number("step_factor");
    schedule.power = values.number("decay_power");
    schedule.finalRate = values.number("final_rate");
    schedule.patience = values.integer("patience");
    return schedule;
}

Result<std::int64_t> microBatch(std::int64_t batchSize, std::int64_t accumulation)
{
    if (accumulation < 1 || batchSize % accumulation != 0)
        return makeError(Code::InvalidArgument, str("A batch of ", batchSize, " cannot be divided into ", accumulation,
                                                    " parts of one size for gradient_accumulation."))
            .advise("Choose a batch_size that is a multiple of gradient_accumulation.");
    return batchSize / accumulation;
}

} // namespace millrace::train
