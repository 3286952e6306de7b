// Rows as files of a stage's cache entry.
#pragma once

#include "engine/data/dataset.h"
#include "engine/formats/committed_folder.h"

#include <map>
#include <string>

namespace millrace::formats {

/// Two files, "<prefix>.safetensors" and "<prefix>.json"; the prefix is the port: "rows", "train", "test".
Result<std::map<std::string, std::string>> toFiles(const data::Dataset& rows, const std::string& prefix);
/// Back from a verified cache entry. Errors: NotFound, InvalidFormat.
Result<data::Dataset> datasetFromFiles(const std::map<std::string, std::string>& files, const std::string& prefix);

} // namespace millrace::formats
