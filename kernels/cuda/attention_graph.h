// Attention as graphs of cuDNN: the operations in the order in which its fused engines know them.
#pragma once

#include "kernels/cuda/cudnn_graph.h"
#include "kernels/ops/attention.h"

namespace millrace::kernels::cuda {

/// The operands of a graph by the order in which they are added; what else it has needs no memory.
namespace attention_operands {
enum Forward : std::size_t
{
    kQueries,
    kKeys,
    kValues,
    kResult,
    kLogsumexp,
    kForwardCount
};
/// kDelta: scratch memory, f32 (B,heads,T).
enum Backward : std::size_t
{
    kQueriesB,
    kKeysB,
    kValuesB,
    kResultB,
    kResultGradient,
    kLogsumexpB,
    kDelta,
    kQueriesGradient,
    kKeysGradient,
    kValuesGradient,
    kBackwardCount
};
} // namespace attention_operands

/// Queries, keys and values are thirds of the packed qkv's columns, each with its own pointer; the other operands lie
/// as in attention's contract. Types bf16 and f16 (logsumexp f32).
Status buildAttention(NetworkGraph& graph, const Attention& attention, DType type);
/// The gradients are thirds of dqkv's columns, each with its own pointer. No sum depends on the order in which blocks
/// finish: that of the queries' gradient goes through cuDNN's workspace.
Status buildAttentionBackward(NetworkGraph& graph, const Attention& attention, DType type);

} // namespace millrace::kernels::cuda
