// All that the project knows of oneDNN, whose C++ interface differs between 2.x (Debian 12) and 3.x (Debian 13).
#pragma once

#include "kernels/base/result.h"
#include "kernels/ops/conv2d.h"

#include <cstddef>
#include <cstdint>
#include <memory>

namespace millrace::kernels::cpu::onednn {

/// A row-major matrix, or its transpose: `columns` is the length of a row in memory either way.
struct Matrix
{
    const float* values;
    std::int64_t columns;
    bool transposed = false;
};

/// c (M,N) = a (M,K) b (K,N), plus what c held where `accumulate`; c row-major. Small products stay on one thread.
void multiply(std::int64_t m, std::int64_t n, std::int64_t k, Matrix a, Matrix b, bool accumulate, float* c,
              int threads);

/// A prepared convolution: one of its three products, with the reorder of the weights that oneDNN's choice asks for.
class Convolution
{
public:
    enum class Part
    {
        Forward,
        BackwardData,
        BackwardWeights
    };
    /// Errors: Unsupported with oneDNN's reason, OutOfMemory.
    static Result<std::unique_ptr<Convolution>> create(const Conv2d& conv, Part part, int threads);
    ~Convolution();

    std::uint64_t scratchBytes() const;
    /// The four tensors of Conv2d's contract, values or gradients as the part has them; BackwardData has no bias.
    struct Operands
    {
        const float *image, *weight, *bias, *result;
    };
    void run(const Operands& operands, std::byte* scratch);

private:
    struct State;
    explicit Convolution(std::unique_ptr<State> state);
    std::unique_ptr<State> m_state;
};

} // namespace millrace::kernels::cpu::onednn
