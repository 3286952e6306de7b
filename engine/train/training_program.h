// From layers to the programs that compute loss and gradients.
#pragma once

#include "engine/compile/program.h"
#include "engine/pipeline/model_builder.h"
#include "engine/train/settings.h"

namespace millrace::train {

/// What is trained, and towards what.
struct TrainingModel
{
    pipeline::Document layers;
    const pipeline::Catalogue& catalogue;
    pipeline::RowsSchema schema;
    compile::Loss loss = compile::Loss::CrossEntropy;
    compile::LossOptions options;
};

/// The program of a batch of so many rows. Errors: those of the model; Unsupported for a precision that none of its
/// layers has.
Result<compile::Program> trainingProgram(const TrainingModel& model, const StepSettings& settings, std::int64_t batch);

/// The tensors that the optimiser moves. A hidden layer's matrix is the weight, of two dimensions, of any operation but
/// an embedding and the one that makes the output.
ParameterLayout parameterLayout(const compile::Program& program);

} // namespace millrace::train
