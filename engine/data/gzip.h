// Unpacks gzip within limits, so that a small file cannot become an endless one.
#pragma once

#include "engine/data/byte_source.h"

namespace millrace::data {

bool isGzip(std::string_view start);

/// The unpacked bytes; several members follow each other. Errors: Corrupt (damaged or cut off), TooLarge (see
/// GzipLimits).
ReadBytes unpackGzip(ReadBytes packed, const std::string& fileName);

} // namespace millrace::data
