// What the executor runs on a CPU: one prepared kernel per operation of a program, and the factories that prepare them.
#pragma once

#include "kernels/ops/factory.h"

namespace millrace::kernels::cpu {

// `threads` is the most the kernel may use, at least 1; a small operation uses one.
// Errors of all: InvalidArgument for dimensions that the contract excludes, OutOfMemory.

KernelResult makeDense(const Dense& dense, int threads);
KernelResult makeDenseBackward(const Dense& dense, int threads);
KernelResult makeConv2d(const Conv2d& conv, int threads);
KernelResult makeConv2dBackward(const Conv2d& conv, int threads, Gradients wanted = Gradients::Both);
KernelResult makeConvTranspose2d(const ConvTranspose2d& conv, int threads);
KernelResult makeConvTranspose2dBackward(const ConvTranspose2d& conv, int threads,
                                         Gradients wanted = Gradients::Both);
/// Its gradients are products as well.
KernelResult makeMatmul(const Matmul& matmul, int threads);
KernelResult makeMaxPool2d(const Pool2d& pool, int threads);
KernelResult makeMaxPool2dBackward(const Pool2d& pool, int threads);
KernelResult makeAveragePool2d(const Pool2d& pool, int threads);
KernelResult makeAveragePool2dBackward(const Pool2d& pool, int threads);
/// Training or inference by norm.training.
KernelResult makeBatchNorm(const BatchNorm& norm, int threads);
KernelResult makeBatchNormBackward(const BatchNorm& norm, int threads);
KernelResult makeActivation(const Activation& activation, int threads);
KernelResult makeActivationBackward(const Activation& activation, int threads);
/// Forward and backward alike.
KernelResult makeDropout(const Dropout& dropout, int threads);
KernelResult makeAdd(const Add& add, int threads);
KernelResult makeSoftmax(const Softmax& softmax, int threads);
KernelResult makeSoftmaxBackward(const Softmax& softmax, int threads);
/// Loss, hits and gradient together.
KernelResult makeCrossEntropy(const CrossEntropy& loss, int threads);
KernelResult makeEmbedding(const Embedding& embedding, int threads);
KernelResult makeEmbeddingBackward(const Embedding& embedding, int threads);
/// Keeps logsumexp for the gradient, where it is wanted.
KernelResult makeAttention(const Attention& attention, int threads);
KernelResult makeAttentionBackward(const Attention& attention, int threads);
KernelResult makeCachedAttention(const Attention& attention, int threads);
KernelResult makeLstm(const Lstm& lstm, int threads);
KernelResult makeLstmBackward(const Lstm& lstm, int threads);
KernelResult makeGru(const Gru& gru, int threads);
KernelResult makeGruBackward(const Gru& gru, int threads);
KernelResult makePosition(const Position& position, int threads);
KernelResult makePositionBackward(const Position& position, int threads);
KernelResult makeMeanSquaredError(const MeanSquaredError& loss, int threads);
KernelResult makeMeanAbsoluteError(const MeanAbsoluteError& loss, int threads);
KernelResult makeHuber(const Huber& loss, int threads);
KernelResult makeBinaryCrossEntropy(const BinaryCrossEntropy& loss, int threads);
KernelResult makeKlDivergence(const KlDivergence& loss, int threads);
KernelResult makeLayerNorm(const LayerNorm& norm, int threads);
KernelResult makeLayerNormBackward(const LayerNorm& norm, int threads);
KernelResult makeRmsNorm(const RmsNorm& norm, int threads);
KernelResult makeRmsNormBackward(const RmsNorm& norm, int threads);
KernelResult makeLogSoftmax(const LogSoftmax& softmax, int threads);
KernelResult makeLogSoftmaxBackward(const LogSoftmax& softmax, int threads);
KernelResult makeMultiply(const Multiply& product, int threads);
KernelResult makeGroupNorm(const GroupNorm& norm, int threads);
KernelResult makeGroupNormBackward(const GroupNorm& norm, int threads);
KernelResult makeAdaptiveMaxPool2d(const AdaptivePool2d& pool, int threads);
KernelResult makeAdaptiveMaxPool2dBackward(const AdaptivePool2d& pool, int threads);
KernelResult makeAdaptiveAveragePool2d(const AdaptivePool2d& pool, int threads);
KernelResult makeAdaptiveAveragePool2dBackward(const AdaptivePool2d& pool, int threads);
/// Joins; its backward cuts.
KernelResult makeConcatenate(const Concatenate& join, int threads);
KernelResult makeConcatenateBackward(const Concatenate& join, int threads);
KernelResult makeTranspose(const Transpose& transpose, int threads);
KernelResult makeReduce(const Reduce& reduce, int threads);
KernelResult makeReduceBackward(const Reduce& reduce, int threads);
KernelResult makeGather(const Gather& gather, int threads);
KernelResult makeGatherBackward(const Gather& gather, int threads);
KernelResult makeCopy(const Copy& copy, int threads);
KernelResult makeCast(const Cast& cast, int threads);

} // namespace millrace::kernels::cpu
