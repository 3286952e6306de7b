// The operations once more, as plain loops in double that follow the contracts (kernels/ops) line by line: what the
// devices' kernels are compared with, and what is differentiated numerically. For tests; nothing fast depends on it.
#pragma once

#include "kernels/ops/activation.h"
#include "kernels/ops/adaptive_pool2d.h"
#include "kernels/ops/add.h"
#include "kernels/ops/add_layer_norm.h"
#include "kernels/ops/attention.h"
#include "kernels/ops/batch_norm.h"
#include "kernels/ops/binary_cross_entropy.h"
#include "kernels/ops/cast.h"
#include "kernels/ops/concatenate.h"
#include "kernels/ops/conv2d.h"
#include "kernels/ops/conv_transpose2d.h"
#include "kernels/ops/cross_entropy.h"
#include "kernels/ops/dense.h"
#include "kernels/ops/dropout.h"
#include "kernels/ops/gather.h"
#include "kernels/ops/group_norm.h"
#include "kernels/ops/huber.h"
#include "kernels/ops/kl_divergence.h"
#include "kernels/ops/layer_norm.h"
#include "kernels/ops/log_softmax.h"
#include "kernels/ops/matmul.h"
#include "kernels/ops/mean_absolute_error.h"
#include "kernels/ops/gru.h"
#include "kernels/ops/lstm.h"
#include "kernels/ops/mean_squared_error.h"
#include "kernels/ops/multiply.h"
#include "kernels/ops/optimizer.h"
#include "kernels/ops/embedding.h"
#include "kernels/ops/pool2d.h"
#include "kernels/ops/position.h"
#include "kernels/ops/reduce.h"
#include "kernels/ops/rms_norm.h"
#include "kernels/ops/sample.h"
#include "kernels/ops/softmax.h"
#include "kernels/ops/transpose.h"

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
void convTranspose2d(const ConvTranspose2d& conv, Inputs inputs, Outputs outputs);
void convTranspose2dBackward(const ConvTranspose2d& conv, Inputs inputs, Outputs outputs);
void matmul(const Matmul& matmul, Inputs inputs, Outputs outputs);
void matmulBackward(const Matmul& matmul, Inputs inputs, Outputs outputs);
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
void sample(const Sample& sample, Inputs inputs, Outputs outputs);
void softmax(const Softmax& softmax, Inputs inputs, Outputs outputs);
void softmaxBackward(const Softmax& softmax, Inputs inputs, Outputs outputs);
void crossEntropy(const CrossEntropy& loss, Inputs inputs, Outputs outputs);
void embedding(const Embedding& embedding, Inputs inputs, Outputs outputs);
void embeddingBackward(const Embedding& embedding, Inputs inputs, Outputs outputs);
void attention(const Attention& attention, Inputs inputs, Outputs outputs);
void attentionBackward(const Attention& attention, Inputs inputs, Outputs outputs);
void cachedAttention(const Attention& attention, Inputs inputs, Outputs outputs);
void lstm(const Lstm& lstm, Inputs inputs, Outputs outputs);
void lstmBackward(const Lstm& lstm, Inputs inputs, Outputs outputs);
void gru(const Gru& gru, Inputs inputs, Outputs outputs);
void gruBackward(const Gru& gru, Inputs inputs, Outputs outputs);
void position(const Position& position, Inputs inputs, Outputs outputs);
void positionBackward(const Position& position, Inputs inputs, Outputs outputs);
void meanSquaredError(const MeanSquaredError& loss, Inputs inputs, Outputs outputs);
void meanAbsoluteError(const MeanAbsoluteError& loss, Inputs inputs, Outputs outputs);
void huber(const Huber& loss, Inputs inputs, Outputs outputs);
void binaryCrossEntropy(const BinaryCrossEntropy& loss, Inputs inputs, Outputs outputs);
void klDivergence(const KlDivergence& loss, Inputs inputs, Outputs outputs);
void layerNorm(const LayerNorm& norm, Inputs inputs, Outputs outputs);
void layerNormBackward(const LayerNorm& norm, Inputs inputs, Outputs outputs);
void addLayerNorm(const AddLayerNorm& norm, Inputs inputs, Outputs outputs);
void cast(const Cast& cast, Inputs inputs, Outputs outputs);
void rmsNorm(const RmsNorm& norm, Inputs inputs, Outputs outputs);
void rmsNormBackward(const RmsNorm& norm, Inputs inputs, Outputs outputs);
void logSoftmax(const LogSoftmax& softmax, Inputs inputs, Outputs outputs);
void logSoftmaxBackward(const LogSoftmax& softmax, Inputs inputs, Outputs outputs);
void multiply(const Multiply& product, Inputs inputs, Outputs outputs);
void groupNorm(const GroupNorm& norm, Inputs inputs, Outputs outputs);
void groupNormBackward(const GroupNorm& norm, Inputs inputs, Outputs outputs);
void adaptiveMaxPool2d(const AdaptivePool2d& pool, Inputs inputs, Outputs outputs);
void adaptiveMaxPool2dBackward(const AdaptivePool2d& pool, Inputs inputs, Outputs outputs);
void adaptiveAveragePool2d(const AdaptivePool2d& pool, Inputs inputs, Outputs outputs);
void adaptiveAveragePool2dBackward(const AdaptivePool2d& pool, Inputs inputs, Outputs outputs);
void concatenate(const Concatenate& join, Inputs inputs, Outputs outputs);
void concatenateBackward(const Concatenate& join, Inputs inputs, Outputs outputs);
void transpose(const Transpose& transpose, Inputs inputs, Outputs outputs);
void reduce(const Reduce& reduce, Inputs inputs, Outputs outputs);
void reduceBackward(const Reduce& reduce, Inputs inputs, Outputs outputs);
void gather(const Gather& gather, Inputs inputs, Outputs outputs);
void gatherBackward(const Gather& gather, Inputs inputs, Outputs outputs);
// The optimisers: weights, gradients, states -> weights, states; one tensor, to which weight decay applies.
void update(const Sgd& options, Inputs inputs, Outputs outputs);
void update(const Adam& options, Inputs inputs, Outputs outputs);
void update(const Nadam& options, Inputs inputs, Outputs outputs);
void update(const RmsProp& options, Inputs inputs, Outputs outputs);
void update(const Adagrad& options, Inputs inputs, Outputs outputs);
void update(const Adadelta& options, Inputs inputs, Outputs outputs);
void update(const Lamb& options, Inputs inputs, Outputs outputs);
void update(const Lion& options, Inputs inputs, Outputs outputs);
/// The tensor is a matrix, or none where `rows` is 0.
void update(const Muon& options, std::int64_t rows, std::int64_t columns, Inputs inputs, Outputs outputs);

} // namespace millrace::kernels::reference
