// The checks of dimensions of operations whose windows slide over images, for the factories of all devices.
#pragma once

#include "kernels/ops/check.h"
#include "kernels/ops/conv2d.h"
#include "kernels/ops/pool2d.h"

#include <algorithm>

namespace millrace::kernels {

inline Status check(const Conv2d& c)
{
    MR_CHECK(requirePositive("conv2d", {{"batch", c.batch},
                                        {"height", c.height},
                                        {"width", c.width},
                                        {"channels", c.channels},
                                        {"output channels", c.outputChannels},
                                        {"kernel height", c.kernelHeight},
                                        {"kernel width", c.kernelWidth},
                                        {"groups", c.groups},
                                        {"stride", std::min(c.strideHeight, c.strideWidth)},
                                        {"dilation", std::min(c.dilationHeight, c.dilationWidth)}}));
    if (std::min(c.padHeight, c.padWidth) < 0)
        return makeError(Code::InvalidArgument,
                         str("conv2d: padding is ", std::min(c.padHeight, c.padWidth), ", expected at least 0."));
    if (c.channels % c.groups != 0 || c.outputChannels % c.groups != 0)
        return makeError(Code::InvalidArgument, str("conv2d: ", c.channels, " input and ", c.outputChannels,
                                                    " output channels cannot be split into ", c.groups, " groups."));
    return requireFit("conv2d", c.dilationHeight * (c.kernelHeight - 1) + 1, c.dilationWidth * (c.kernelWidth - 1) + 1,
                      c.height + 2 * c.padHeight, c.width + 2 * c.padWidth);
}

inline Status check(const Pool2d& p)
{
    MR_CHECK(requirePositive("pool2d", {{"batch", p.batch},
                                        {"height", p.height},
                                        {"width", p.width},
                                        {"channels", p.channels},
                                        {"kernel height", p.kernelHeight},
                                        {"kernel width", p.kernelWidth},
                                        {"stride", std::min(p.strideHeight, p.strideWidth)}}));
    if (std::min(p.padHeight, p.padWidth) < 0 || 2 * p.padHeight > p.kernelHeight || 2 * p.padWidth > p.kernelWidth)
        return makeError(Code::InvalidArgument,
                         str("pool2d: the padding ", p.padHeight, "×", p.padWidth,
                             " is not between 0 and half the window ", p.kernelHeight, "×", p.kernelWidth, "."));
    return requireFit("pool2d", p.kernelHeight, p.kernelWidth, p.height + 2 * p.padHeight, p.width + 2 * p.padWidth);
}

} // namespace millrace::kernels
