// What this machine can do at most, measured: the yardstick of every other figure.
#pragma once

namespace millrace::kernels::cpu {

/// Multiply-adds in registers, counted as two operations, by `threads` threads at once: GFLOP/s in f32, with the widest
/// instructions the processor has. Takes some 50 ms.
double peakGflops(int threads);
/// The same of bf16 products accumulated in f32; 0 where the processor has no instruction for them.
double peakGflopsBf16(int threads);
/// a[i] = b[i] + s c[i] over arrays of 64 MiB each: GB/s read and written, as STREAM counts its triad. Takes some 200
/// ms and 192 MiB. Source: McCalpin 1995, IEEE TCCA Newsletter.
double streamGigabytesPerSecond(int threads);

} // namespace millrace::kernels::cpu
