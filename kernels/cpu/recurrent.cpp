#include "kernels/cpu/recurrent.h"

#include "kernels/cpu/column_sums.h"

namespace millrace::kernels::cpu {

void GateProducts::runInput(const float* gradients, const float* x, const float* weight, float* dx, float* dweight,
                            float* dbias, std::byte* scratch) const
{
    using enum Block::Start;
    if (dx) m_data.run({gradients, m_gates}, {weight, m_inputs}, Zero, nullptr, dx, scratch);
    if (dweight) m_inputWeights.run({gradients, m_gates}, {x, m_inputs}, Zero, nullptr, dweight, scratch);
    if (dbias) sumColumns(gradients, m_rows, m_gates, dbias, m_threads);
}

void GateProducts::runHidden(const float* gradients, const float* before, float* dweight, float* dbias,
                             std::byte* scratch) const
{
    if (dweight)
        m_hiddenWeights.run({gradients, m_gates}, {before, m_width}, Block::Start::Zero, nullptr, dweight, scratch);
    if (dbias) sumColumns(gradients, m_rows, m_gates, dbias, m_threads);
}

void shiftSteps(const Steps& steps, const float* y, float* before)
{
    for (std::int64_t b = 0; b < steps.batch; ++b, y += steps.row(), before += steps.row()) {
        std::fill_n(before, steps.width, 0.0F);
        std::copy_n(y, steps.row() - steps.width, before + steps.width);
    }
}

} // namespace millrace::kernels::cpu
