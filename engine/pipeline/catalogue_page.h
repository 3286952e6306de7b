// The reference page of the catalogue: every node, layer, optimizer and schedule, generated.
#pragma once

#include "engine/pipeline/catalogue.h"

#include <string>

namespace millrace::pipeline {

/// Markdown: what each is, its formula, ports, parameters with units, ranges and defaults, and where it comes from.
std::string cataloguePage(const Catalogue& catalogue);

} // namespace millrace::pipeline
