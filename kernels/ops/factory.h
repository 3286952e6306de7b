// How an executor gets its kernels: a factory for each device, one function for each operation and its backward half.
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
#include "kernels/ops/copy.h"
#include "kernels/ops/cross_entropy.h"
#include "kernels/ops/dense.h"
#include "kernels/ops/dropout.h"
#include "kernels/ops/embedding.h"
#include "kernels/ops/gather.h"
#include "kernels/ops/group_norm.h"
#include "kernels/ops/gru.h"
#include "kernels/ops/huber.h"
#include "kernels/ops/kernel.h"
#include "kernels/ops/kl_divergence.h"
#include "kernels/ops/layer_norm.h"
#include "kernels/ops/log_softmax.h"
#include "kernels/ops/lstm.h"
#include "kernels/ops/matmul.h"
#include "kernels/ops/mean_absolute_error.h"
#include "kernels/ops/mean_squared_error.h"
#include "kernels/ops/multiply.h"
#include "kernels/ops/pool2d.h"
#include "kernels/ops/position.h"
#include "kernels/ops/reduce.h"
#include "kernels/ops/rms_norm.h"
#include "kernels/ops/sample.h"
#include "kernels/ops/softmax.h"
#include "kernels/ops/transpose.h"

#include <string_view>

namespace millrace::kernels {

/// Which half of a backward kernel is wanted; the outputs of the other half must be null.
enum class Gradients
{
    Both,
    Data,
    Weights
};

/// Makes kernels of one device for one type of elements (on a CPU always f32). With bf16 or f16: activations and their
/// gradients are of that type, and so are the weights that products read (dense, conv2d, matmul, with their biases) and
/// the tables of embedding and position. Always f32: scales and biases of norms, statistics, losses, targets, class
/// weights, and every parameter's gradient.
/// Errors of all: InvalidArgument for dimensions that the contract excludes, OutOfMemory; Unsupported for what the
/// device has no kernel for, or not for that type.
class Factory
{
public:
    virtual ~Factory() = default;
    Factory() = default;
    Factory(const Factory&) = delete;
    Factory& operator=(const Factory&) = delete;

