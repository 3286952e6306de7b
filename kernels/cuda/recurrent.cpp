#include "kernels/cuda/recurrent.h"

#include "kernels/cuda/column_sums.h"

#include <algorithm>
#include <utility>

namespace millrace::kernels::cuda {

void copyState(Context& context, float* state, const float* from, std::int64_t elements)
{
    const auto bytes = static_cast<std::size_t>(elements) * sizeof(float);
    const Runtime& call = context.runtime();
    context.check(from ? call.cudaMemcpyAsync(state, from, bytes, cudaMemcpyDeviceToDevice, context.stream())
                       : call.cudaMemsetAsync(state, 0, bytes, context.stream()),
                  "setting the state of a recurrent layer");
}

GateProducts::GateProducts(Product input, Product hidden) : m_input(std::move(input)), m_hidden(std::move(hidden)) {}

Result<GateProducts> GateProducts::create(Context& context, const RecurrentShape& s)
{
    MR_TRY(Product input,
           Product::create(context, {.rows = s.rows(), .columns = s.columns(), .depth = s.inputs, .transposeB = true}));
    MR_TRY(Product hidden,
           Product::create(context, {.rows = s.batch, .columns = s.columns(), .depth = s.width, .transposeB = true}));
    return GateProducts(std::move(input), std::move(hidden));
}

std::uint64_t GateProducts::scratchBytes() const
{
    return std::max(m_input.scratchBytes(), m_hidden.scratchBytes());
}

void GateProducts::runInput(const float* x, const float* weight, float* gates, std::byte* scratch)
{
    m_input.run({.a = x, .b = weight, .d = gates}, scratch);
}

void GateProducts::runHidden(const float* hidden, const float* weight, float* gates, std::byte* scratch)
{
    m_hidden.run({.a = hidden, .b = weight, .d = gates}, scratch);
}

GateGradients::GateGradients(Context& context, const RecurrentShape& shape, Product state, Product data,
                             Product inputWeights, Product hiddenWeights)
    : m_context(&context), m_shape(shape), m_state(std::move(state)), m_data(std::move(data)),
      m_inputWeights(std::move(inputWeights)), m_hiddenWeights(std::move(hiddenWeights))
{
}

Result<GateGradients> GateGradients::create(Context& context, const RecurrentShape& s, bool accumulate)
{
    MR_TRY(Product state,
           Product::create(context,
                           {.rows = s.batch, .columns = s.width, .depth = s.columns(), .accumulate = accumulate}));
    MR_TRY(Product data, Product::create(context, {.rows = s.rows(), .columns = s.inputs, .depth = s.columns()}));
    MR_TRY(Product inputWeights,
           Product::create(context, {.rows = s.columns(), .columns = s.inputs, .depth = s.rows(), .transposeA = true}));
    MR_TRY(Product hiddenWeights,
           Product::create(context, {.rows = s.columns(), .columns = s.width, .depth = s.rows(), .transposeA = true}));
    return GateGradients(context, s, std::move(state), std::move(data), std::move(inputWeights),
                         std::move(hiddenWeights));
}

std::uint64_t GateGradients::scratchBytes() const
{
    const auto sums = static_cast<std::uint64_t>(columnParts(m_shape.rows()) * m_shape.columns()) * sizeof(float);
    return std::max({m_state.scratchBytes(), m_data.scratchBytes(), m_inputWeights.scratchBytes(),
                     m_hiddenWeights.scratchBytes(), sums});
}

void GateGradients::runState(const float* gradients, const float* weight, float* dhidden, std::byte* scratch)
{
    m_state.run({.a = gradients, .b = weight, .d = dhidden}, scratch);
}

void GateGradients::runInput(const float* gradients, const float* x, const float* weight, float* dx, float* dweight,
                             float* dbias, std::byte* scratch)
{
    if (dx) m_data.run({.a = gradients, .b = weight, .d = dx}, scratch);
    if (dweight) m_inputWeights.run({.a = gradients, .b = x, .d = dweight}, scratch);
    if (dbias) sumRows(gradients, dbias, scratch);
}

void GateGradients::runHidden(const float* gradients, const float* before, float* dweight, float* dbias,
                              std::byte* scratch)
{
    if (dweight) m_hiddenWeights.run({.a = gradients, .b = before, .d = dweight}, scratch);
    if (dbias) sumRows(gradients, dbias, scratch);
}

void GateGradients::sumRows(const float* gradients, float* dbias, std::byte* scratch)
{
    sumColumns(*m_context, gradients, m_shape.rows(), m_shape.columns(), reinterpret_cast<float*>(scratch), dbias);
}

} // namespace millrace::kernels::cuda
