// The updates by their rules; optimizer.cpp chooses among them.
#pragma once

#include "kernels/cuda/context.h"

#include <span>

namespace millrace::kernels::cuda {

using UpdateResult = Result<std::unique_ptr<Update>>;

// Segments are checked already. Errors: OutOfMemory; Unsupported for Muon where there is no product of that size.

UpdateResult makeElementWise(Context& context, const Sgd& rule, std::span<const Segment> segments);
UpdateResult makeElementWise(Context& context, const Adam& rule, std::span<const Segment> segments);
UpdateResult makeElementWise(Context& context, const Nadam& rule, std::span<const Segment> segments);
UpdateResult makeElementWise(Context& context, const RmsProp& rule, std::span<const Segment> segments);
UpdateResult makeElementWise(Context& context, const Adagrad& rule, std::span<const Segment> segments);
UpdateResult makeElementWise(Context& context, const Adadelta& rule, std::span<const Segment> segments);
UpdateResult makeElementWise(Context& context, const Lion& rule, std::span<const Segment> segments);
UpdateResult makeLamb(Context& context, const Lamb& rule, std::span<const Segment> segments);
UpdateResult makeMuon(Context& context, const Muon& rule, std::span<const Segment> segments);

} // namespace millrace::kernels::cuda
