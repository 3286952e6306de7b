// Feeds rows that stay on disk: read ahead, window by window, by threads of its own.
#pragma once

#include "engine/data/loader.h"

namespace millrace::data {

/// The order of an epoch: the blocks in a random order; as many of them as fit into half of `memoryBytes` make a
/// window, whose rows are then shuffled among each other. One window is fed while the next one is read.
std::unique_ptr<Loader> createStoredLoader(std::shared_ptr<const Dataset> dataset, const LoaderOptions& options);

} // namespace millrace::data
