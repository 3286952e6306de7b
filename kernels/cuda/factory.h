// The GPU's kernels as a factory for one type of elements: each function forwards to that of kernel.h.
#pragma once

#include "kernels/cuda/kernel.h"

namespace millrace::kernels::cuda {

class CudaFactory final : public Factory
{
public:
    CudaFactory(Context& context, DType type) : m_context(context), m_type(type) {}

    KernelResult makeCopy(const Copy& copy) const override;
    KernelResult makeCast(const Cast& cast) const override;
    KernelResult makeActivation(const Activation& activation) const override;
    KernelResult makeActivationBackward(const Activation& activation) const override;
    KernelResult makeAdd(const Add& add) const override;
    KernelResult makeMultiply(const Multiply& multiply) const override;
    KernelResult makeDropout(const Dropout& dropout) const override;
    KernelResult makeLayerNorm(const LayerNorm& norm) const override;
    KernelResult makeLayerNormBackward(const LayerNorm& norm) const override;
    KernelResult makeAddLayerNorm(const AddLayerNorm& norm) const override;
    KernelResult makeRmsNorm(const RmsNorm& norm) const override;
    KernelResult makeRmsNormBackward(const RmsNorm& norm) const override;
    KernelResult makeGroupNorm(const GroupNorm& norm) const override;
    KernelResult makeGroupNormBackward(const GroupNorm& norm) const override;
    KernelResult makeDense(const Dense& dense) const override;
    KernelResult makeDenseBackward(const Dense& dense) const override;
    KernelResult makeMatmul(const Matmul& matmul) const override;
    KernelResult makeConv2d(const Conv2d& conv) const override;
    KernelResult makeConv2dBackward(const Conv2d& conv, Gradients wanted) const override;
    KernelResult makeConvTranspose2d(const ConvTranspose2d& conv) const override;
    KernelResult makeConvTranspose2dBackward(const ConvTranspose2d& conv, Gradients wanted) const override;
    KernelResult makeBatchNorm(const BatchNorm& norm) const override;
    KernelResult makeBatchNormBackward(const BatchNorm& norm) const override;
    KernelResult makeSoftmax(const Softmax& softmax) const override;
    KernelResult makeSoftmaxBackward(const Softmax& softmax) const override;
    KernelResult makeLogSoftmax(const LogSoftmax& logSoftmax) const override;
    KernelResult makeLogSoftmaxBackward(const LogSoftmax& logSoftmax) const override;
    KernelResult makeCrossEntropy(const CrossEntropy& crossEntropy) const override;
    KernelResult makeEmbedding(const Embedding& embedding) const override;
    KernelResult makeEmbeddingBackward(const Embedding& embedding) const override;
    KernelResult makePosition(const Position& position) const override;
    KernelResult makePositionBackward(const Position& position) const override;
    KernelResult makeMaxPool2d(const Pool2d& pool2d) const override;
    KernelResult makeMaxPool2dBackward(const Pool2d& pool2d) const override;
    KernelResult makeAveragePool2d(const Pool2d& pool2d) const override;
    KernelResult makeAveragePool2dBackward(const Pool2d& pool2d) const override;
    KernelResult makeAdaptiveMaxPool2d(const AdaptivePool2d& adaptivePool2d) const override;
    KernelResult makeAdaptiveMaxPool2dBackward(const AdaptivePool2d& adaptivePool2d) const override;
    KernelResult makeAdaptiveAveragePool2d(const AdaptivePool2d& adaptivePool2d) const override;
    KernelResult makeAdaptiveAveragePool2dBackward(const AdaptivePool2d& adaptivePool2d) const override;
    KernelResult makeMeanSquaredError(const MeanSquaredError& meanSquaredError) const override;
    KernelResult makeMeanAbsoluteError(const MeanAbsoluteError& meanAbsoluteError) const override;
    KernelResult makeHuber(const Huber& huber) const override;
    KernelResult makeBinaryCrossEntropy(const BinaryCrossEntropy& binaryCrossEntropy) const override;
    KernelResult makeKlDivergence(const KlDivergence& klDivergence) const override;
    KernelResult makeAttention(const Attention& attention) const override;
    KernelResult makeAttentionBackward(const Attention& attention) const override;
    KernelResult makeCachedAttention(const Attention& attention) const override;
    KernelResult makeConcatenate(const Concatenate& concatenate) const override;
    KernelResult makeConcatenateBackward(const Concatenate& concatenate) const override;
    KernelResult makeTranspose(const Transpose& transpose) const override;
    KernelResult makeReduce(const Reduce& reduce) const override;
    KernelResult makeReduceBackward(const Reduce& reduce) const override;
    KernelResult makeGather(const Gather& gather) const override;
    KernelResult makeGatherBackward(const Gather& gather) const override;
    KernelResult makeLstm(const Lstm& layer) const override;
    KernelResult makeLstmBackward(const Lstm& layer) const override;
    KernelResult makeGru(const Gru& layer) const override;
    KernelResult makeGruBackward(const Gru& layer) const override;
    KernelResult makeSample(const Sample& sample) const override;

protected:
    Error refuse(std::string_view operation) const override;

private:
    Context& m_context;
    DType m_type;
};

} // namespace millrace::kernels::cuda
