// The factories of GPU kernels, one for each operation and type, and what they share. A file of the operation's name
// defines each.
#pragma once

#include "kernels/cuda/context.h"
#include "kernels/ops/factory.h"

namespace millrace::kernels::cuda {

/// Unsupported unless the type is f32: for kernels that the compiler surrounds with casts.
Status requireF32(std::string_view operation, DType type);

// Errors of all: InvalidArgument for dimensions that the contract excludes; Unsupported for a type that the operation
// has no kernel for; those of the device.

KernelResult makeCopy(Context& context, const Copy& copy);
KernelResult makeCast(Context& context, const Cast& cast);
KernelResult makeActivation(Context& context, const Activation& activation, DType type);
KernelResult makeActivationBackward(Context& context, const Activation& activation, DType type);
KernelResult makeAdd(Context& context, const Add& sum, DType type);
KernelResult makeMultiply(Context& context, const Multiply& product, DType type);
KernelResult makeDropout(Context& context, const Dropout& dropout, DType type);
KernelResult makeLayerNorm(Context& context, const LayerNorm& norm, DType type);
KernelResult makeLayerNormBackward(Context& context, const LayerNorm& norm, DType type);
KernelResult makeAddLayerNorm(Context& context, const AddLayerNorm& norm, DType type);
KernelResult makeRmsNorm(Context& context, const RmsNorm& norm, DType type);
KernelResult makeRmsNormBackward(Context& context, const RmsNorm& norm, DType type);
KernelResult makeGroupNorm(Context& context, const GroupNorm& norm, DType type);
KernelResult makeGroupNormBackward(Context& context, const GroupNorm& norm, DType type);
KernelResult makeDense(Context& context, const Dense& dense, DType type);
KernelResult makeDenseBackward(Context& context, const Dense& dense, DType type);
KernelResult makeMatmul(Context& context, const Matmul& matmul, DType type);
KernelResult makeConv2d(Context& context, const Conv2d& conv, DType type);
KernelResult makeConv2dBackward(Context& context, const Conv2d& conv, DType type, Gradients wanted);
KernelResult makeConvTranspose2d(Context& context, const ConvTranspose2d& conv, DType type);
KernelResult makeConvTranspose2dBackward(Context& context, const ConvTranspose2d& conv, DType type, Gradients wanted);
KernelResult makeBatchNorm(Context& context, const BatchNorm& norm, DType type);
KernelResult makeBatchNormBackward(Context& context, const BatchNorm& norm, DType type);
/// By cuDNN where it has engines for it that are faster than our own kernels and give the same results.
KernelResult makeAttention(Context& context, const Attention& attention, DType type);
KernelResult makeAttentionBackward(Context& context, const Attention& attention, DType type);
KernelResult makeSoftmax(Context& context, const Softmax& softmax, DType type);
KernelResult makeSoftmaxBackward(Context& context, const Softmax& softmax, DType type);
KernelResult makeLogSoftmax(Context& context, const LogSoftmax& softmax, DType type);
KernelResult makeLogSoftmaxBackward(Context& context, const LogSoftmax& softmax, DType type);
KernelResult makeCrossEntropy(Context& context, const CrossEntropy& loss, DType type);
KernelResult makeMeanSquaredError(Context& context, const MeanSquaredError& loss, DType type);
KernelResult makeMeanAbsoluteError(Context& context, const MeanAbsoluteError& loss, DType type);
KernelResult makeHuber(Context& context, const Huber& loss, DType type);
KernelResult makeBinaryCrossEntropy(Context& context, const BinaryCrossEntropy& loss, DType type);
KernelResult makeKlDivergence(Context& context, const KlDivergence& loss, DType type);
KernelResult makeMaxPool2d(Context& context, const Pool2d& pool, DType type);
KernelResult makeMaxPool2dBackward(Context& context, const Pool2d& pool, DType type);
KernelResult makeAveragePool2d(Context& context, const Pool2d& pool, DType type);
KernelResult makeAveragePool2dBackward(Context& context, const Pool2d& pool, DType type);
KernelResult makeAdaptiveMaxPool2d(Context& context, const AdaptivePool2d& pool, DType type);
KernelResult makeAdaptiveMaxPool2dBackward(Context& context, const AdaptivePool2d& pool, DType type);
KernelResult makeAdaptiveAveragePool2d(Context& context, const AdaptivePool2d& pool, DType type);
KernelResult makeAdaptiveAveragePool2dBackward(Context& context, const AdaptivePool2d& pool, DType type);
KernelResult makeConcatenate(Context& context, const Concatenate& join, DType type);
KernelResult makeConcatenateBackward(Context& context, const Concatenate& join, DType type);
KernelResult makeTranspose(Context& context, const Transpose& transpose, DType type);
KernelResult makeReduce(Context& context, const Reduce& reduce, DType type);
KernelResult makeReduceBackward(Context& context, const Reduce& reduce, DType type);
KernelResult makeGather(Context& context, const Gather& gather, DType type);
KernelResult makeGatherBackward(Context& context, const Gather& gather, DType type);
KernelResult makeEmbedding(Context& context, const Embedding& embedding, DType type);
KernelResult makeEmbeddingBackward(Context& context, const Embedding& embedding, DType type);
KernelResult makePosition(Context& context, const Position& position, DType type);
KernelResult makePositionBackward(Context& context, const Position& position, DType type);
/// By our own kernels, whatever the type and the width of the heads.
KernelResult makeTiledAttention(Context& context, const Attention& attention, DType type);
KernelResult makeTiledAttentionBackward(Context& context, const Attention& attention, DType type);
KernelResult makeCachedAttention(Context& context, const Attention& attention, DType type);
KernelResult makeLstm(Context& context, const Lstm& layer, DType type);
KernelResult makeLstmBackward(Context& context, const Lstm& layer, DType type);
KernelResult makeGru(Context& context, const Gru& layer, DType type);
KernelResult makeGruBackward(Context& context, const Gru& layer, DType type);
/// Whether a dense layer has so few rows that reading its weights is all that takes time, and makeDenseRows takes it.
bool hasDenseRows(const Dense& dense, DType type);
KernelResult makeDenseRows(Context& context, const Dense& dense, DType type);
KernelResult makeSample(Context& context, const Sample& sample, DType type);

} // namespace millrace::kernels::cuda
