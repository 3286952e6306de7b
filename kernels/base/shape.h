// The shape of a tensor: up to eight dimensions, row-major.
#pragma once

#include "kernels/base/checked.h"
#include "kernels/base/result.h"

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

namespace millrace {

class Shape
{
public:
    static constexpr std::size_t kMaxRank = 8;

    Shape() = default;
    /// Dimensions that the program itself chose; those of a file go through `create`.
    Shape(std::initializer_list<std::int64_t> dimensions);
    /// Errors: InvalidArgument for a rank over 8, a negative dimension or a product over 2^62.
    static Result<Shape> create(std::span<const std::int64_t> dimensions);

    std::size_t rank() const { return m_rank; }
    std::int64_t operator[](std::size_t axis) const { return m_dimensions[axis]; }
    std::span<const std::int64_t> dimensions() const { return {m_dimensions.data(), m_rank}; }
    /// Product of the dimensions; 1 for rank 0.
    std::int64_t elements() const;
    /// The same shape with the axis set to another size.
    Shape with(std::size_t axis, std::int64_t size) const;
    /// "8×8×1"; "scalar" for rank 0.
    std::string toString() const;

    bool operator==(const Shape&) const = default;

private:
    std::array<std::int64_t, kMaxRank> m_dimensions{};
    std::size_t m_rank = 0;
};

} // namespace millrace
