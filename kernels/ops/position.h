// Contract of the learned positions: a vector for each place of a sequence, added to what stands there.
#pragma once

#include <cstdint>

namespace millrace::kernels {

/// y[b,t,c] = x[b,t,c] + table[offset+t,c]
/// Forward   x, table, offset -> y
/// Backward  dy, offset -> dtable:  dtable[offset+t,c] = sum_b dy[b,t,c], zero in the other rows. dx is dy.
/// Shapes    x, y, dy (B,T,C); table, dtable (L,C); offset (1) i32, may be null (0); all row-major.
/// Types     f32.   Aliasing: y may be x.
/// Cost      BTC operations; reads 2BTC, writes BTC elements.
/// Errors    InvalidArgument where T > L. An offset outside [0,L-T] counts as the nearest end.
/// Source    Gehring et al. 2017, arXiv:1705.03122, section 3.1; Radford et al. 2019 (GPT-2).
struct Position
{
    std::int64_t batch = 0, steps = 0, width = 0, places = 0; ///< B, T, C, L
};

} // namespace millrace::kernels
