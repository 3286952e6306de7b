// What the recurrent layers share on a GPU: the products of all steps at once, and those of one step.
#pragma once

#include "kernels/cuda/products.h"

#include <cstddef>

namespace millrace::kernels::cuda {

struct RecurrentShape
{
    std::int64_t batch = 0, steps = 0, inputs = 0, width = 0; ///< B, T, I, H
    std::int64_t gates = 0;                                   ///< of a place of the state

    std::int64_t rows() const { return batch * steps; }
    std::int64_t columns() const { return gates * width; } ///< of all gates, G
};

/// Enqueues state = from, or zeros where `from` is null.
void copyState(Context& context, float* state, const float* from, std::int64_t elements);

/// The gates' products: with the inputs, of all steps, and with the hidden state, of one step of all sequences.
class GateProducts
{
public:
    static Result<GateProducts> create(Context& context, const RecurrentShape& shape);
    std::uint64_t scratchBytes() const;
    /// gates (BT,G) = x (BT,I) weight^T
    void runInput(const float* x, const float* weight, float* gates, std::byte* scratch);
    /// gates (B,G) = hidden (B,H) weight^T
    void runHidden(const float* hidden, const float* weight, float* gates, std::byte* scratch);

private:
    GateProducts(Product input, Product hidden);
    Product m_input, m_hidden;
};

/// The gradients that follow from those of the gates. A null gradient is not computed.
class GateGradients
{
public:
    /// `accumulate`: runState adds to what is there.
    static Result<GateGradients> create(Context& context, const RecurrentShape& shape, bool accumulate);
    std::uint64_t scratchBytes() const;
    /// Of one step: dhidden (B,H) = gradients (B,G) weightHidden
    void runState(const float* gradients, const float* weight, float* dhidden, std::byte* scratch);
    /// Of all steps, from the gradients (BT,G) of weightInput x + biasInput.
    void runInput(const float* gradients, const float* x, const float* weight, float* dx, float* dweight, float* dbias,
                  std::byte* scratch);
    /// Of all steps, from the gradients (BT,G) of weightHidden h[t-1] + biasHidden; `before` (BT,H) has every h[t-1].
    void runHidden(const float* gradients, const float* before, float* dweight, float* dbias, std::byte* scratch);

private:
    GateGradients(Context& context, const RecurrentShape& shape, Product state, Product data, Product inputWeights,
                  Product hiddenWeights);
    void sumRows(const float* gradients, float* dbias, std::byte* scratch);

    Context* m_context;
    RecurrentShape m_shape;
    Product m_state, m_data, m_inputWeights, m_hiddenWeights;
};

} // namespace millrace::kernels::cuda
