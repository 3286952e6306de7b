// Flat buffers of f32 in groups of four neighbours: moved by one 16-byte instruction where the group is whole, element
// by element at the ends of a tensor. Only .cu files include this.
#pragma once

#include "kernels/cuda/device_code.h"

#include <cstdint>

namespace millrace::kernels::cuda {

/// Four values, one after the other in memory, as one word of it.
template <class T> struct alignas(4 * sizeof(T)) Four
{
    T values[4];
};

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
            const Four<float> loaded = *reinterpret_cast<const Four<float>*>(from + m_first);
            for (int i = 0; i < kSize; ++i) x[i] = loaded.values[i];
        } else {
            for (int i = 0; i < kSize; ++i) x[i] = has(i) ? from[m_first + static_cast<unsigned>(i)] : 0;
        }
    }

    /// To the nearest; elements outside of [begin, end) stay.
    template <class T> __device__ void store(T* to, const float (&x)[kSize]) const
    {
        if (m_whole) {
            Four<T> stored;
            for (int i = 0; i < kSize; ++i) stored.values[i] = fromFloat<T>(x[i]);
            *reinterpret_cast<Four<T>*>(to + m_first) = stored;
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
