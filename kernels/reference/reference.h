// The operations once more, as plain loops in double that follow the contracts (kernels/ops) line by line: what the
// devices' kernels are compared with, and what is differentiated numerically. For tests; nothing fast depends on it.
#pragma once

#include "kernels/ops/activation.h"
#include "kernels/ops/add.h"
#include "kernels/ops/batch_norm.h"
#include "kernels/ops/conv2d.h"
#include "kernels/ops/cross_entropy.h"
#include "kernels/ops/dense.h"
#include "kernels/ops/dropout.h"
#include "kernels/ops/mean_squared_error.h"
#include "kernels/ops/optimizer.h"
#include "kernels/ops/embedding.h"
#include "kernels/ops/pool2d.h"
#include "kernels/ops/position.h"
#include "kernels/ops/softmax.h"

#include <span>
#include <vector>

namespace millrace::kernels::reference {

/// A tensor's values, row-major; labels too. Empty: an optional input that is not there. Outputs come with their size.
using Values = std::vector<double>;
using Inputs = std::span<const Values>;
using Outputs = std::span<Values>;

// Inputs and outputs in the order of the contracts. All outputs are computed.

void dense(const Dense& dense, Inputs inputs, Outputs outputs);
void denseBackward(const Dense& dense, Inputs inputs, Outputs outputs);
void conv2d(const Conv2d& conv, Inputs inputs, Outputs outputs);
void conv2dBackward(const Conv2d& conv, Inputs inputs, Outputs outputs);
void maxPool2d(const Pool2d& pool, Inputs inputs, Outputs outputs);
void maxPool2dBackward(const Pool2d& pool, Inputs inputs, Outputs outputs);
void averagePool2d(const Pool2d& pool, Inputs inputs, Outputs outputs);
void averagePool2dBackward(const Pool2d& pool, Inputs inputs, Outputs outputs);
void batchNorm(const BatchNorm& norm, Inputs inputs, Outputs outputs);
void batchNormBackward(const BatchNorm& norm, Inputs inputs, Outputs outputs);
void activation(const Activation& activation, Inputs inputs, Outputs outputs);
void activationBackward(const Activation& activation, Inputs inputs, Outputs outputs);
void dropout(const Dropout& dropout, std::uint64_t seed, std::uint64_t step, Inputs inputs, Outputs outputs);
void add(const Add& add, Inputs inputs, Outputs outputs);
void softmax(const Softmax& softmax, Inputs inputs, Outputs outputs);
void softmaxBackward(const Softmax& softmax, Inputs inputs, Outputs outputs);
void crossEntropy(const CrossEntropy& loss, Inputs inputs, Outputs outputs);
void embedding(const Embedding& embedding, Inputs inputs, Outputs outputs);
void embeddingBackward(const Embedding& embedding, Inputs inputs, Outputs outputs);
void position(const Position& position, Inputs inputs, Outputs outputs);
void positionBackward(const Position& position, Inputs inputs, Outputs outputs);
void meanSquaredError(const MeanSquaredError& loss, Inputs inputs, Outputs outputs);
/// weights, gradients, velocity -> weights, velocity; weight decay applies to all.
void sgd(const Sgd& options, Inputs inputs, Outputs outputs);
/// weights, gradients, first moment, second moment -> weights, first moment, second moment; weight decay applies to
/// all.
void adam(const Adam& options, Inputs inputs, Outputs outputs);

} // namespace millrace::kernels::reference
