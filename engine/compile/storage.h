// In which type a GPU keeps what a step computes.
#pragma once

#include "engine/graph/graph.h"

namespace millrace::compile {

/// A complete graph (with its gradients, its loss, or for inference) whose activations are bf16 or f16 instead of f32.
/// What stays f32: inputs and parameters, statistics, losses, gradients of parameters, and all of operations that know
/// no other type; they stand between casts. Parameters that stored operations read get a mirror, "<parameter>.bf16",
/// which whoever changes a parameter writes too. Caches of keys and values, which are states, are stored as well. The
/// ports stay what they were, but for "output" and others that were computed: those are cast to f32.
/// Errors: InvalidArgument for another type, or a graph that has one already.
/// Source    Micikevicius et al. 2018, Mixed Precision Training, arXiv:1710.03740, section 3.1 (f32 master weights).
Result<graph::Graph> withStorage(const graph::Graph& graph, DType type);

} // namespace millrace::compile
