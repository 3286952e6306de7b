// Axes of a tensor in device code: which place of memory the i-th position of some of them is.
// Only .cu files include this.
#pragma once

#include "kernels/cuda/device_code.h"
#include "kernels/ops/check.h"

namespace millrace::kernels::cuda {

/// Outermost first. Neighbours that are neighbours in memory too should have been merged.
struct Axes
{
    static constexpr int kMost = 8;
    int count = 0;
    std::int64_t sizes[kMost] = {}, strides[kMost] = {};

    /// Unsupported where there are kMost already.
    Status add(std::string_view operation, std::int64_t size, std::int64_t stride)
    {
        if (count == kMost)
            return makeError(Code::Unsupported, str(operation, ": more than ", kMost, " axes that cannot be merged."));
        sizes[count] = size;
        strides[count++] = stride;
        return {};
    }

    std::int64_t positions() const
    {
        std::int64_t product = 1;
        for (int axis = 0; axis < count; ++axis) product *= sizes[axis];
        return product;
    }

    /// Whether the positions are neighbours in memory.
    __device__ bool isDense() const { return count == 0 || (count == 1 && strides[0] == 1); }

    __device__ std::int64_t offset(std::int64_t i) const
    {
        std::int64_t sum = 0;
        for (int axis = count - 1; axis > 0; --axis) {
            sum += i % sizes[axis] * strides[axis];
            i /= sizes[axis];
        }
        return count > 0 ? sum + i * strides[0] : 0;
    }
};

} // namespace millrace::kernels::cuda
