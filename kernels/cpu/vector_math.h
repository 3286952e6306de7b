// What our own loops need to become vector code: function versions per instruction set, and elementary functions
// without branches or calls, so that the compiler can vectorise a loop around them.
#pragma once

#include <bit>
#include <cstdint>

/// Compiles a function once per instruction set; the machine's best is chosen when the program starts. No contraction
/// to fused multiply-add is allowed (-ffp-contract=off), so that element-wise results are the same in all versions.
/// Sanitizers cannot run before the choice is made, so their builds have one version.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) &&               \
    !defined(__SANITIZE_THREAD__)
#define MR_VECTORISED __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define MR_VECTORISED
#endif
#define MR_INLINE inline __attribute__((always_inline))

namespace millrace::kernels::cpu {

/// e^x within 2 units in the last place; 0 under -87.3, at most e^88.3, NaN stays NaN.
/// Source: argument reduction x = n ln 2 + r and the polynomial of Cephes' expf (Moshier).
MR_INLINE float exponential(float x)
{
    constexpr float kRound = 12582912.0F; // 1.5 * 2^23: adding it leaves the rounded integer in the low bits
    const float bounded = x > 88.3F ? 88.3F : (x < -87.3F ? -87.3F : x);
    const float shifted = bounded * 1.44269504F + kRound;
    const float n = shifted - kRound;
    const float r = (bounded - n * 0.693359375F) + n * 2.12194440e-4F;
    float p = 1.9875691500e-4F;
    p = p * r + 1.3981999507e-3F;
    p = p * r + 8.3334519073e-3F;
    p = p * r + 4.1665795894e-2F;
    p = p * r + 1.6666665459e-1F;
    p = p * r + 5.0000001201e-1F;
    const float power = p * (r * r) + r + 1.0F;
    const std::uint32_t exponent = std::bit_cast<std::uint32_t>(shifted) - 0x4B400000U + 127U;
    const float result = power * std::bit_cast<float>(exponent << 23);
    return x < -87.3F ? 0.0F : result;
}

/// e^x - 1, to the last places near 0 as well: there the polynomial of `exponential` is taken before its 1 is added.
MR_INLINE float exponentialMinusOne(float x)
{
    float p = 1.9875691500e-4F;
    p = p * x + 1.3981999507e-3F;
    p = p * x + 8.3334519073e-3F;
    p = p * x + 4.1665795894e-2F;
    p = p * x + 1.6666665459e-1F;
    p = p * x + 5.0000001201e-1F;
    const float near = p * (x * x) + x;
    const float far = exponential(x) - 1.0F;
    return ((x > -0.3465F) & (x < 0.3465F)) ? near : far;
}

/// log(1 + u) for u in [0, 1], within 3 units in the last place: the series of 2 artanh(u / (2 + u)).
MR_INLINE float logOnePlus(float u)
{
    const float z = u / (2.0F + u), square = z * z;
    float p = 1.0F / 15.0F;
    p = p * square + 1.0F / 13.0F;
    p = p * square + 1.0F / 11.0F;
    p = p * square + 1.0F / 9.0F;
    p = p * square + 1.0F / 7.0F;
    p = p * square + 1.0F / 5.0F;
    p = p * square + 1.0F / 3.0F;
    return 2.0F * (z + z * square * p);
}

/// Source: Cephes' tanhf: a polynomial below 0.625, 1 - 2 / (e^2x + 1) above.
MR_INLINE float hyperbolicTangent(float x)
{
    const float magnitude = x < 0 ? -x : x;
    const float square = x * x;
    float p = -5.70498872745e-3F;
    p = p * square + 2.06390887954e-2F;
    p = p * square - 5.37397155531e-2F;
    p = p * square + 1.33314422036e-1F;
    p = p * square - 3.33332819422e-1F;
    const float small = p * square * x + x;
    const float large = 1.0F - 2.0F / (exponential(2.0F * magnitude) + 1.0F);
    const float signedLarge = x < 0 ? -large : large;
    return magnitude < 0.625F ? small : signedLarge;
}

MR_INLINE float logistic(float x)
{
    return 1.0F / (1.0F + exponential(-x));
}

struct Normal
{
    float distribution; ///< Phi(x)
    float density;      ///< phi(x)
};

/// The standard normal distribution and its density, which share their exponential.
/// Phi(-z sqrt 2) = erfc(z) / 2 = exp(-z^2) t p(t) / 2 with t = 1 / (1 + z/2) and p our fit of degree 10 (Chebyshev
/// nodes; relative error under 2e-7 for every z >= 0).
MR_INLINE Normal normal(float x)
{
    const float magnitude = x < 0 ? -x : x;
    const float t = 1.0F / (1.0F + magnitude * 0.353553391F);
    float p = 0.0453513376F;
    p = p * t - 0.245580032F;
    p = p * t + 0.516899526F;
    p = p * t - 0.482474744F;
    p = p * t + 0.151885182F;
    p = p * t - 0.067958273F;
    p = p * t + 0.0958271995F;
    p = p * t + 0.174948603F;
    p = p * t + 0.246913567F;
    p = p * t + 0.282092869F;
    p = p * t + 0.282094806F;
    const float bell = exponential(-0.5F * x * x);
    const float tail = 0.5F * bell * t * p;
    return {x < 0 ? tail : 1.0F - tail, bell * 0.398942280F};
}

} // namespace millrace::kernels::cpu
