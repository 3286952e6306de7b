// Where the kernels' threads run.
#pragma once

namespace millrace::kernels::cpu {

/// Gives each of the kernels' threads but the calling one a processor of its own, where there are as many threads as
/// the process may use processors; else leaves them to the system. A product of a millisecond is over before the system
/// notices that it woke two threads on one processor, and it then takes twice as long, step after step.
void spreadThreads(int threads);

} // namespace millrace::kernels::cpu
