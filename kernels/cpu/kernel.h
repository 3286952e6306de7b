// What the executor runs on a CPU: one prepared kernel per operation of a program, and the factories that prepare them.
#pragma once

#include "kernels/base/result.h"
#include "kernels/ops/activation.h"
#include "kernels/ops/adaptive_pool2d.h"
#include "kernels/ops/add.h"
#include "kernels/ops/attention.h"
#include "kernels/ops/batch_norm.h"
#include "kernels/ops/binary_cross_entropy.h"
#include "kernels/ops/concatenate.h"
#include "kernels/ops/conv2d.h"
#include "kernels/ops/conv_transpose2d.h"
#include "kernels/ops/cross_entropy.h"
#include "kernels/ops/dense.h"
#include "kernels/ops/dropout.h"
#include "kernels/ops/embedding.h"
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
#include "kernels/ops/pool2d.h"
#include "kernels/ops/position.h"
#include "kernels/ops/reduce.h"
#include "kernels/ops/rms_norm.h"
#include "kernels/ops/softmax.h"
#include "kernels/ops/transpose.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace millrace::kernels::cpu {

/// One execution's operands, in the order in which the operation's contract (kernels/ops/<op>.h) lists them.
/// Tensors are 64-byte aligned; those of one call overlap only where the contract's Aliasing line allows it.
struct Arguments
{
    std::span<const void* const> inputs; ///< null: an optional input that is not there
    std::span<void* const> outputs;      ///< null: an optional output that is not wanted
    std::byte* scratch = nullptr; ///< 64-byte aligned, scratchBytes() long; its content means nothing between runs
    std::uint64_t seed = 0;       ///< what dropout draws from
    std::uint64_t step = 0;

    const float* input(std::size_t index) const { return static_cast<const float*>(inputs[index]); }
    float* output(std::size_t index) const { return static_cast<float*>(outputs[index]); }
};

/// An operation with fixed dimensions and thread count. Whatever is expensive happens when it is made; run() takes no
/// lock, and the same arguments give the same bits for the same thread count on the same machine.
class Kernel
{
public:
    virtual ~Kernel() = default;
    Kernel() = default;
    Kernel(const Kernel&) = delete;
    Kernel& operator=(const Kernel&) = delete;

    virtual std::uint64_t scratchBytes() const { return 0; }
    virtual void run(const Arguments& arguments) = 0;
};

using KernelResult = Result<std::unique_ptr<Kernel>>;

// `threads` is the most the kernel may use, at least 1; a small operation uses one.
// Errors of all: InvalidArgument for dimensions that the contract excludes, OutOfMemory.

KernelResult makeDense(const Dense& dense, int threads);
KernelResult makeDenseBackward(const Dense& dense, int threads);
KernelResult makeConv2d(const Conv2d& conv, int threads);
/// Only what is wanted is prepared; the outputs of the other half must be null.
enum class Gradients
{
    Both,
    Data,
    Weights
};
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

} // namespace millrace::kernels::cpu
