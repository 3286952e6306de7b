// Contract of the embedding: rows of a table, looked up by number.
#pragma once

#include <cstdint>

namespace millrace::kernels {

/// y[n,c] = table[token[n],c]
/// Forward   table, token -> y
/// Backward  token, dy -> dtable:  dtable[v,c] = sum of dy[n,c] over the n with token[n] = v, in the order of n
/// Shapes    table, dtable (V,C); token (N) i32; y, dy (N,C); all row-major. All axes of tokens count as N.
/// Types     f32.   Aliasing: none.
/// Cost      reads and writes NC elements; backward writes VC more.
/// Errors    a token outside [0,V) gives a row of NaN and no gradient; tokens are checked where data enters.
/// Source    Bengio, Ducharme, Vincent, Jauvin 2003, A Neural Probabilistic Language Model, section 2.
struct Embedding
{
    std::int64_t tokens = 0, vocabulary = 0, width = 0; ///< N, V, C
};

} // namespace millrace::kernels
