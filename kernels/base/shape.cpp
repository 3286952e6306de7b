#include "kernels/base/shape.h"

#include "kernels/base/text.h"

#include <algorithm>
#include <cassert>

namespace millrace {

Shape::Shape(std::initializer_list<std::int64_t> dimensions) : m_rank(dimensions.size())
{
    assert(dimensions.size() <= kMaxRank);
    std::copy(dimensions.begin(), dimensions.end(), m_dimensions.begin());
}

Result<Shape> Shape::create(std::span<const std::int64_t> dimensions)
{
    if (dimensions.size() > kMaxRank)
        return makeError(Code::InvalidArgument,
                         str("A tensor of ", dimensions.size(), " dimensions is not supported; at most 8 are."));
    Shape shape;
    std::int64_t product = 1;
    for (const std::int64_t size : dimensions) {
        if (size < 0) return makeError(Code::InvalidArgument, str("A dimension of ", size, " is negative."));
        const auto next = checkedMultiply(product, std::max<std::int64_t>(size, 1));
        if (!next || *next > (std::int64_t{1} << 62))
            return makeError(Code::InvalidArgument, "The product of the dimensions is larger than 2^62.");
        product = *next;
        shape.m_dimensions[shape.m_rank++] = size;
    }
    return shape;
}

std::int64_t Shape::elements() const
{
    std::int64_t product = 1;
    for (const std::int64_t size : dimensions()) product *= size;
    return product;
}

Shape Shape::with(std::size_t axis, std::int64_t size) const
{
    Shape result = *this;
    result.m_dimensions[axis] = size;
    return result;
}

std::string Shape::toString() const
{
    if (m_rank == 0) return "scalar";
    std::string text;
    for (std::size_t i = 0; i < m_rank; ++i) text += str(i == 0 ? "" : "×", m_dimensions[i]);
    return text;
}

} // namespace millrace
