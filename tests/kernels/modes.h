// The drivers' modes. The checks return what was wrong, or an empty text.
#pragma once

#include "kernels/ops/device.h"
#include "tests/kernels/problem.h"

#include <string>

namespace millrace::test {

/// The kernels against the reference: values within 1e-5 of the reference's norm on poisoned outputs and scratch
/// memory, nothing written outside, the same bits when run again, in place, with outputs left out, for each thread
/// count.
std::string compareWithReference(const Problem& problem);

/// The same for a device's kernels with elements of a storage type: within 1e-5 for f32, 1e-2 for bf16, 2e-3 for f16;
/// and the same bits as a captured step.
std::string compareDeviceWithReference(kernels::Device& device, const Problem& problem, DType storage);

/// The reference's gradients against central differences of its forward function.
std::string compareWithDifferences(const Problem& problem);
/// Whether a case is small enough for compareWithDifferences, which calls the forward function many times.
bool isSmall(const Problem& problem);

/// Prints the best time of forward and backward on one thread and on all, as time, GFLOP/s and GB/s.
void printTimes(const Case& line, const Problem& problem);

} // namespace millrace::test
