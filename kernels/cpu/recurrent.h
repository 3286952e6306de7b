// What the kernels of recurrent layers share: the weights' products of all steps at once, those of one step for some of
// the sequences, and how scratch memory is cut up.
#pragma once

#include "kernels/cpu/product.h"

#include <algorithm>
#include <cstddef>

namespace millrace::kernels::cpu {

/// Sizes and places of arrays of floats in scratch memory: first counted with a null memory, then taken.
class Cutter
{
public:
    explicit Cutter(std::byte* memory = nullptr) : m_memory(memory) {}
    float* take(std::int64_t count)
    {
        float* result = m_memory ? reinterpret_cast<float*>(m_memory + m_bytes) : nullptr;
        m_bytes += (static_cast<std::uint64_t>(count) * sizeof(float) + 63) / 64 * 64;
        return result;
    }
    std::byte* rest() const { return m_memory ? m_memory + m_bytes : nullptr; }
    std::uint64_t bytes() const { return m_bytes; }

private:
    std::byte* m_memory;
    std::uint64_t m_bytes = 0;
};

/// Sequences (B,T,…) of which one step of all is taken at a time.
struct Steps
{
    std::int64_t batch, steps, width;

    std::int64_t elements() const { return batch * steps * width; }
    std::int64_t row() const { return steps * width; } ///< from one sequence to the next
};

/// The gradients that follow from those of the gates, of all steps: three products and sums over the rows. A null
/// gradient is not computed.
class GateProducts
{
public:
    GateProducts(std::int64_t rows, std::int64_t inputs, std::int64_t gates, std::int64_t width, int threads)
        : m_rows(rows), m_inputs(inputs), m_gates(gates), m_width(width), m_threads(threads),
          m_data({.m = rows, .n = inputs, .k = gates}, threads),
          m_inputWeights({.m = gates, .n = inputs, .k = rows, .aTransposed = true}, threads),
          m_hiddenWeights({.m = gates, .n = width, .k = rows, .aTransposed = true}, threads)
    {
    }
    std::uint64_t scratchBytes() const
    {
        return std::max({m_data.scratchBytes(), m_inputWeights.scratchBytes(), m_hiddenWeights.scratchBytes()});
    }
    /// From the gradients of weightInput x + biasInput.
    void runInput(const float* gradients, const float* x, const float* weight, float* dx, float* dweight, float* dbias,
                  std::byte* scratch) const;
    /// From the gradients of weightHidden h[t-1] + biasHidden; `before` has every h[t-1].
    void runHidden(const float* gradients, const float* before, float* dweight, float* dbias, std::byte* scratch) const;

private:
    std::int64_t m_rows, m_inputs, m_gates, m_width;
    int m_threads;
    Product m_data, m_inputWeights, m_hiddenWeights;
};

/// before[b,t] = y[b,t-1], zero for t = 0.
void shiftSteps(const Steps& steps, const float* y, float* before);

} // namespace millrace::kernels::cpu
