// Rows as files of a stage's cache entry.
#pragma once

#include "engine/data/dataset.h"
#include "engine/formats/committed_folder.h"

#include <map>
#include <string>

namespace millrace::formats {

/// Two files, "<prefix>.json" and the values in "<prefix>.safetensors" (for rows on disk "<prefix>.chosen": which of
/// them, while they stay where they are); the prefix is the port: "rows", "train", "test".
Result<std::map<std::string, std::string>> toFiles(const data::Dataset& rows, const std::string& prefix);
/// Back from a verified cache entry. Errors: NotFound (also where rows on disk are gone or others now), InvalidFormat.
Result<data::Dataset> datasetFromFiles(const std::map<std::string, std::string>& files, const std::string& prefix);

} // namespace millrace::formats
