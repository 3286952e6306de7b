// JSON from outside: strict, bounded, duplicates refused, and every error with its line and column.
#pragma once

#include "engine/pipeline/document.h"

#include <string>
#include <string_view>

namespace millrace::pipeline {

/// Bounds beside Limits::kDepth, so that a small file cannot ask for much memory or time.
struct JsonLimits
{
    static constexpr std::size_t kKeys = 1000;      ///< in one object
    static constexpr std::size_t kValues = 1000000; ///< in the whole text
};

/// Reads the text. Refused: what is not JSON, NUL characters, duplicate keys, whole numbers that do not fit 64 bits,
/// infinities, more than the limits. Errors: InvalidFormat, TooLarge, with file, line and column.
Result<Json> readJson(std::string_view text, const std::string& fileName);

/// The error, at the place of a value in a text that readJson took. The path is like "nodes/3/id".
Error errorAtPath(Error error, const std::string& fileName, std::string_view text, const std::string& path);

} // namespace millrace::pipeline
