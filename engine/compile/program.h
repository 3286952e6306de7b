// From a graph to a program: what the executor runs, with every byte of its memory planned.
#pragma once

#include "engine/graph/graph.h"

#include <cstdint>
#include <vector>

namespace millrace::compile {

/// What they compute stands in kernels/ops/.
enum class Loss
{
    CrossEntropy,
    BinaryCrossEntropy,
    MeanSquaredError,
    MeanAbsoluteError,
    Huber,
    KullbackLeibler ///< from a teacher's logits
};

/// What some losses have of their own; each reads what its kind of operation has as an attribute.
struct LossOptions
{
    double labelSmoothing = 0;       ///< CrossEntropy
    std::int64_t ignoreIndex = -100; ///< CrossEntropy: rows with this label count nowhere
    std::vector<float> classWeights; ///< CrossEntropy: one a class; empty: all alike
    double huberDelta = 1;           ///< Huber
    double temperature = 1;          ///< KullbackLeibler
};

/// Adds loss and backward operations to a forward graph (a graph transformation by each operation's gradient rule).
/// New ports: "labels" (B), or (B,T) for logits (B,T,V), i32, for CrossEntropy; else "targets" f32 of the output's
/// shape (the teacher's logits for KullbackLeibler); "class_weights" (C) f32 where there are class weights: an input
/// like the others, into which the caller writes LossOptions::classWeights once before the first run (the graph holds
/// no numbers); "loss" (1) f32 mean over rows or elements; "correct" (1) f32 hits, for the two cross-entropies;
/// parameter p's gradient is port "gradient/<p>" (none where the loss does not depend on p). The port "output" is taken
/// away: the loss's gradient may take the output's memory. Errors: NotFound without a port "output"; InvalidArgument
/// where it, or a class weight's count, does not fit the loss; Unsupported naming an operation without a gradient.
Result<graph::Graph> withGradients(graph::Graph forward, Loss loss, const LossOptions& options = {});
/// Adds the loss alone, for evaluation; the port "output" stays.
Result<graph::Graph> withLoss(graph::Graph forward, Loss loss, const LossOptions& options = {});

/// A graph with gradients that keeps less: of each block of layers (those with a common "block." before their names)
/// only what other layers read is kept for the gradients, the rest is computed again just before them. The results stay
/// the same to the bit. Tensors keep their roles and ports, parameters and states their order.
/// Source    Chen, Xu, Zhang, Guestrin 2016, arXiv:1604.06174.
Result<graph::Graph> withRecompute(const graph::Graph& graph);

enum class Mode
{
    Training,
    Inference
}; ///< dropout and batch norm differ

/// Where a tensor lives in its arena, in bytes from the start; 64-byte aligned, mirrors 32-byte.
struct Placement
{
    enum class Arena
    {
        Parameters,
        Gradients,
        States,
        Work,
        Mirror
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
/// 4. A mirror lies as many elements from its arena's start as its parameter does from that of its own, so that the
///    same loop writes both. The mirror's arena has room for every parameter, read in the storage type or not.
struct Program
{
    graph::Graph graph;
    Mode mode = Mode::Training;
    std::vector<Placement> placements; ///< by TensorId
    std::uint64_t parameterBytes = 0, gradientBytes = 0, stateBytes = 0, workBytes = 0;
    std::uint64_t mirrorBytes = 0; ///< 0 in a program without storage types

    /// What a run of the program needs in all, but for the kernels' scratch and the optimiser's moments.
    std::uint64_t peakBytes() const { return parameterBytes + mirrorBytes + gradientBytes + stateBytes + workBytes; }
};

/// Lifetimes, in-place where the operation's contract allows it, best-fit placement.
/// Errors: InvalidArgument for a graph with gradients in Mode::Inference; TooLarge naming the tensor.
Result<Program> plan(graph::Graph graph, Mode mode);

} // namespace millrace::compile
