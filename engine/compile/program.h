// From a graph to a program: what the executor runs, with every byte of its memory planned.
#pragma once

#include "engine/graph/graph.h"

#include <cstdint>
#include <optional>
#include <vector>

namespace millrace::compile {

enum class Loss { CrossEntropy, MeanSquaredError };

/// Adds loss and backward operations to a forward graph (a graph transformation by each operation's gradient rule).
/// New ports: "labels" (B) i32 or "targets" (B,1) f32, "loss" (1) mean over the batch, "correct" (1) for CrossEntropy;
/// parameter p's gradient is port "gradient/<p>". Errors: Unsupported naming an operation without a gradient.
Result<graph::Graph> withGradients(graph::Graph forward, Loss loss);
/// Adds the loss alone, for evaluation.
Result<graph::Graph> withLoss(graph::Graph forward, Loss loss);

enum class Mode { Training, Inference }; ///< dropout and batch norm differ

/// Where a tensor lives in its arena, in bytes from the start; 64-byte aligned.
struct Placement
{
    enum class Arena { Parameters, Gradients, States, Work } arena = Arena::Work;
    std::uint64_t offset = 0, sizeBytes = 0;
};

/// Invariant: two tensors of the Work arena overlap only if no operation between the first's first use and the last's
/// last use touches both. Parameters and gradients lie in the same order at the same offsets, so that an optimiser is
/// one loop over a flat buffer.
struct Program
{
    graph::Graph graph;
    Mode mode = Mode::Training;
    std::vector<Placement> placements; ///< by TensorId
    std::uint64_t parameterBytes = 0, gradientBytes = 0, stateBytes = 0, workBytes = 0;
};

/// Lifetimes, in-place where the operation's contract allows it, best-fit placement.
Result<Program> plan(graph::Graph graph, Mode mode);

} // namespace millrace::compile
