// The checks of dimensions that the factories of all devices share.
#pragma once

#include "kernels/base/result.h"
#include "kernels/base/text.h"

#include <cstdint>
#include <initializer_list>
#include <string_view>

namespace millrace::kernels {

struct Dimension
{
    std::string_view name;
    std::int64_t size;
};

/// InvalidArgument naming the first dimension that is not positive.
inline Status requirePositive(std::string_view operation, std::initializer_list<Dimension> dimensions)
{
    for (const auto& [name, size] : dimensions) {
        if (size < 1)
            return makeError(Code::InvalidArgument, str(operation, ": ", name, " is ", size, ", expected at least 1."));
    }
    return {};
}

/// InvalidArgument unless windows of that size fit an image of that size.
inline Status requireFit(std::string_view operation, std::int64_t windowHeight, std::int64_t windowWidth,
                         std::int64_t imageHeight, std::int64_t imageWidth)
{
    if (windowHeight <= imageHeight && windowWidth <= imageWidth) return {};
    return makeError(Code::InvalidArgument,
                     str(operation, ": a window of ", windowHeight, "×", windowWidth,
                         " does not fit the padded image of ", imageHeight, "×", imageWidth, "."));
}

} // namespace millrace::kernels
