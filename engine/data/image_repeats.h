// Images that stand among the training rows and among those held out: what is measured on them was learnt by heart.
#pragma once

#include "engine/data/dataset.h"

namespace millrace::data {

/// How many images of `held` are, value by value, also in `train`; 0 for rows that are no images, of different shapes
/// or on disk.
std::int64_t repeatedImages(const Dataset& train, const Dataset& held);

} // namespace millrace::data
