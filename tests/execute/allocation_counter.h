// Counts what operator new is asked for, in the whole test program.
#pragma once

#include <cstddef>

void startCounting();
long allocationCount();               ///< since startCounting()
std::size_t largestAllocationBytes(); ///< since startCounting()
