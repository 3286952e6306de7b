// Contract of the long short-term memory layer.
#pragma once

#include <cstdint>

namespace millrace::kernels {

/// For t = 0 … T-1, with h[-1] and c[-1] the first hidden and cell state (zero where null):
///           (i, f, g, o) = weightInput x[t] + biasInput + weightHidden h[t-1] + biasHidden, H rows each
///           c[t] = sigmoid(f) c[t-1] + sigmoid(i) tanh(g);   h[t] = sigmoid(o) tanh(c[t]);   y[b,t] = h[t]
/// Forward   x, weightInput, weightHidden, biasInput, biasHidden, hidden, cell -> y, cells, gates, hidden, cell
///           hidden and cell may be null and come back as h[T-1] and c[T-1]; cells has every c, gates every i, f, g, o
///           after its sigmoid or tanh. Null outputs are not written.
/// Backward  x, weightInput, weightHidden, y, cells, gates, dy -> dx, dweightInput, dweightHidden, dbiasInput,
///           dbiasHidden, from a first state of zero. A null output is not computed.
/// Shapes    x, dx (B,T,I); y, dy, cells (B,T,H); gates (B,T,4H); weightInput (4H,I); weightHidden (4H,H);
///           biases (4H); hidden, cell (B,H).
/// Types     f32.   Aliasing: the states that come out may be those that went in.
/// Cost      8 B T H (I + H) operations forward, twice that backward.
/// Source    Hochreiter, Schmidhuber 1997, Long Short-Term Memory; gates and their order as PyTorch's LSTM.
struct Lstm
{
    std::int64_t batch = 0, steps = 0, inputs = 0, width = 0; ///< B, T, I, H
};

} // namespace millrace::kernels
