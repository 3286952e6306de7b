// Between the weights that an executor runs on and the tensors of a model file.
#pragma once

#include "engine/execute/executor.h"
#include "engine/formats/model_file.h"

namespace millrace::train {

/// Appends every parameter and state to the model's tensors, by name.
/// Errors: those of the device.
Status storeTensors(execute::Weights& weights, formats::Model& model);
/// Sets every parameter and state from the model's tensors. Errors: InvalidFormat for one that is missing or of
/// another shape.
Status loadTensors(const formats::Model& model, execute::Weights& weights);

} // namespace millrace::train
