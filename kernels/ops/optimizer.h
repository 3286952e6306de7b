// Contracts of the optimisers: each is one pass over a flat buffer of parameters.
#pragma once

#include <cstdint>

namespace millrace::kernels {

/// Elements [begin, end) of the flat buffer, and whether weight decay applies to them. The segments of one call ascend
/// and do not overlap; elements in no segment (padding between tensors) are left alone.
struct Segment
{
    std::uint64_t begin = 0, end = 0;
    bool decay = false;
};

/// g = gradient + weightDecay w;  v = momentum v + g;  w -= learningRate v   (as PyTorch, no dampening; v starts at 0)
/// State     velocity (N).   Cost: reads 3N, writes 2N elements.
/// Source    Sutskever, Martens, Dahl, Hinton 2013, ICML, section 2; coupled weight decay as PyTorch's SGD.
struct Sgd
{
    double learningRate = 0.01, momentum = 0, weightDecay = 0;
};

/// m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2
/// w -= learningRate (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon),  t = step from 1
/// Adam (decoupled false): g = gradient + weightDecay w.
/// AdamW (true): g = gradient, and first w *= 1 - learningRate weightDecay.
/// State     first moment m (N), second moment v (N), both start at 0.   Cost: reads 4N, writes 3N elements.
/// Source    Kingma, Ba 2014, arXiv:1412.6980, algorithm 1; Loshchilov, Hutter 2017, arXiv:1711.05101, algorithm 2.
struct Adam
{
    double learningRate = 1e-3, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weightDecay = 0;
    bool decoupled = false;
    std::int64_t step = 1; ///< t: 1 at the first update
};

} // namespace millrace::kernels
