// Flat buffers of f32 in groups of four neighbours: moved by one 16-byte instruction where the group is whole, element
// by element at the ends of a tensor. Only .cu files include this.
#pragma once

#include "kernels/cuda/device_code.h"

#include <cstdint>
#include <cstring>

namespace millrace::kernels::cuda {

template <class T> __device__ std::uint64_t bitsOf(T value)
{
    std::uint16_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/// Stores four values, rounded to the nearest, by one instruction. Those of two bytes are put together by hand: the
/// compiler would store them one by one.
template <class T> __device__ void storeFour(T* to, const float (&x)[4])
{
    if constexpr (sizeof(T) == 4)
        *reinterpret_cast<float4*>(to) = {x[0], x[1], x[2], x[3]};
    else
        *reinterpret_cast<std::uint64_t*>(to) = bitsOf(fromFloat<T>(x[0])) | bitsOf(fromFloat<T>(x[1])) << 16 |
                                                bitsOf(fromFloat<T>(x[2])) << 32 | bitsOf(fromFloat<T>(x[3])) << 48;
}

/// Elements first … first + 3, first a multiple of four, as far as they lie in [begin, end).
class Group
{
public:
    static constexpr int kSize = 4;

    /// `aligned`: whether element 0 of every buffer lies at a multiple of four elements' size.
    __device__ Group(std::uint64_t first, std::uint64_t begin, std::uint64_t end, bool aligned = true)
        : m_first(first), m_from(first < begin ? static_cast<int>(begin - first) : 0),
          m_to(end - first < kSize ? static_cast<int>(end - first) : kSize),
          m_whole(aligned && m_from == 0 && m_to == kSize)
    {
    }

    /// Elements outside of [begin, end) become 0.
    __device__ void load(const float* from, float (&x)[kSize]) const
    {
        if (m_whole) {
            const float4 four = *reinterpret_cast<const float4*>(from + m_first);
            x[0] = four.x, x[1] = four.y, x[2] = four.z, x[3] = four.w;
        } else {
            for (int i = 0; i < kSize; ++i) x[i] = has(i) ? from[m_first + static_cast<unsigned>(i)] : 0;
        }
    }

    /// To the nearest; elements outside of [begin, end) stay.
    template <class T> __device__ void store(T* to, const float (&x)[kSize]) const
    {
        if (m_whole) {
            storeFour(to + m_first, x);
        } else {
            for (int i = 0; i < kSize; ++i)
                if (has(i)) to[m_first + static_cast<unsigned>(i)] = fromFloat<T>(x[i]);
        }
    }

    __device__ std::uint64_t first() const { return m_first; }
    __device__ bool has(int index) const { return index >= m_from && index < m_to; }

private:
    std::uint64_t m_first;
    int m_from, m_to;
    bool m_whole;
};

} // namespace millrace::kernels::cuda
