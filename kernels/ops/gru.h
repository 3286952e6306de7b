// Contract of the gated recurrent unit.
#pragma once

#include <cstdint>

namespace millrace::kernels {

/// For t = 0 … T-1, with h[-1] the first hidden state (zero where null), a = weightInput x[t] + biasInput and
/// p = weightHidden h[t-1] + biasHidden, three times H rows each:
///           r = sigmoid(a_r + p_r);   z = sigmoid(a_z + p_z);   n = tanh(a_n + r p_n)
///           h[t] = (1 - z) n + z h[t-1];   y[b,t] = h[t]
///           The hidden bias of n is inside the product with r, as PyTorch has it; Cho et al. have it outside.
/// Forward   x, weightInput, weightHidden, biasInput, biasHidden, hidden -> y, gates, product, hidden
///           hidden may be null and comes back as h[T-1]; gates has every r, z, n and product every p_n. Null outputs
///           are not written.
/// Backward  x, weightInput, weightHidden, y, gates, product, dy -> dx, dweightInput, dweightHidden, dbiasInput,
///           dbiasHidden, from a first state of zero. A null output is not computed.
/// Shapes    x, dx (B,T,I); y, dy, product (B,T,H); gates (B,T,3H); weightInput (3H,I); weightHidden (3H,H);
///           biases (3H); hidden (B,H).
/// Types     f32.   Aliasing: the state that comes out may be the one that went in.
/// Cost      6 B T H (I + H) operations forward, twice that backward.
/// Source    Cho et al. 2014, arXiv:1406.1078, section 2.3; gates and their order as PyTorch's GRU.
struct Gru
{
    std::int64_t batch = 0, steps = 0, inputs = 0, width = 0; ///< B, T, I, H
};

} // namespace millrace::kernels
