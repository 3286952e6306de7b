// Checks a memory plan by carrying it out: every 64-byte block remembers whose values it holds, and whenever an
// operation reads a tensor its blocks must hold them. Shares nothing with the planner but the operations' contracts.
#pragma once

#include "engine/compile/program.h"

#include <string>

namespace millrace::compile {

/// What is wrong with the plan; empty where nothing is.
std::string whatIsWrong(const Program& program);

/// The most bytes that are alive during one operation: no placement can take less.
std::uint64_t liveBytes(const Program& program);

} // namespace millrace::compile
