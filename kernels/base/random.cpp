#include "kernels/base/random.h"

#include <cmath>
#include <numbers>
#include <utility>

namespace millrace {

std::array<std::uint32_t, 4> philox(std::uint64_t seed, std::uint64_t stream, std::uint64_t counter)
{
    std::array<std::uint32_t, 4> c{static_cast<std::uint32_t>(counter), static_cast<std::uint32_t>(counter >> 32),
                                   static_cast<std::uint32_t>(stream), static_cast<std::uint32_t>(stream >> 32)};
    auto k0 = static_cast<std::uint32_t>(seed);
    auto k1 = static_cast<std::uint32_t>(seed >> 32);
    for (int round = 0; round < 10; ++round) {
        const std::uint64_t a = std::uint64_t{0xD2511F53u} * c[0];
        const std::uint64_t b = std::uint64_t{0xCD9E8D57u} * c[2];
        c = {static_cast<std::uint32_t>(b >> 32) ^ c[1] ^ k0, static_cast<std::uint32_t>(b),
             static_cast<std::uint32_t>(a >> 32) ^ c[3] ^ k1, static_cast<std::uint32_t>(a)};
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return c;
}

std::uint64_t streamOf(std::string_view name)
{
    std::uint64_t hash = 0xCBF29CE484222325u;
    for (const char c : name) {
        hash ^= static_cast<unsigned char>(c);
        hash *= 0x100000001B3u;
    }
    return hash;
}

std::uint32_t Random::bits32()
{
    if (m_used == 4) {
        m_block = philox(m_seed, m_stream, m_counter++);
        m_used = 0;
    }
    return m_block[m_used++];
}

std::uint64_t Random::bits64()
{
    const std::uint64_t high = bits32();
    return (high << 32) | bits32();
}

float Random::uniform()
{
    return static_cast<float>(bits32() >> 8) * 0x1.0p-24f;
}

double Random::uniformDouble()
{
    return static_cast<double>(bits64() >> 11) * 0x1.0p-53;
}

std::uint64_t Random::below(std::uint64_t bound)
{
    const std::uint64_t limit = (0 - bound) % bound; // numbers under it would make the remainder biased
    for (;;) {
        const std::uint64_t value = bits64();
        if (value >= limit) return value % bound;
    }
}

double Random::normal()
{
    const double u = 1.0 - uniformDouble();
    const double v = uniformDouble();
    return std::sqrt(-2.0 * std::log(u)) * std::cos(2.0 * std::numbers::pi * v);
}

void permutation(std::uint64_t seed, std::uint64_t stream, std::span<std::uint32_t> order)
{
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::uint32_t>(i);
    Random random(seed, stream);
    for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
}

} // namespace millrace
