// Randomness by counter: the n-th number of a stream is a pure function of (seed, stream, n), so that data order,
// weights and dropout do not depend on time, threads or what was drawn before.
// Source: Salmon, Moraes, Dror, Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3", Philox4x32-10.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace millrace {

/// The four 32-bit numbers of block `counter` of the stream (seed, stream).
std::array<std::uint32_t, 4> philox(std::uint64_t seed, std::uint64_t stream, std::uint64_t counter);

/// A stream's number from a name, such as "weights/conv1": FNV-1a, 64 bits.
std::uint64_t streamOf(std::string_view name);

/// A cursor over one stream.
class Random
{
public:
    Random(std::uint64_t seed, std::uint64_t stream, std::uint64_t counter = 0)
        : m_seed(seed), m_stream(stream), m_counter(counter)
    {
    }
    std::uint32_t bits32();
    std::uint64_t bits64();
    /// In [0, 1), 24 bits.
    float uniform();
    /// In [0, 1), 53 bits.
    double uniformDouble();
    /// In [0, bound), without bias; bound > 0.
    std::uint64_t below(std::uint64_t bound);
    /// Standard normal (Box–Muller).
    double normal();

private:
    std::uint64_t m_seed, m_stream, m_counter;
    std::array<std::uint32_t, 4> m_block{};
    std::size_t m_used = 4;
};

/// A permutation of 0 … order.size()-1 (Fisher–Yates), a pure function of (seed, stream).
void permutation(std::uint64_t seed, std::uint64_t stream, std::span<std::uint32_t> order);

} // namespace millrace
