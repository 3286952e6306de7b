// Adds up the parts of a loss: one block, each thread every thousandth part, then a sum over the block; the order
// depends on the number of parts alone.
#include "kernels/cuda/loss_sum.h"

#include "kernels/cuda/device_code.h"

namespace millrace::kernels::cuda {

namespace {

constexpr int kThreads = 1024;

// kernels

__global__ void __launch_bounds__(kThreads) sumParts(const LossSum* parts, std::int64_t count, LossOutputs outputs)
{
    double loss = 0;
    std::int64_t hits = 0;
    for (std::int64_t i = threadIdx.x; i < count; i += kThreads) {
        loss += parts[i].loss;
        hits += parts[i].hits;
    }
    loss = blockSum(loss);
    hits = blockSum(hits);
    if (threadIdx.x != 0) return;
    if (outputs.loss)
        *outputs.loss = static_cast<float>(outputs.factor * loss / (outputs.divisor ? *outputs.divisor : 1));
    if (outputs.hits) *outputs.hits = static_cast<float>(hits);
}

} // namespace

// launchers

void sumLosses(Context& context, const LossSum* parts, std::int64_t count, const LossOutputs& outputs)
{
    launch(context, sumParts, 1, kThreads, 0, parts, count, outputs);
}

} // namespace millrace::kernels::cuda
