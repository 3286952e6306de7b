// Contract of multi-head attention over packed queries, keys and values.
#pragma once

#include <cstdint>

namespace millrace::kernels {

/// Each head h has the columns h D to (h+1) D of the queries, keys and values, which are the thirds of qkv's columns:
///           s[b,h,i,j] = sum_d q[b,i,h,d] k[b,j,h,d] / sqrt(D)
///           p[b,h,i,:] = softmax of s[b,h,i,:] over all j, or over j <= i where causal
///           y[b,i,h,:] = sum_j p[b,h,i,j] v[b,j,h,:];   logsumexp[b,h,i] = log sum_j exp s[b,h,i,j]
/// Forward   qkv -> y, logsumexp   (a null logsumexp is not written)
/// Backward  qkv, y, logsumexp, dy -> dqkv; p is computed again from logsumexp:
///           dv = p^T dy;  ds = p (dy v^T - delta), delta[i] = dy[i] y[i];  dq = ds k / sqrt(D);  dk = ds^T q / sqrt(D)
/// Cached    qkv, key cache, value cache, offset -> y, logsumexp, key cache, value cache: the new keys and values are
///           written to the places offset to offset+T of the caches; the queries see all places below offset+T, where
///           causal query i those up to offset+i. Other places are as they were.
/// Shapes    qkv, dqkv (B,T,3C); y, dy (B,T,C); logsumexp (B,heads,T); caches (B,L,C); offset (1) i32; C = heads D.
/// Types     f32; the caches are of qkv's type.   Aliasing: a cache that is an output may be the input's memory.
/// Cost      4 B T T C operations forward (half where causal), 10 B T T C backward; memory grows with T, not with T T.
/// Errors    InvalidArgument where heads do not divide C, or T > L. An offset outside [0,L-T] counts as the nearest
/// end. Source    Vaswani et al. 2017, arXiv:1706.03762, section 3.2; tiles and online softmax: Dao et al. 2022,
///           arXiv:2205.14135, algorithms 1 and 4.
struct Attention
{
    std::int64_t batch = 0, steps = 0, width = 0, heads = 1; ///< B, T, C
    bool causal = false;
    std::int64_t places = 0; ///< L, of the caches

    constexpr std::int64_t headWidth() const { return width / heads; } ///< D
};

} // namespace millrace::kernels
