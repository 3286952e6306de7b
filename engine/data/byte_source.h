// Bytes that are read piece by piece: a file or memory, unpacked from gzip within limits, decoded to UTF-8.
#pragma once

#include "kernels/base/result.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace millrace::data {

/// Up to `size` bytes into the buffer; 0 at the end.
using ReadBytes = std::function<Result<std::size_t>(char* buffer, std::size_t size)>;
/// Starts again from the first byte.
using OpenBytes = std::function<Result<ReadBytes>()>;

struct GzipLimits
{
    static constexpr std::uint64_t kRatio = 200;          ///< unpacked bytes for each packed one …
    static constexpr std::uint64_t kFreeBytes = 1u << 20; ///< … beyond the first of these
    static constexpr std::uint64_t kUnpackedBytes = 64ull << 30;
};

/// The regular file's bytes, unpacked where it begins as gzip does. The file is opened once, so that both passes read
/// the same one. Errors: NotFound, Permission, InvalidFormat (not a regular file); while reading Corrupt (also where the
/// file was written to meanwhile), TooLarge.
Result<OpenBytes> openFile(const std::string& path);

/// The bytes in memory (which must outlive it), unpacked where they begin as gzip does.
OpenBytes openMemory(std::string_view bytes, const std::string& name);

struct ContentSize
{
    std::uint64_t fileBytes = 0;
    bool packed = false; ///< gzip: the content's size shows only by unpacking
    std::uint64_t atMost() const
    {
        return packed ? GzipLimits::kFreeBytes + GzipLimits::kRatio * fileBytes : fileBytes;
    }
};
/// Errors as openFile.
Result<ContentSize> contentSize(const std::string& path);

enum class Encoding
{
    Utf8,
    Utf16LittleEndian,
    Utf16BigEndian,
    Windows1252
};

/// What a byte order mark at the start says; Utf8 without one. `markBytes` is the mark's length.
Encoding detectEncoding(std::string_view start, std::size_t& markBytes);

/// UTF-8 from text of that encoding. Errors: InvalidFormat where a byte or pair stands for no character.
ReadBytes decodeText(ReadBytes read, Encoding encoding, const std::string& fileName);

/// Fills the buffer as far as there are bytes.
Result<std::size_t> readFully(const ReadBytes& read, char* buffer, std::size_t size);

} // namespace millrace::data
