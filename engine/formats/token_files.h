// Tokens as files of a stage's cache entry.
#pragma once

#include "engine/data/token_set.h"

#include <map>
#include <string>

namespace millrace::formats {

/// Two files, "<prefix>.safetensors" and "<prefix>.json"; the prefix is the port.
Result<std::map<std::string, std::string>> toFiles(const data::TokenSet& tokens, const std::string& prefix);
/// Back from a verified cache entry. Errors: NotFound, InvalidFormat.
Result<data::TokenSet> tokensFromFiles(const std::map<std::string, std::string>& files, const std::string& prefix);

} // namespace millrace::formats
