// The families of operation kinds, and what their rules share. Only engine/graph/operations.cpp and the families
// themselves include this.
#pragma once

#include "engine/graph/operations.h"
#include "kernels/base/text.h"

namespace millrace::graph::kinds {

std::span<const OperationKind> linear();
std::span<const OperationKind> convolution();
std::span<const OperationKind> pooling();
std::span<const OperationKind> normalization();
std::span<const OperationKind> elementwise();
std::span<const OperationKind> reshaping();
std::span<const OperationKind> losses();
std::span<const OperationKind> arrangement();
std::span<const OperationKind> reduction();
std::span<const OperationKind> sequence();
std::span<const OperationKind> recurrent();

/// As many operations per element of the first output.
template <int count> double perElement(const Site& site)
{
    return count * static_cast<double>(site.output(0).shape.elements());
}

inline double noFlops(const Site&)
{
    return 0;
}

/// The first output like input `index`.
template <std::size_t index> Result<std::vector<OutputType>> likeInput(const Site& site)
{
    return std::vector<OutputType>{{"out", site.input(index).shape}};
}

/// The gradient "dx" like input `index`.
template <std::size_t index> Result<std::vector<OutputType>> gradientLikeInput(const Site& site)
{
    return std::vector<OutputType>{{"dx", site.input(index).shape}};
}

/// Refuses an image operation whose first input is no image, or whose size, stride, padding or dilation is out of
/// range.
Status checkImage(const Site& site);
Status checkPositive(const Site& site, std::string_view attribute, std::int64_t least = 1);
Status checkWindow(const Site& site, const Window& window);

/// Refuses a precision that is not f32, bf16 or tf32.
Status checkPrecision(const Site& site);

/// Refuses an activation, of a kind that computes one along, that is none of these names.
Status checkActivation(const Site& site, std::span<const std::string_view> known);

/// Of gradient rules: an operation that computes others along has none, as gradients come before fusion.
Error refuseFused(const Operation& operation);

/// Refuses a vector (bias, scale, …) at that input that is not of `size` elements.
Status checkVector(const Site& site, std::size_t index, std::string_view what, std::int64_t size);

} // namespace millrace::graph::kinds
