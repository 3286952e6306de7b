// Losses that are a mean over elements: loss and gradient in one reading. A loss is a type with
//   static double loss(float x, float target, float parameter)
//   static float gradient(float x, float target, float parameter)      not yet divided by the number of elements
//   static bool hit(float x, float target)
// Blocks add up their elements in f64 and in a fixed order; how many there are depends on the number of elements alone.
// What one block manages is one kernel, else a second one adds up the blocks' parts.
// Only .cu files include this.
#pragma once

#include "kernels/cuda/device_code.h"
#include "kernels/cuda/kernel.h"
#include "kernels/cuda/loss_sum.h"
#include "kernels/ops/check.h"

#include <algorithm>

namespace millrace::kernels::cuda {

constexpr int kLossThreads = 256;
constexpr std::int64_t kLossBlocks = 1024;        ///< at most
constexpr std::int64_t kLossBlockElements = 4096; ///< fewer blocks where they would get less

struct ElementLoss
{
    const float *x, *target;
    float* dx; ///< may be x; null: not wanted
    const Counter* counter;
    std::int64_t elements;
    float parameter; ///< what the loss has of its own
};

// kernels

/// parts: a sum for each block; null: there is one block, which writes the outputs.
template <class Loss>
__global__ void __launch_bounds__(kLossThreads) elementLoss(ElementLoss o, LossSum* parts, LossOutputs outputs)
{
    using Pack = Packed<float>;
    const float factor = o.dx ? o.counter->lossScale / static_cast<float>(o.elements) : 0.0F;
    LossSum sum{0, 0};
    const auto add = [&](float& x, float target) {
        sum.loss += Loss::loss(x, target, o.parameter);
        sum.hits += Loss::hit(x, target) ? 1 : 0;
        x = factor * Loss::gradient(x, target, o.parameter);
    };
    const std::int64_t thread = static_cast<std::int64_t>(blockIdx.x) * kLossThreads + threadIdx.x;
    const std::int64_t threads = static_cast<std::int64_t>(gridDim.x) * kLossThreads;
    for (std::int64_t i = thread * Pack::kSize; i < o.elements; i += threads * Pack::kSize) {
        if (i + Pack::kSize <= o.elements) {
            Pack x = Pack::load(o.x + i);
            const Pack target = Pack::loadOnce(o.target + i);
            for (int k = 0; k < Pack::kSize; ++k) add(x.values[k], target.values[k]);
            if (o.dx) x.store(o.dx + i);
        } else {
            for (std::int64_t k = i; k < o.elements; ++k) {
                float x = o.x[k];
                add(x, o.target[k]);
                if (o.dx) o.dx[k] = x;
            }
        }
    }
    sum.loss = blockSum(sum.loss);
    sum.hits = blockSum(sum.hits);
    if (threadIdx.x != 0) return;
    if (parts) {
        parts[blockIdx.x] = sum;
        return;
    }
    if (outputs.loss) *outputs.loss = static_cast<float>(sum.loss * outputs.factor);
    if (outputs.hits) *outputs.hits = static_cast<float>(sum.hits);
}

// launchers

/// Outputs: loss, [hits where `countsHits`], dx.
template <class Loss>
KernelResult makeElementLoss(Context& context, std::string_view operation, std::int64_t elements, float parameter,
                             bool countsHits, DType type)
{
    MR_CHECK(requireF32(operation, type));
    MR_CHECK(requirePositive(operation, {{"elements", elements}}));
    const std::int64_t blocks =
        std::clamp<std::int64_t>((elements + kLossBlockElements - 1) / kLossBlockElements, 1, kLossBlocks);
    const auto run = [=, &context](const Arguments& arguments) {
        const LossOutputs outputs{arguments.output(0), countsHits ? arguments.output(1) : nullptr,
                                  1.0 / static_cast<double>(elements), nullptr};
        auto* parts = blocks > 1 ? reinterpret_cast<LossSum*>(arguments.scratch) : nullptr;
        launch(context, elementLoss<Loss>, blocksFor(blocks, 1), kLossThreads, 0,
               ElementLoss{arguments.input(0), arguments.input(1), arguments.output(countsHits ? 2 : 1),
                           arguments.counter, elements, parameter},
               parts, outputs);
        if (parts && (outputs.loss || outputs.hits)) sumLosses(context, parts, blocks, outputs);
    };
    return makeKernel(run, blocks > 1 ? static_cast<std::uint64_t>(blocks) * sizeof(LossSum) : 0);
}

} // namespace millrace::kernels::cuda
