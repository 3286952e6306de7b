// Dense layer: products whose epilogues add the bias, apply the non-linearity or its gradient, and sum up the bias's
// gradient.
#include "kernels/ops/dense.h"

#include "kernels/cuda/bias_gradient.h"
#include "kernels/cuda/fastest.h"
#include "kernels/cuda/kernel.h"
#include "kernels/cuda/products.h"
#include "kernels/ops/check.h"

#include <algorithm>
#include <optional>

namespace millrace::kernels::cuda {

namespace {

using After = ProductShape::After;

/// Where the weights' gradient is larger, the bias's is not computed by the same product: where that gradient alone is
/// wanted, the other needs as much scratch memory.
constexpr std::uint64_t kMostDiscardedBytes = 64ULL << 20;

Status check(const Dense& dense)
{
    return requirePositive("dense", {{"batch", dense.batch}, {"inputs", dense.inputs}, {"outputs", dense.outputs}});
}

class DenseBackward final : public Kernel
{
public:
    static KernelResult make(Context& context, const Dense& dense, DType type)
    {
        const auto [B, I, O, precision, epilogue] = dense;
        const std::uint64_t weightBytes = static_cast<std::uint64_t>(O * I) * sizeof(float);
        const bool together = weightBytes <= kMostDiscardedBytes;
        MR_TRY(Product data,
               Product::create(context, {.rows = B,
                                         .columns = I,
                                         .depth = O,
                                         .type = type,
                                         .resultType = type,
                                         .precision = precision,
                                         .after = epilogue == Epilogue::None ? After::Nothing : After::Gradient,
                                         .epilogue = epilogue}));
        MR_TRY(Product weights, Product::create(context, {.rows = O,
                                                          .columns = I,
                                                          .depth = B,
                                                          .transposeA = true,
                                                          .type = type,
                                                          .precision = precision,
                                                          .after = together ? After::BiasGradient : After::Nothing}));
        std::unique_ptr<DenseBackward> kernel(new DenseBackward(std::move(data), std::move(weights)));
        std::uint64_t shared = std::max(kernel->m_data.scratchBytes(), kernel->m_weights.scratchBytes());
        Layout scratch;
        if (together) {
            kernel->m_discardedBias = scratch.add(static_cast<std::uint64_t>(O) * sizeof(float));
            kernel->m_discardedWeights = scratch.add(weightBytes);
        } else {
            kernel->m_bias.emplace(context, type, B, O);
            shared = std::max(shared, kernel->m_bias->scratchBytes());
        }
        kernel->m_shared = scratch.add(shared);
        kernel->m_scratchBytes = scratch.sizeBytes();
        return std::unique_ptr<Kernel>(std::move(kernel));
    }

    std::uint64_t scratchBytes() const override { return m_scratchBytes; }

    void run(const Arguments& arguments) override
    {
        const void *x = arguments.inputs[0], *weight = arguments.inputs[1], *dy = arguments.inputs[2];
        const void* v = arguments.inputs.size() > 3 ? arguments.inputs[3] : nullptr;
        float *dweight = arguments.output(1), *dbias = arguments.output(2);
        std::byte* scratch = arguments.scratch + m_shared;
        if (void* dx = arguments.outputs[0]) m_data.run({.a = dy, .b = weight, .d = dx, .v = v}, scratch);
        if (m_bias) {
            if (dweight) m_weights.run({.a = dy, .b = x, .d = dweight}, scratch);
            if (dbias) m_bias->run(dy, dbias, scratch);
        } else if (dweight || dbias) {
            if (!dweight) dweight = reinterpret_cast<float*>(arguments.scratch + m_discardedWeights);
            if (!dbias) dbias = reinterpret_cast<float*>(arguments.scratch + m_discardedBias);
            m_weights.run({.a = dy, .b = x, .d = dweight, .biasGradient = dbias}, scratch);
        }
    }

private:
    DenseBackward(Product data, Product weights) : m_data(std::move(data)), m_weights(std::move(weights)) {}

    Product m_data, m_weights;
    std::optional<BiasGradient> m_bias; ///< where m_weights does not sum it up
    std::uint64_t m_discardedBias = 0, m_discardedWeights = 0, m_shared = 0, m_scratchBytes = 0; ///< in the scratch
};

} // namespace

KernelResult makeDense(Context& context, const Dense& dense, DType type)
{
    MR_CHECK(check(dense));
    if (hasDenseRows(dense, type)) return makeDenseRows(context, dense, type);
    ProductShape shape{.rows = dense.batch,
                       .columns = dense.outputs,
                       .depth = dense.inputs,
                       .transposeB = true,
                       .type = type,
                       .resultType = type,
                       .precision = dense.precision,
                       .after = After::Bias,
                       .epilogue = dense.epilogue};
    MR_TRY(Product usual, Product::create(context, shape));
    std::optional<Product>
        other; // without a bias where there is no epilogue; with what enters GELU where that is wanted
    if (dense.epilogue != Epilogue::Relu) {
        shape.keepInput = dense.epilogue == Epilogue::GeluTanh;
        if (dense.epilogue == Epilogue::None) shape.after = After::Nothing;
        MR_TRY(other, Product::create(context, shape));
    }
    const std::uint64_t scratchBytes = std::max(usual.scratchBytes(), other ? other->scratchBytes() : 0);
    return makeKernel(
        [usual = std::move(usual), other = std::move(other),
         epilogue = dense.epilogue](const Arguments& arguments) mutable {
            const void* bias = arguments.inputs[2];
            void* z = epilogue == Epilogue::GeluTanh && arguments.outputs.size() > 1 ? arguments.outputs[1] : nullptr;
            const bool takesOther = z || (epilogue == Epilogue::None && !bias);
            (takesOther ? *other : usual)
                .run({.a = arguments.inputs[0],
                      .b = arguments.inputs[1],
                      .d = arguments.outputs[0],
                      .bias = bias,
                      .z = z},
                     arguments.scratch);
        },
        scratchBytes);
}

KernelResult makeDenseBackward(Context& context, const Dense& dense, DType type)
{
    MR_CHECK(check(dense));
    return DenseBackward::make(context, dense, type);
}

} // namespace millrace::kernels::cuda
