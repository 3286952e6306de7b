// The tables of operations that the driver knows, a file per family.
#pragma once

#include "tests/kernels/problem.h"

#include <span>

namespace millrace::test {

std::span<const OperationRow> productOperations();
std::span<const OperationRow> sequenceOperations();
std::span<const OperationRow> recurrentOperations();
std::span<const OperationRow> lossOperations();
std::span<const OperationRow> normalizationOperations();
std::span<const OperationRow> arrangementOperations();
std::span<const OperationRow> optimizerOperations();

} // namespace millrace::test
