// safetensors files, written deterministically and read with every size checked before anything is allocated.
// Source: github.com/huggingface/safetensors, README.md ("Format").
//
//   8 bytes  N, little-endian          N ≤ 100,000,000
//   N bytes  JSON, starts with '{', padded with spaces so that the data begin at a multiple of 8
//   the rest tensors, row-major little-endian, without holes, in the order of their offsets
#pragma once

#include "kernels/base/dtype.h"
#include "kernels/base/result.h"
#include "kernels/base/shape.h"

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::formats {

/// A tensor to be written; the bytes stay the caller's.
struct TensorView
{
    std::string name;
    DType type = DType::F32;
    Shape shape;
    std::string_view bytes;
};

/// The view of a vector of elements.
template <class T> TensorView tensorView(std::string name, DType type, Shape shape, std::span<const T> elements)
{
    return {std::move(name), type, shape, {reinterpret_cast<const char*>(elements.data()), elements.size_bytes()}};
}

/// The file's bytes, a pure function of the arguments. Tensors keep their order but for those of wider elements coming
/// first, which keeps each aligned. Errors: InvalidArgument for a name twice or bytes that do not fit the shape.
Result<std::string> writeSafetensors(std::span<const TensorView> tensors,
                                     const std::map<std::string, std::string>& metadata = {});

class Safetensors
{
public:
    /// From the whole file's bytes. Errors: InvalidFormat, TooLarge, Unsupported (a type this build does not know,
    /// or another format by its first bytes, with how to convert it).
    static Result<Safetensors> parse(std::string_view bytes, const std::string& fileName = {});
    /// Checks the header against the file's size before it reads, and so before it allocates, the tensors.
    static Result<Safetensors> read(const std::string& path);

    const std::map<std::string, std::string>& metadata() const { return m_metadata; }
    /// In the order of the file; views into this object.
    const std::vector<TensorView>& tensors() const { return m_tensors; }
    const TensorView* find(std::string_view name) const;
    /// The tensor's elements. Errors: NotFound with the nearest names, InvalidFormat for another type or shape.
    template <class T> Result<std::vector<T>> elements(std::string_view name, DType type, const Shape& shape) const;

    Safetensors(Safetensors&&) noexcept;
    Safetensors& operator=(Safetensors&&) noexcept;
    Safetensors(const Safetensors&) = delete;
    Safetensors& operator=(const Safetensors&) = delete;

private:
    Safetensors() = default;
    Result<const TensorView*> expect(std::string_view name, DType type, const Shape& shape) const;

    std::vector<char> m_data; ///< behind the header; never moves in memory once read
    std::map<std::string, std::string> m_metadata;
    std::vector<TensorView> m_tensors;
};

/// Names of the floating-point tensors that hold a NaN or an infinity.
std::vector<std::string> nonFiniteTensors(std::span<const TensorView> tensors);

} // namespace millrace::formats
