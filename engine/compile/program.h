// From a graph to a program: what the executor runs, with every byte of its memory planned.
#pragma once

#include "engine/graph/graph.h"

#include <cstdint>
#include <vector>

namespace millrace::compile {

enum class Loss
{
    CrossEntropy,
    MeanSquaredError
};

/// Adds loss and backward operations to a forward graph (a graph transformation by each operation's gradient rule).
/// New ports: "labels" (B) i32 or "targets" f32 of the output's shape, "loss" (1) f32 mean over the batch (of all
/// elements for MeanSquaredError), "correct" (1) f32 rows hit, for CrossEntropy; parameter p's gradient is port
/// "gradient/<p>" (none where the loss does not depend on p). Errors: NotFound without a port "output"; InvalidArgument
/// where it does not fit the loss; Unsupported naming an operation without a gradient.
Result<graph::Graph> withGradients(graph::Graph forward, Loss loss);
/// Adds the loss alone, for evaluation.
Result<graph::Graph> withLoss(graph::Graph forward, Loss loss);

enum class Mode
{
    Training,
    Inference
}; ///< dropout and batch norm differ

/// Where a tensor lives in its arena, in bytes from the start; 64-byte aligned.
struct Placement
{
    enum class Arena
    {
        Parameters,
        Gradients,
        States,
        Work
    } arena = Arena::Work;
    std::uint64_t offset = 0, sizeBytes = 0;
};

/// Invariants
/// 1. Whenever an operation reads a tensor, its memory holds what was last written to that tensor, or to another tensor
///    of which it is a view. Two tensors overlap only where their lifetimes do not, or where an operation's contract
///    lets its output be a view of its input or overwrite it.
/// 2. Inputs and the tensors behind ports keep their memory to the end: an input that is written once serves many runs,
///    and ports are read after a run.
/// 3. Parameters and gradients lie in the same order at the same offsets, so that an optimiser is one loop over a flat
///    buffer. Parameters and states of two programs of one forward graph lie at the same offsets.
struct Program
{
    graph::Graph graph;
    Mode mode = Mode::Training;
    std::vector<Placement> placements; ///< by TensorId
    std::uint64_t parameterBytes = 0, gradientBytes = 0, stateBytes = 0, workBytes = 0;

    /// What a run of the program needs in all, but for the kernels' scratch and the optimiser's moments.
    std::uint64_t peakBytes() const { return parameterBytes + gradientBytes + stateBytes + workBytes; }
};

/// Lifetimes, in-place where the operation's contract allows it, best-fit placement.
/// Errors: InvalidArgument for a graph with gradients in Mode::Inference; TooLarge naming the tensor.
Result<Program> plan(graph::Graph graph, Mode mode);

} // namespace millrace::compile
