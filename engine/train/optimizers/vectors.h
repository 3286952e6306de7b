// The vectors that a search along a line works on, in the host's memory or in a GPU's.
#pragma once

#include "kernels/base/result.h"

#include <cstddef>
#include <memory>
#include <span>

namespace millrace::kernels {
class Device;
}

namespace millrace::train {

/// Memory and arithmetic of one place. Spans are addresses there, which nobody else may look at; those of one call have
/// the same size. The same values give the same bits.
class Vectors
{
public:
    virtual ~Vectors() = default;
    /// n zeros, which are kept as long as this. Errors: OutOfMemory.
    virtual Result<std::span<float>> allocate(std::size_t n) = 0;
    virtual void copy(std::span<float> to, std::span<const float> from) = 0;
    virtual void scale(std::span<float> values, float factor) = 0;
    /// values[i] = own values[i] + factor other[i]
    virtual void combine(std::span<float> values, float own, std::span<const float> other, float factor) = 0;

    // In f64. Errors: those of the device.

    virtual Result<double> dot(std::span<const float> a, std::span<const float> b) = 0;
    virtual Result<double> largest(std::span<const float> values) = 0;    ///< max |v|
    virtual Result<double> sumOfSizes(std::span<const float> values) = 0; ///< sum |v|
};

std::unique_ptr<Vectors> hostVectors(int threads);
/// On the device's compute queue. The device must stay longer.
std::unique_ptr<Vectors> deviceVectors(kernels::Device& device);

} // namespace millrace::train
