// The key under which a stage's result is cached.
#pragma once

#include "engine/pipeline/catalogue.h"

#include <map>
#include <string>

namespace millrace::pipeline {

/// SHA-256 over the node's type, code version, every parameter (defaults filled in, canonical order), the keys of its
/// inputs by port, and `content` (for a data node: the hash of its files; for training: device and threads).
/// The node's id and position do not count.
std::string cacheKey(const Node& node, const NodeSpec& spec, const std::map<std::string, std::string>& inputKeys,
                     std::string_view content);

} // namespace millrace::pipeline
