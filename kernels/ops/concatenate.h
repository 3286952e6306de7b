// Contract of joining tensors along an axis, of cutting one along an axis, and of filling up with zeros.
#pragma once

#include <cstdint>
#include <vector>

namespace millrace::kernels {

/// y[o] = part0[o], part1[o], …: each of the O rows of y is the parts' rows one after the other. A part that is not
/// there is zeros in y where parts are joined, and left out where y is cut.
/// Forward   the parts that are there, in order -> y
/// Backward  dy -> the gradients of the parts that are there, in order (a null output is not computed). It is the
///           cutting operation: split and slice are this direction alone, and Forward is their gradient.
/// Shapes    part k (O, size k); y (O, sum of the sizes): the axes before the joined one are O, the joined one and
/// those
///           after it are a part's size.
/// Types     f32.   Aliasing: none.   Cost: reads and writes each element once.
struct Concatenate
{
    struct Part
    {
        std::int64_t size = 0;
        bool there = true;
    };
    std::int64_t outer = 0; ///< O
    std::vector<Part> parts;

    std::int64_t rowSize() const
    {
        std::int64_t sum = 0;
        for (const Part& part : parts) sum += part.size;
        return sum;
    }
};

} // namespace millrace::kernels
