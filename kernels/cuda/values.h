// A few consecutive elements as f32: as many as 16 bytes hold where addresses allow it, otherwise one. Kernels that
// move memory are written once for both.
#pragma once

#include "kernels/cuda/device_code.h"

namespace millrace::kernels::cuda {

/// N is 1, or a multiple of what Packed<T> holds, with addresses 16-byte aligned.
template <class T, int N> struct Values
{
    float at[N];

    static __device__ Values load(const T* from)
    {
        Values values;
        if constexpr (N == 1) {
            values.at[0] = toFloat(*from);
        } else {
            constexpr int kSize = Packed<T>::kSize;
            for (int i = 0; i < N; i += kSize) {
                const Packed<T> part = Packed<T>::load(from + i);
                for (int j = 0; j < kSize; ++j) values.at[i + j] = part.get(j);
            }
        }
        return values;
    }
    __device__ void store(T* to) const
    {
        if constexpr (N == 1) {
            *to = fromFloat<T>(at[0]);
        } else {
            constexpr int kSize = Packed<T>::kSize;
            for (int i = 0; i < N; i += kSize) {
                Packed<T> part;
                for (int j = 0; j < kSize; ++j) part.set(j, at[i + j]);
                part.store(to + i);
            }
        }
    }
};

/// Calls make(element, count) with the element type and how many elements are moved at once, a constant: those of 16
/// bytes where every row of `columns` elements starts at such an address, otherwise one.
template <class Make> auto byTypeAndColumns(DType type, std::int64_t columns, Make&& make)
{
    return byType(type, [&](auto element) {
        constexpr int kSize = Packed<decltype(element)>::kSize;
        if (columns % kSize == 0) return make(element, std::integral_constant<int, kSize>{});
        return make(element, std::integral_constant<int, 1>{});
    });
}

} // namespace millrace::kernels::cuda
