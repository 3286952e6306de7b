// The nodes that train. What optimizers and schedules take, and from where they start, comes from their tables.
#include "engine/pipeline/node_types.h"
#include "engine/pipeline/optimizer_types.h"
#include "engine/pipeline/schedule_types.h"
#include "kernels/base/text.h"

namespace millrace::pipeline {

namespace {
/// What the two trainers call and count differently.
struct Trainer
{
    bool language = false; ///< counts steps instead of epochs
    std::string unit() const { return language ? "steps" : "epochs"; }
};

Json valueFor(const ParamSpec& spec, double value)
{
    if (spec.kind == ParamKind::Boolean) return value != 0;
    if (spec.kind == ParamKind::Integer) return static_cast<std::int64_t>(value);
    return value;
}

// A parameter of the rows of a table: counts where the row chosen in `chooser` takes it, with that row's default.
template <class Row> ParamSpec ofTable(ParamSpec spec, std::string chooser, const std::vector<Row>& rows)
{
    DefaultsBy defaults{chooser, {}};
    AppliesWhen applies{std::move(chooser), {}};
    for (const Row& row : rows) {
        for (const auto& [id, value] : row.parameters) {
            if (id != spec.id) continue;
            if (const Json own = valueFor(spec, value); own != spec.defaultValue)
                defaults.values[std::string(row.id)] = own;
            applies.values.emplace_back(row.id);
        }
    }
    if (!defaults.values.empty()) spec.defaultsBy = std::move(defaults);
    if (applies.values.size() < rows.size()) spec.appliesWhen = std::move(applies);
    return spec;
}

ParamSpec ofOptimizer(ParamSpec spec)
{
    return ofTable(std::move(spec), "optimizer", optimizerTypes());
}

ParamSpec ofSchedule(ParamSpec spec)
{
    return ofTable(std::move(spec), "schedule", scheduleTypes());
}

template <class Row> std::string helpOf(std::string begin, const std::vector<Row>& rows)
{
    for (const Row& row : rows) begin += str(" ", row.id, ": ", row.help);
    return begin;
}

ParamSpec optimizerChoice(const Trainer& trainer)
{
    std::vector<OptimizerType> offered;
    std::vector<std::string> ids;
    for (const OptimizerType& row : optimizerTypes()) {
        if (trainer.language && row.fullBatch) continue; // a text has no end that one step could look at
        offered.push_back(row);
        ids.emplace_back(row.id);
    }
    return choiceParam("optimizer", "Optimizer", helpOf("How weights follow their gradients.", offered), ids, ids[0]);
}

ParamSpec scheduleChoice()
{
    std::vector<std::string> ids;
    for (const ScheduleType& row : scheduleTypes()) ids.emplace_back(row.id);
    return choiceParam("schedule", "Schedule", helpOf("How the learning rate changes.", scheduleTypes()), ids,
                       "cosine");
}

std::vector<ParamSpec> optimizerParams(const Trainer& trainer)
{
    return {
        optimizerChoice(trainer),
        ofOptimizer(numberParam("learning_rate", "Learning rate", "Size of the optimizer's steps, before the schedule.",
                                0.001, 1e-8, 10)),
        ofOptimizer(numberParam("weight_decay", "Weight decay",
                                "How strongly weights are pulled towards zero; 0: not at all.", 0.01, 0, 10)),
        scheduleChoice(),
        numberParam("warmup", "Warm-up", "The learning rate rises linearly from zero for so long.",
                    trainer.language ? 100 : 0, 0, trainer.language ? 1e6 : 1e4, trainer.unit()),
    };
}

std::vector<ParamSpec> moreOfOptimizers()
{
    return {
        ofOptimizer(numberParam("momentum", "Momentum", "Part of the last step that is kept.", 0.9, 0, 0.9999)),
        ofOptimizer(booleanParam("nesterov", "Nesterov", "Takes the gradient where the momentum leads to.", false)),
        ofOptimizer(
            numberParam("beta1", "Beta 1", "Part of the running mean of the gradient that is kept.", 0.9, 0, 0.99999)),
        ofOptimizer(
            numberParam("beta2", "Beta 2", "Part of the running mean of its square that is kept.", 0.999, 0, 0.99999)),
        ofOptimizer(numberParam("rho", "Rho", "Part of the running mean of the squared gradient that is kept.", 0.9, 0,
                                0.99999)),
        ofOptimizer(numberParam("epsilon", "Epsilon", "Keeps the division away from zero.", 1e-8, 1e-16, 1)),
    };
}

std::vector<ParamSpec> moreOfSchedules(const Trainer& trainer)
{
    const std::string length = trainer.language ? "step_length" : "step_epochs";
    const std::string evaluations = trainer.language ? "evaluations" : "epochs";
    return {
        ofSchedule(integerParam(length, "Step length", str("How many ", trainer.unit(), " the step factor counts for."),
                                trainer.language ? 1000 : 10, 1, trainer.language ? 1e9 : 1e4, trainer.unit())),
        ofSchedule(
            numberParam("step_factor", "Step factor", "What the schedule multiplies the rate with.", 0.1, 1e-6, 1)),
        ofSchedule(numberParam("decay_power", "Decay power", "Power of the polynomial schedule; 1: a straight line.", 1,
                               0.1, 10)),
        ofSchedule(numberParam("final_rate", "Final rate", "The learning rate that the schedule ends with.", 0, 0, 10)),
        ofSchedule(integerParam("patience", "Patience",
                                str("How many ", evaluations, " without a better loss the schedule waits."), 10, 1,
                                10000, evaluations)),
    };
}

std::vector<ParamSpec> lossParams(const Trainer& trainer)
{
    ParamSpec smoothing =
        numberParam("label_smoothing", "Label smoothing",
                    "Part of each answer that is spread over all classes; for cross-entropy.", 0, 0, 0.9);
    if (trainer.language) return {smoothing};
    smoothing.appliesWhen = AppliesWhen{"loss", {"auto", "cross_entropy"}};
    ParamSpec weights = choiceParam("class_weights", "Class weights",
                                    "none: every row counts alike. balanced: rows of rare classes count more, so that "
                                    "every class counts alike.",
                                    {"none", "balanced"}, "none");
    weights.appliesWhen = smoothing.appliesWhen;
    return {choiceParam("loss", "Loss",
                        "What training makes small. auto: cross_entropy for classes, mse for a number. "
                        "binary_cross_entropy: of each class by itself, for classes. mse: the mean squared error. mae: "
                        "the mean absolute error. huber: squared up to 1, absolute beyond. For classes these three "
                        "compare with 1 for the right one and 0 for the others.",
                        {"auto", "cross_entropy", "binary_cross_entropy", "mse", "mae", "huber"}, "auto"),
            smoothing, weights};
}

std::vector<ParamSpec> stepParams(const Trainer& trainer)
{
    ParamSpec rounding =
        choiceParam("rounding", "Rounding",
                    "How a GPU rounds the weights to 16 bits: to the nearest, or up and down by chance "
                    "so that the mean is right.",
                    {"nearest", "stochastic"}, "nearest");
    rounding.appliesWhen = AppliesWhen{"precision", {"bf16", "f16"}};
    return {
        numberParam("clip_norm", "Clip gradients",
                    "The longest gradient (Euclidean norm over all weights) that is let through; 0: any.",
                    trainer.language ? 1 : 0, 0, 1e6),
        numberParam("clip_value", "Clip values", "The largest size of a single number of the gradient; 0: any.", 0, 0,
                    1e6),
        numberParam(
            "average", "Weight averaging",
            "Keeps a running mean of the weights, of which so large a part is kept at each step, and gives that "
            "as the model, such as 0.999; 0: off.",
            0, 0, 0.99999),
        integerParam("gradient_accumulation", "Gradient accumulation",
                     "Divides each batch into so many parts, which must be of one size, and adds up their gradients: "
                     "the same step in less memory. Batch norm sees the parts.",
                     1, 1, 4096, "parts"),
        choiceParam("precision", "Precision",
                    "f32: 32-bit numbers. tf32: on a GPU, products of factors rounded to 19 bits. bf16: products of "
                    "16-bit numbers, added up in 32 bits; on a GPU all that a step computes is kept in 16 bits, but "
                    "the weights have 32. f16: the same on a GPU with finer and fewer numbers; the loss is scaled so "
                    "that gradients fit.",
                    {"f32", "tf32", "bf16", "f16"}, "f32"),
        rounding,
        choiceParam("recompute", "Recompute",
                    "none: keeps all that the gradients need. blocks: keeps what goes in and out of each block and "
                    "computes the rest once more; less memory, about a third more time.",
                    {"none", "blocks"}, "none"),
    };
}

void append(std::vector<ParamSpec>& params, std::vector<ParamSpec> more, bool asAdvanced = true)
{
    for (ParamSpec& param : more) params.push_back(asAdvanced ? advanced(std::move(param)) : std::move(param));
}

void appendMore(std::vector<ParamSpec>& params, const Trainer& trainer)
{
    append(params, moreOfOptimizers());
    append(params, moreOfSchedules(trainer));
    append(params, lossParams(trainer));
    append(params, stepParams(trainer));
}

NodeSpec supervised()
{
    const Trainer trainer;
    NodeSpec spec =
        nodeType("train.supervised", "Train", "Train",
                 "Fits the model to the training rows, epoch by epoch, and measures it on the validation rows.");
    spec.formula = "minimises cross-entropy for classes, the mean squared error for a number";
    spec.source = "Optimizers and schedules name their own; Szegedy et al. 2016, arXiv:1512.00567 (label smoothing); "
                  "Goyal et al. 2017, arXiv:1706.02677 (warm-up).";
    spec.codeVersion = 2; // 2: weights start as PyTorch's
    spec.inputs = {rowsPort("train", "Train"), rowsPort("validation", "Validation", false), modelPort()};
    spec.outputs = {modelPort(), metricsPort()};
    spec.params = {
        integerParam("epochs", "Epochs", "How often training goes through all training rows.", 10, 1, 10000, "epochs"),
        integerParam("batch_size", "Batch size", "How many rows one step of the optimizer looks at.", 32, 1, 65536,
                     "rows"),
    };
    append(spec.params, optimizerParams(trainer), false);
    spec.params.push_back(
        seedParam("Decides initial weights, order of the rows and dropout; the same seed gives the same bits."));
    spec.params.push_back(integerParam("early_stopping", "Early stopping",
                                       "Stops when the validation loss has not fallen for so many epochs; 0: never.", 0,
                                       0, 10000, "epochs"));
    appendMore(spec.params, trainer);
    return spec;
}

NodeSpec language()
{
    const Trainer trainer{true};
    NodeSpec spec = nodeType("train.language", "Train language", "Train",
                             "Fits the model to predict each token of a text from those before it, step by step, and "
                             "measures it on the end of the text, which is held out.");
    spec.formula = "minimises −log p(token | those before it within the context), the mean over all tokens";
    spec.source = "Radford et al. 2019, Language Models are Unsupervised Multitask Learners.";
    spec.inputs = {tokensPort("tokens", "Tokens"), modelPort()};
    spec.outputs = {modelPort(), metricsPort()};
    spec.params = {
        integerParam("steps", "Steps", "How many steps the optimizer takes.", 2000, 1, 1e9, "steps"),
        integerParam("context", "Context",
                     "How many tokens the model sees at once while training; at most the model's own context.", 256, 1,
                     65536, "tokens"),
        integerParam("batch_size", "Batch size", "How many pieces of text one step looks at.", 16, 1, 65536, "pieces"),
    };
    append(spec.params, optimizerParams(trainer), false);
    spec.params.push_back(
        seedParam("Decides initial weights, the pieces of text and dropout; the same seed gives the same bits."));
    spec.params.push_back(
        numberParam("validation", "Held out", "Part of the text, at its end, that is only measured on.", 0.1, 0, 0.9));
    spec.params.push_back(integerParam("evaluate_every", "Measure every",
                                       "How many steps lie between two measurements on the text held out.", 200, 1, 1e9,
                                       "steps"));
    appendMore(spec.params, trainer);
    return spec;
}
} // namespace

std::vector<NodeSpec> trainingTypes()
{
    return {supervised(), language()};
}

} // namespace millrace::pipeline
