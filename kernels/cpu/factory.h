// The CPU's kernels as a factory.
#pragma once

#include "kernels/base/text.h"
#include "kernels/cpu/kernel.h"

namespace millrace::kernels::cpu {

/// Forwards to the functions of kernels/cpu/kernel.h, with the most threads that a kernel may use.
class CpuFactory final : public Factory
{
public:
    explicit CpuFactory(int threads) : m_threads(threads) {}
    int threads() const { return m_threads; }

    KernelResult makeDense(const Dense& dense) const override { return cpu::makeDense(dense, m_threads); }
    KernelResult makeDenseBackward(const Dense& dense) const override
    {
        return cpu::makeDenseBackward(dense, m_threads);
    }
    KernelResult makeConv2d(const Conv2d& conv) const override { return cpu::makeConv2d(conv, m_threads); }
    KernelResult makeConv2dBackward(const Conv2d& conv, Gradients wanted) const override
    {
        return cpu::makeConv2dBackward(conv, m_threads, wanted);
    }
    KernelResult makeConvTranspose2d(const ConvTranspose2d& conv) const override
    {
        return cpu::makeConvTranspose2d(conv, m_threads);
    }
    KernelResult makeConvTranspose2dBackward(const ConvTranspose2d& conv, Gradients wanted) const override
    {
        return cpu::makeConvTranspose2dBackward(conv, m_threads, wanted);
    }
    KernelResult makeMatmul(const Matmul& matmul) const override { return cpu::makeMatmul(matmul, m_threads); }
    KernelResult makeMaxPool2d(const Pool2d& pool) const override { return cpu::makeMaxPool2d(pool, m_threads); }
    KernelResult makeMaxPool2dBackward(const Pool2d& pool) const override
    {
        return cpu::makeMaxPool2dBackward(pool, m_threads);
    }
    KernelResult makeAveragePool2d(const Pool2d& pool) const override
    {
        return cpu::makeAveragePool2d(pool, m_threads);
    }
    KernelResult makeAveragePool2dBackward(const Pool2d& pool) const override
    {
        return cpu::makeAveragePool2dBackward(pool, m_threads);
    }
    KernelResult makeBatchNorm(const BatchNorm& norm) const override { return cpu::makeBatchNorm(norm, m_threads); }
    KernelResult makeBatchNormBackward(const BatchNorm& norm) const override
    {
        return cpu::makeBatchNormBackward(norm, m_threads);
    }
    KernelResult makeActivation(const Activation& activation) const override
    {
        return cpu::makeActivation(activation, m_threads);
    }
    KernelResult makeActivationBackward(const Activation& activation) const override
    {
        return cpu::makeActivationBackward(activation, m_threads);
    }
    KernelResult makeDropout(const Dropout& dropout) const override { return cpu::makeDropout(dropout, m_threads); }
    KernelResult makeAdd(const Add& add) const override { return cpu::makeAdd(add, m_threads); }
    KernelResult makeSoftmax(const Softmax& softmax) const override { return cpu::makeSoftmax(softmax, m_threads); }
    KernelResult makeSoftmaxBackward(const Softmax& softmax) const override
    {
        return cpu::makeSoftmaxBackward(softmax, m_threads);
    }
    KernelResult makeCrossEntropy(const CrossEntropy& loss) const override
    {
        return cpu::makeCrossEntropy(loss, m_threads);
    }
    KernelResult makeEmbedding(const Embedding& embedding) const override
    {
        return cpu::makeEmbedding(embedding, m_threads);
    }
    KernelResult makeEmbeddingBackward(const Embedding& embedding) const override
    {
        return cpu::makeEmbeddingBackward(embedding, m_threads);
    }
    KernelResult makeAttention(const Attention& attention) const override
    {
        return cpu::makeAttention(attention, m_threads);
    }
    KernelResult makeAttentionBackward(const Attention& attention) const override
    {
        return cpu::makeAttentionBackward(attention, m_threads);
    }
    KernelResult makeCachedAttention(const Attention& attention) const override
    {
        return cpu::makeCachedAttention(attention, m_threads);
    }
    KernelResult makeLstm(const Lstm& lstm) const override { return cpu::makeLstm(lstm, m_threads); }
    KernelResult makeLstmBackward(const Lstm& lstm) const override { return cpu::makeLstmBackward(lstm, m_threads); }
    KernelResult makeGru(const Gru& gru) const override { return cpu::makeGru(gru, m_threads); }
    KernelResult makeGruBackward(const Gru& gru) const override { return cpu::makeGruBackward(gru, m_threads); }
    KernelResult makePosition(const Position& position) const override
    {
        return cpu::makePosition(position, m_threads);
    }
    KernelResult makePositionBackward(const Position& position) const override
    {
        return cpu::makePositionBackward(position, m_threads);
    }
    KernelResult makeMeanSquaredError(const MeanSquaredError& loss) const override
    {
        return cpu::makeMeanSquaredError(loss, m_threads);
    }
    KernelResult makeMeanAbsoluteError(const MeanAbsoluteError& loss) const override
    {
        return cpu::makeMeanAbsoluteError(loss, m_threads);
    }
    KernelResult makeHuber(const Huber& loss) const override { return cpu::makeHuber(loss, m_threads); }
    KernelResult makeBinaryCrossEntropy(const BinaryCrossEntropy& loss) const override
    {
        return cpu::makeBinaryCrossEntropy(loss, m_threads);
    }
    KernelResult makeKlDivergence(const KlDivergence& loss) const override
    {
        return cpu::makeKlDivergence(loss, m_threads);
    }
    KernelResult makeLayerNorm(const LayerNorm& norm) const override { return cpu::makeLayerNorm(norm, m_threads); }
    KernelResult makeLayerNormBackward(const LayerNorm& norm) const override
    {
        return cpu::makeLayerNormBackward(norm, m_threads);
    }
    KernelResult makeRmsNorm(const RmsNorm& norm) const override { return cpu::makeRmsNorm(norm, m_threads); }
    KernelResult makeRmsNormBackward(const RmsNorm& norm) const override
    {
        return cpu::makeRmsNormBackward(norm, m_threads);
    }
    KernelResult makeLogSoftmax(const LogSoftmax& softmax) const override
    {
        return cpu::makeLogSoftmax(softmax, m_threads);
    }
    KernelResult makeLogSoftmaxBackward(const LogSoftmax& softmax) const override
    {
        return cpu::makeLogSoftmaxBackward(softmax, m_threads);
    }
    KernelResult makeMultiply(const Multiply& product) const override { return cpu::makeMultiply(product, m_threads); }
    KernelResult makeGroupNorm(const GroupNorm& norm) const override { return cpu::makeGroupNorm(norm, m_threads); }
    KernelResult makeGroupNormBackward(const GroupNorm& norm) const override
    {
        return cpu::makeGroupNormBackward(norm, m_threads);
    }
    KernelResult makeAdaptiveMaxPool2d(const AdaptivePool2d& pool) const override
    {
        return cpu::makeAdaptiveMaxPool2d(pool, m_threads);
    }
    KernelResult makeAdaptiveMaxPool2dBackward(const AdaptivePool2d& pool) const override
    {
        return cpu::makeAdaptiveMaxPool2dBackward(pool, m_threads);
    }
    KernelResult makeAdaptiveAveragePool2d(const AdaptivePool2d& pool) const override
    {
        return cpu::makeAdaptiveAveragePool2d(pool, m_threads);
    }
    KernelResult makeAdaptiveAveragePool2dBackward(const AdaptivePool2d& pool) const override
    {
        return cpu::makeAdaptiveAveragePool2dBackward(pool, m_threads);
    }
    KernelResult makeConcatenate(const Concatenate& join) const override
    {
        return cpu::makeConcatenate(join, m_threads);
    }
    KernelResult makeConcatenateBackward(const Concatenate& join) const override
    {
        return cpu::makeConcatenateBackward(join, m_threads);
    }
    KernelResult makeTranspose(const Transpose& transpose) const override
    {
        return cpu::makeTranspose(transpose, m_threads);
    }
    KernelResult makeReduce(const Reduce& reduce) const override { return cpu::makeReduce(reduce, m_threads); }
    KernelResult makeReduceBackward(const Reduce& reduce) const override
    {
        return cpu::makeReduceBackward(reduce, m_threads);
    }
    KernelResult makeGather(const Gather& gather) const override { return cpu::makeGather(gather, m_threads); }
    KernelResult makeGatherBackward(const Gather& gather) const override
    {
        return cpu::makeGatherBackward(gather, m_threads);
    }
    KernelResult makeCopy(const Copy& copy) const override { return cpu::makeCopy(copy, m_threads); }
    KernelResult makeCast(const Cast& cast) const override { return cpu::makeCast(cast, m_threads); }

protected:
    Error refuse(std::string_view operation) const override
    {
        return makeError(Code::Unsupported, str("The operation ", operation, " has no kernel on this CPU."));
    }

private:
    int m_threads;
};

} // namespace millrace::kernels::cpu
