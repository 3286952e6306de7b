// What supervised and language training share of their settings, and how it is read from a training node.
#pragma once

#include "engine/execute/place.h"
#include "engine/pipeline/catalogue.h"
#include "engine/train/optimizer.h"
#include "engine/train/ranks.h"
#include "engine/train/schedule.h"

#include <cstdint>
#include <string>

namespace millrace::train {

/// How one step is made.
struct StepSettings
{
    OptimizerSettings optimizer = OptimizerSettings::of("adamw");
    std::uint64_t seed = 1;
    double clipNorm = 0;  ///< largest norm of the whole gradient; 0: any. Not applied by optimisers with a line search
    double clipValue = 0; ///< largest size of one number of it; 0: any
    double average = 0;   ///< part of the moving average of the weights that a step keeps; 0: none
    std::int64_t accumulation = 1; ///< micro-batches that a batch is divided into
    double labelSmoothing = 0;
    /// f32, tf32 (products may round their factors), bf16, f16. On the CPU bf16 rounds the factors of products; on a
    /// GPU bf16 and f16 are what activations are stored in.
    std::string precision = "f32";
    bool stochasticRounding = false;                   ///< of the stored parameters on a GPU; else to the nearest
    std::string recompute = "none";                    ///< or blocks
    int threads = 0;                                   ///< 0: as many as the processor has
    std::shared_ptr<kernels::Device> device = nullptr; ///< shared with whoever evaluates; null: the CPU
    Ranks ranks;                                       ///< that make each step together, on rows of their own

    execute::Place place() const;
};

/// Whether the optimiser looks at all rows in each step.
bool isFullBatch(const OptimizerSettings& optimizer);

/// Values of a node's parameters, the catalogue's defaults filled in.
class NodeValues
{
public:
    /// Errors: InvalidArgument at node and parameter.
    static Result<NodeValues> create(const pipeline::Node& node, const pipeline::NodeSpec& spec);
    std::int64_t integer(std::string_view id) const;
    double number(std::string_view id) const;
    bool boolean(std::string_view id) const;
    std::string text(std::string_view id) const;

private:
    NodeValues(const pipeline::Node& node, const pipeline::NodeSpec& spec) : m_node(&node), m_spec(&spec) {}
    const pipeline::Node* m_node;
    const pipeline::NodeSpec* m_spec;
};

StepSettings stepSettings(const NodeValues& values, int threads);
/// The schedule but for what counts steps: warmup, totalSteps and length.
Schedule scheduleOf(const NodeValues& values);

/// Rows of a micro-batch. Errors: InvalidArgument at the parameter where the batch cannot be divided so.
Result<std::int64_t> microBatch(std::int64_t batchSize, std::int64_t accumulation);

} // namespace millrace::train
