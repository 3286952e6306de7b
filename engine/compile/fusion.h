// Several operations that one kernel of a GPU does at once.
#pragma once

#include "engine/graph/graph.h"

namespace millrace::compile {

/// A complete graph (with its gradients, its loss, or for inference; before withStorage) with fewer operations:
///   dense + relu | gelu (tanh)               -> dense with an activation; the pre-activation stays where it is read
///   dense_backward_data + relu's | gelu's    -> dense_backward_data with that activation's derivative
///   batch_norm [+ add] + relu                -> batch_norm with an addend and an activation
///   relu_backward + batch_norm_backward      -> batch_norm_backward with the activation's derivative
///   add + layer_norm                         -> add_layer_norm
///   layer_norm_backward + add                -> layer_norm_backward with the residual's gradient
/// Only where nothing else reads what vanishes. Results stay the same but for rounding; ports, roles and the order of
/// parameters and states stay. For devices that have such kernels: the CPU refuses them.
Result<graph::Graph> withFusion(const graph::Graph& graph);

} // namespace millrace::compile
