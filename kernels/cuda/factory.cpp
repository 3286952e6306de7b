#include "kernels/cuda/factory.h"

#include "kernels/base/text.h"

namespace millrace::kernels::cuda {

KernelResult CudaFactory::makeCopy(const Copy& copy) const
{
    return cuda::makeCopy(m_context, copy);
}

KernelResult CudaFactory::makeCast(const Cast& cast) const
{
    return cuda::makeCast(m_context, cast);
}

KernelResult CudaFactory::makeActivation(const Activation& activation) const
{
    return cuda::makeActivation(m_context, activation, m_type);
}

KernelResult CudaFactory::makeActivationBackward(const Activation& activation) const
{
    return cuda::makeActivationBackward(m_context, activation, m_type);
}

KernelResult CudaFactory::makeAdd(const Add& add) const
{
    return cuda::makeAdd(m_context, add, m_type);
}

KernelResult CudaFactory::makeMultiply(const Multiply& multiply) const
{
    return cuda::makeMultiply(m_context, multiply, m_type);
}

KernelResult CudaFactory::makeDropout(const Dropout& dropout) const
{
    return cuda::makeDropout(m_context, dropout, m_type);
}

KernelResult CudaFactory::makeLayerNorm(const LayerNorm& norm) const
{
    return cuda::makeLayerNorm(m_context, norm, m_type);
}

KernelResult CudaFactory::makeLayerNormBackward(const LayerNorm& norm) const
{
    return cuda::makeLayerNormBackward(m_context, norm, m_type);
}

KernelResult CudaFactory::makeAddLayerNorm(const AddLayerNorm& norm) const
{
    return cuda::makeAddLayerNorm(m_context, norm, m_type);
}

KernelResult CudaFactory::makeRmsNorm(const RmsNorm& norm) const
{
    return cuda::makeRmsNorm(m_context, norm, m_type);
}

KernelResult CudaFactory::makeRmsNormBackward(const RmsNorm& norm) const
{
    return cuda::makeRmsNormBackward(m_context, norm, m_type);
}

KernelResult CudaFactory::makeGroupNorm(const GroupNorm& norm) const
{
    return cuda::makeGroupNorm(m_context, norm, m_type);
}

KernelResult CudaFactory::makeGroupNormBackward(const GroupNorm& norm) const
{
    return cuda::makeGroupNormBackward(m_context, norm, m_type);
}

KernelResult CudaFactory::makeDense(const Dense& dense) const
{
    return cuda::makeDense(m_context, dense, m_type);
}

KernelResult CudaFactory::makeDenseBackward(const Dense& dense) const
{
    return cuda::makeDenseBackward(m_context, dense, m_type);
}

KernelResult CudaFactory::makeMatmul(const Matmul& matmul) const
{
    return cuda::makeMatmul(m_context, matmul, m_type);
}

KernelResult CudaFactory::makeConv2d(const Conv2d& conv) const
{
    return cuda::makeConv2d(m_context, conv, m_type);
}

KernelResult CudaFactory::makeConv2dBackward(const Conv2d& conv, Gradients wanted) const
{
    return cuda::makeConv2dBackward(m_context, conv, m_type, wanted);
}

KernelResult CudaFactory::makeConvTranspose2d(const ConvTranspose2d& conv) const
{
    return cuda::makeConvTranspose2d(m_context, conv, m_type);
}

KernelResult CudaFactory::makeConvTranspose2dBackward(const ConvTranspose2d& conv, Gradients wanted) const
{
    return cuda::makeConvTranspose2dBackward(m_context, conv, m_type, wanted);
}

KernelResult CudaFactory::makeBatchNorm(const BatchNorm& norm) const
{
    return cuda::makeBatchNorm(m_context, norm, m_type);
}

KernelResult CudaFactory::makeBatchNormBackward(const BatchNorm& norm) const
{
    return cuda::makeBatchNormBackward(m_context, norm, m_type);
}

KernelResult CudaFactory::makeSoftmax(const Softmax& softmax) const
{
    return cuda::makeSoftmax(m_context, softmax, m_type);
}

KernelResult CudaFactory::makeSoftmaxBackward(const Softmax& softmax) const
{
    return cuda::makeSoftmaxBackward(m_context, softmax, m_type);
}

KernelResult CudaFactory::makeLogSoftmax(const LogSoftmax& logSoftmax) const
{
    return cuda::makeLogSoftmax(m_context, logSoftmax, m_type);
}

KernelResult CudaFactory::makeLogSoftmaxBackward(const LogSoftmax& logSoftmax) const
{
    return cuda::makeLogSoftmaxBackward(m_context, logSoftmax, m_type);
}

KernelResult CudaFactory::makeCrossEntropy(const CrossEntropy& crossEntropy) const
{
    return cuda::makeCrossEntropy(m_context, crossEntropy, m_type);
}

KernelResult CudaFactory::makeEmbedding(const Embedding& embedding) const
{
    return cuda::makeEmbedding(m_context, embedding, m_type);
}

KernelResult CudaFactory::makeEmbeddingBackward(const Embedding& embedding) const
{
    return cuda::makeEmbeddingBackward(m_context, embedding, m_type);
}

KernelResult CudaFactory::makePosition(const Position& position) const
{
    return cuda::makePosition(m_context, position, m_type);
}

KernelResult CudaFactory::makePositionBackward(const Position& position) const
{
    return cuda::makePositionBackward(m_context, position, m_type);
}

KernelResult CudaFactory::makeMaxPool2d(const Pool2d& pool2d) const
{
    return cuda::makeMaxPool2d(m_context, pool2d, m_type);
}

KernelResult CudaFactory::makeMaxPool2dBackward(const Pool2d& pool2d) const
{
    return cuda::makeMaxPool2dBackward(m_context, pool2d, m_type);
}

KernelResult CudaFactory::makeAveragePool2d(const Pool2d& pool2d) const
{
    return cuda::makeAveragePool2d(m_context, pool2d, m_type);
}

KernelResult CudaFactory::makeAveragePool2dBackward(const Pool2d& pool2d) const
{
    return cuda::makeAveragePool2dBackward(m_context, pool2d, m_type);
}

KernelResult CudaFactory::makeAdaptiveMaxPool2d(const AdaptivePool2d& adaptivePool2d) const
{
    return cuda::makeAdaptiveMaxPool2d(m_context, adaptivePool2d, m_type);
}

KernelResult CudaFactory::makeAdaptiveMaxPool2dBackward(const AdaptivePool2d& adaptivePool2d) const
{
    return cuda::makeAdaptiveMaxPool2dBackward(m_context, adaptivePool2d, m_type);
}

KernelResult CudaFactory::makeAdaptiveAveragePool2d(const AdaptivePool2d& adaptivePool2d) const
{
    return cuda::makeAdaptiveAveragePool2d(m_context, adaptivePool2d, m_type);
}

KernelResult CudaFactory::makeAdaptiveAveragePool2dBackward(const AdaptivePool2d& adaptivePool2d) const
{
    return cuda::makeAdaptiveAveragePool2dBackward(m_context, adaptivePool2d, m_type);
}

KernelResult CudaFactory::makeMeanSquaredError(const MeanSquaredError& meanSquaredError) const
{
    return cuda::makeMeanSquaredError(m_context, meanSquaredError, m_type);
}

KernelResult CudaFactory::makeMeanAbsoluteError(const MeanAbsoluteError& meanAbsoluteError) const
{
    return cuda::makeMeanAbsoluteError(m_context, meanAbsoluteError, m_type);
}

KernelResult CudaFactory::makeHuber(const Huber& huber) const
{
    return cuda::makeHuber(m_context, huber, m_type);
}

KernelResult CudaFactory::makeBinaryCrossEntropy(const BinaryCrossEntropy& binaryCrossEntropy) const
{
    return cuda::makeBinaryCrossEntropy(m_context, binaryCrossEntropy, m_type);
}

KernelResult CudaFactory::makeKlDivergence(const KlDivergence& klDivergence) const
{
    return cuda::makeKlDivergence(m_context, klDivergence, m_type);
}

KernelResult CudaFactory::makeAttention(const Attention& attention) const
{
    return cuda::makeAttention(m_context, attention, m_type);
}

KernelResult CudaFactory::makeAttentionBackward(const Attention& attention) const
{
    return cuda::makeAttentionBackward(m_context, attention, m_type);
}

KernelResult CudaFactory::makeCachedAttention(const Attention& attention) const
{
    return cuda::makeCachedAttention(m_context, attention, m_type);
}

KernelResult CudaFactory::makeConcatenate(const Concatenate& concatenate) const
{
    return cuda::makeConcatenate(m_context, concatenate, m_type);
}

KernelResult CudaFactory::makeConcatenateBackward(const Concatenate& concatenate) const
{
    return cuda::makeConcatenateBackward(m_context, concatenate, m_type);
}

KernelResult CudaFactory::makeTranspose(const Transpose& transpose) const
{
    return cuda::makeTranspose(m_context, transpose, m_type);
}

KernelResult CudaFactory::makeReduce(const Reduce& reduce) const
{
    return cuda::makeReduce(m_context, reduce, m_type);
}

KernelResult CudaFactory::makeReduceBackward(const Reduce& reduce) const
{
    return cuda::makeReduceBackward(m_context, reduce, m_type);
}

KernelResult CudaFactory::makeGather(const Gather& gather) const
{
    return cuda::makeGather(m_context, gather, m_type);
}

KernelResult CudaFactory::makeGatherBackward(const Gather& gather) const
{
    return cuda::makeGatherBackward(m_context, gather, m_type);
}

KernelResult CudaFactory::makeLstm(const Lstm& layer) const
{
    return cuda::makeLstm(m_context, layer, m_type);
}

KernelResult CudaFactory::makeLstmBackward(const Lstm& layer) const
{
    return cuda::makeLstmBackward(m_context, layer, m_type);
}

KernelResult CudaFactory::makeGru(const Gru& layer) const
{
    return cuda::makeGru(m_context, layer, m_type);
}

KernelResult CudaFactory::makeGruBackward(const Gru& layer) const
{
    return cuda::makeGruBackward(m_context, layer, m_type);
}

KernelResult CudaFactory::makeSample(const Sample& sample) const
{
    return cuda::makeSample(m_context, sample, m_type);
}

Error CudaFactory::refuse(std::string_view operation) const
{
    return makeError(Code::Unsupported, str("The operation ", operation, " has no kernel on this GPU."));
}

Status requireF32(std::string_view operation, DType type)
{
    if (type == DType::F32) return {};
    return makeError(Code::Unsupported,
                     str(operation, ": there is no kernel for ", name(type), " elements, only f32."));
}

} // namespace millrace::kernels::cuda
