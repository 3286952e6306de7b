// Rounding to another type's numbers, which stay doubles here.
#include "kernels/reference/reference.h"

#include <algorithm>
#include <cmath>

namespace millrace::kernels::reference {

namespace {

/// A binary floating-point type: digits of its significand, exponent of its smallest normal number (as ilogb counts
/// it), largest number.
struct Format
{
    int digits, smallest;
    double largest;
};

Format formatOf(DType type)
{
    switch (type) {
    case DType::BF16:
        return {8, -126, 0x1.FEp127};
    case DType::F16:
        return {11, -14, 65504};
    default:
        return {24, -126, 0x1.FFFFFEp127};
    }
}

double rounded(double value, const Format& format)
{
    if (value == 0 || !std::isfinite(value)) return value;
    const int last = std::max(std::ilogb(value), format.smallest) - (format.digits - 1); // exponent of the last digit
    const double result = std::ldexp(std::nearbyint(std::ldexp(value, -last)), last);
    return std::abs(result) > format.largest ? std::copysign(INFINITY, value) : result;
}

} // namespace

void cast(const Cast& cast, Inputs inputs, Outputs outputs)
{
    const Format format = formatOf(cast.to);
    for (std::size_t i = 0; i < outputs[0].size(); ++i) outputs[0][i] = rounded(inputs[0][i], format);
}

} // namespace millrace::kernels::reference
