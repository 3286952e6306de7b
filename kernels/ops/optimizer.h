// Contracts of the optimisers: each is an update of a flat buffer of parameters. They follow PyTorch's definitions
// (torch.optim); where a definition differs from the paper's or from PyTorch's, the contract says so.
//
// In all: w weights, g gradients, t the step from 1; the states (kState, in order) are flat buffers of the same size
// and start at 0. Coupled weight decay is part of the gradient, g = gradient + weightDecay w; decoupled decay shrinks
// the weights, w *= 1 - learningRate weightDecay. Either applies to segments with `decay` alone.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace millrace::kernels {

/// Elements [begin, end) of the flat buffer: one tensor. The segments of one call ascend and do not overlap; elements
/// in no segment (padding between tensors) are left alone.
struct Segment
{
    std::uint64_t begin = 0, end = 0;
    bool decay = false;                 ///< weight decay applies (weights; neither biases nor norms)
    std::int64_t rows = 0, columns = 0; ///< of a hidden layer's matrix, which Muon makes orthogonal; 0: it is none
};

/// v = momentum v + g;  w -= learningRate v,  with nesterov w -= learningRate (g + momentum v).  Coupled decay.
/// Differs   from the paper: the rate multiplies the velocity when it is applied (as PyTorch), no dampening.
/// Cost      reads 3N, writes 2N elements.
/// Source    Sutskever, Martens, Dahl, Hinton 2013, ICML, section 2.
struct Sgd
{
    static constexpr std::array<std::string_view, 1> kState{"velocity"};
    double learningRate = 0.01, momentum = 0, weightDecay = 0;
    bool nesterov = false;
};

/// m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2
/// w -= learningRate (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon)
/// Adam (decoupled false) has coupled decay, AdamW (true) decoupled decay, applied before the step.
/// Cost      reads 4N, writes 3N elements.
/// Source    Kingma, Ba 2014, arXiv:1412.6980, algorithm 1; Loshchilov, Hutter 2017, arXiv:1711.05101, algorithm 2.
struct Adam
{
    static constexpr std::array<std::string_view, 2> kState{"first_moment", "second_moment"};
    double learningRate = 1e-3, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weightDecay = 0;
    bool decoupled = false;
    std::int64_t step = 1; ///< t: 1 at the first update
};

/// m, v as Adam;  mu_t = beta1 (1 - 0.96^(t momentumDecay) / 2);  P_t = mu_1 mu_2 … mu_t
/// w -= learningRate (mu_(t+1) m / (1 - P_(t+1)) + (1 - mu_t) g / (1 - P_t)) / (sqrt(v / (1 - beta2^t)) + epsilon)
/// Coupled decay.   Cost: reads 4N, writes 3N elements.
/// Source    Dozat 2016, ICLR workshop, "Incorporating Nesterov Momentum into Adam"; mu as PyTorch's NAdam.
struct Nadam
{
    static constexpr std::array<std::string_view, 2> kState{"first_moment", "second_moment"};
    double learningRate = 2e-3, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weightDecay = 0, momentumDecay = 4e-3;
    std::int64_t step = 1;
};

/// v = rho v + (1 - rho) g^2;  m = momentum m + g / (sqrt(v) + epsilon);  w -= learningRate m
/// Coupled decay. epsilon is outside the root, as PyTorch (which calls rho alpha) has it and TensorFlow has not.
/// Cost      reads 4N, writes 3N elements.   Source: Tieleman, Hinton 2012, Coursera lecture 6.5.
struct RmsProp
{
    static constexpr std::array<std::string_view, 2> kState{"square_average", "velocity"};
    double learningRate = 0.01, rho = 0.99, momentum = 0, epsilon = 1e-8, weightDecay = 0;
};

/// v += g^2;  w -= learningRate g / (sqrt(v) + epsilon).  Coupled decay.
/// Cost      reads 3N, writes 2N elements.   Source: Duchi, Hazan, Singer 2011, JMLR 12, section 1.
struct Adagrad
{
    static constexpr std::array<std::string_view, 1> kState{"square_sum"};
    double learningRate = 0.01, epsilon = 1e-10, weightDecay = 0;
};

/// v = rho v + (1 - rho) g^2;  d = g sqrt(u + epsilon) / sqrt(v + epsilon);  u = rho u + (1 - rho) d^2
/// w -= learningRate d.  Coupled decay. The paper has no learning rate (1); rho is 0.9 by default as in PyTorch, where
/// the paper takes 0.95.   Cost: reads 4N, writes 3N elements.
/// Source    Zeiler 2012, arXiv:1212.5701, algorithm 1.
struct Adadelta
{
    static constexpr std::array<std::string_view, 2> kState{"square_average", "square_step_average"};
    double learningRate = 1, rho = 0.9, epsilon = 1e-6, weightDecay = 0;
};

/// m, v as Adam;  d = (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon) + weightDecay w
/// w -= learningRate (‖w‖ / ‖d‖) d  for each tensor; the ratio is 1 where a norm is 0, and for tensors without decay
/// (biases and norms), as in the paper's own training of BERT. PyTorch has no LAMB.
/// Cost      reads 7N, writes 3N elements in two passes.   Source: You et al. 2020, arXiv:1904.00962, algorithm 2.
struct Lamb
{
    static constexpr std::array<std::string_view, 2> kState{"first_moment", "second_moment"};
    double learningRate = 1e-3, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-6, weightDecay = 0.01;
    std::int64_t step = 1;
};

/// w -= learningRate sign(beta1 m + (1 - beta1) g), after decoupled decay;  m = beta2 m + (1 - beta2) g
/// Cost      reads 3N, writes 2N elements.   Source: Chen et al. 2023, arXiv:2302.06675, program 1.
struct Lion
{
    static constexpr std::array<std::string_view, 1> kState{"first_moment"};
    double learningRate = 1e-4, beta1 = 0.9, beta2 = 0.99, weightDecay = 0;
};

/// For each segment that is a matrix (rows, columns):  m = momentum m + (1 - momentum) g
/// u = m, with nesterov (1 - momentum) g + momentum m;  after decoupled decay
/// w -= learningRate sqrt(max(1, rows / columns)) orthogonal(u)
/// orthogonal(u): X = u / max(‖u‖, 1e-7), then five times X = a X + (b A + c A A) X with A = X X^T (of the smaller
/// side) and (a, b, c) = (3.4445, -4.7750, 2.0315), a Newton–Schulz iteration for U V^T of u = U S V^T. All other
/// segments are updated by AdamW with the same rate and decay. Differs   PyTorch's torch.optim.Muon iterates in bf16;
/// this one in f32. Source    Jordan et al. 2024, kellerjordan.github.io/posts/muon; rate and momentum as
/// torch.optim.Muon.
struct Muon
{
    static constexpr std::array<std::string_view, 2> kState{"first_moment", "second_moment"};
    static constexpr std::array<double, 3> kNewtonSchulz{3.4445, -4.7750, 2.0315};
    static constexpr int kIterations = 5;
    static constexpr double kSmallestNorm = 1e-7;
    double learningRate = 1e-3, momentum = 0.95, weightDecay = 0.1;
    bool nesterov = true;
    double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8; ///< of AdamW
    std::int64_t step = 1;
};

} // namespace millrace::kernels