    virtual KernelResult makeDense(const Dense&) const { return refuse("dense"); }
    virtual KernelResult makeDenseBackward(const Dense&) const { return refuse("dense backward"); }
    virtual KernelResult makeConv2d(const Conv2d&) const { return refuse("conv2d"); }
    virtual KernelResult makeConv2dBackward(const Conv2d&, Gradients = Gradients::Both) const
    {
        return refuse("conv2d backward");
    }
    virtual KernelResult makeConvTranspose2d(const ConvTranspose2d&) const { return refuse("conv transpose2d"); }
    virtual KernelResult makeConvTranspose2dBackward(const ConvTranspose2d&, Gradients = Gradients::Both) const
    {
        return refuse("conv transpose2d backward");
    }
    /// Its gradients are products as well.
    virtual KernelResult makeMatmul(const Matmul&) const { return refuse("matmul"); }
    virtual KernelResult makeMaxPool2d(const Pool2d&) const { return refuse("max pool2d"); }
    virtual KernelResult makeMaxPool2dBackward(const Pool2d&) const { return refuse("max pool2d backward"); }
    virtual KernelResult makeAveragePool2d(const Pool2d&) const { return refuse("average pool2d"); }
    virtual KernelResult makeAveragePool2dBackward(const Pool2d&) const { return refuse("average pool2d backward"); }
    /// Training or inference by norm.training.
    virtual KernelResult makeBatchNorm(const BatchNorm&) const { return refuse("batch norm"); }
    virtual KernelResult makeBatchNormBackward(const BatchNorm&) const { return refuse("batch norm backward"); }
    virtual KernelResult makeActivation(const Activation&) const { return refuse("activation"); }
    virtual KernelResult makeActivationBackward(const Activation&) const { return refuse("activation backward"); }
    /// Forward and backward alike.
    virtual KernelResult makeDropout(const Dropout&) const { return refuse("dropout"); }
    virtual KernelResult makeAdd(const Add&) const { return refuse("add"); }
    virtual KernelResult makeSoftmax(const Softmax&) const { return refuse("softmax"); }
    virtual KernelResult makeSoftmaxBackward(const Softmax&) const { return refuse("softmax backward"); }
    /// Loss, hits and gradient together.
    virtual KernelResult makeCrossEntropy(const CrossEntropy&) const { return refuse("cross entropy"); }
    virtual KernelResult makeEmbedding(const Embedding&) const { return refuse("embedding"); }
    virtual KernelResult makeEmbeddingBackward(const Embedding&) const { return refuse("embedding backward"); }
    /// Keeps logsumexp for the gradient, where it is wanted.
    virtual KernelResult makeAttention(const Attention&) const { return refuse("attention"); }
    virtual KernelResult makeAttentionBackward(const Attention&) const { return refuse("attention backward"); }
    virtual KernelResult makeCachedAttention(const Attention&) const { return refuse("cached attention"); }
    virtual KernelResult makeLstm(const Lstm&) const { return refuse("lstm"); }
    virtual KernelResult makeLstmBackward(const Lstm&) const { return refuse("lstm backward"); }
    virtual KernelResult makeGru(const Gru&) const { return refuse("gru"); }
    virtual KernelResult makeGruBackward(const Gru&) const { return refuse("gru backward"); }
    virtual KernelResult makePosition(const Position&) const { return refuse("position"); }
    virtual KernelResult makePositionBackward(const Position&) const { return refuse("position backward"); }
    virtual KernelResult makeMeanSquaredError(const MeanSquaredError&) const { return refuse("mean squared error"); }
    virtual KernelResult makeMeanAbsoluteError(const MeanAbsoluteError&) const { return refuse("mean absolute error"); }
    virtual KernelResult makeHuber(const Huber&) const { return refuse("huber"); }
    virtual KernelResult makeBinaryCrossEntropy(const BinaryCrossEntropy&) const
    {
        return refuse("binary cross entropy");
    }
    virtual KernelResult makeKlDivergence(const KlDivergence&) const { return refuse("kl divergence"); }
    virtual KernelResult makeLayerNorm(const LayerNorm&) const { return refuse("layer norm"); }
    virtual KernelResult makeLayerNormBackward(const LayerNorm&) const { return refuse("layer norm backward"); }
    virtual KernelResult makeAddLayerNorm(const AddLayerNorm&) const { return refuse("add layer norm"); }
    virtual KernelResult makeRmsNorm(const RmsNorm&) const { return refuse("rms norm"); }
    virtual KernelResult makeRmsNormBackward(const RmsNorm&) const { return refuse("rms norm backward"); }
    virtual KernelResult makeLogSoftmax(const LogSoftmax&) const { return refuse("log softmax"); }
    virtual KernelResult makeLogSoftmaxBackward(const LogSoftmax&) const { return refuse("log softmax backward"); }
    virtual KernelResult makeMultiply(const Multiply&) const { return refuse("multiply"); }
    virtual KernelResult makeGroupNorm(const GroupNorm&) const { return refuse("group norm"); }
    virtual KernelResult makeGroupNormBackward(const GroupNorm&) const { return refuse("group norm backward"); }
    virtual KernelResult makeAdaptiveMaxPool2d(const AdaptivePool2d&) const { return refuse("adaptive max pool2d"); }
    virtual KernelResult makeAdaptiveMaxPool2dBackward(const AdaptivePool2d&) const
    {
        return refuse("adaptive max pool2d backward");
    }
    virtual KernelResult makeAdaptiveAveragePool2d(const AdaptivePool2d&) const
    {
        return refuse("adaptive average pool2d");
    }
    virtual KernelResult makeAdaptiveAveragePool2dBackward(const AdaptivePool2d&) const
    {
        return refuse("adaptive average pool2d backward");
    }
    /// Joins; its backward cuts.
    virtual KernelResult makeConcatenate(const Concatenate&) const { return refuse("concatenate"); }
    virtual KernelResult makeConcatenateBackward(const Concatenate&) const { return refuse("concatenate backward"); }
    virtual KernelResult makeTranspose(const Transpose&) const { return refuse("transpose"); }
    virtual KernelResult makeReduce(const Reduce&) const { return refuse("reduce"); }
    virtual KernelResult makeReduceBackward(const Reduce&) const { return refuse("reduce backward"); }
    virtual KernelResult makeGather(const Gather&) const { return refuse("gather"); }
    virtual KernelResult makeGatherBackward(const Gather&) const { return refuse("gather backward"); }
    virtual KernelResult makeCopy(const Copy&) const { return refuse("copy"); }
    /// Of any factory of a device: the types are in the struct.
    virtual KernelResult makeCast(const Cast&) const { return refuse("cast"); }
    virtual KernelResult makeSample(const Sample&) const { return refuse("sample"); }

protected:
    /// Unsupported, naming the operation and what has no kernel for it.
    virtual Error refuse(std::string_view operation) const = 0;
};

} // namespace millrace::kernels
