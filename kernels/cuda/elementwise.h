// What kernels share that compute each element of their output from the elements at the same place of their inputs: a
// pack of 16 bytes for each thread, elements one by one in the last pack.
// Only .cu files include this.
#pragma once

#include "kernels/cuda/device_code.h"

namespace millrace::kernels::cuda {

constexpr int kElementThreads = 256; ///< of a block

/// Blocks for n elements of T. A grid takes 2^31 of them, 2^41 elements: more than any memory holds.
template <class T> dim3 elementBlocks(std::int64_t n)
{
    return blocksFor(n, kElementThreads * Packed<T>::kSize);
}

/// The first element of this thread's pack.
template <class T> __device__ std::int64_t elementOfThread()
{
    return (static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x) * Packed<T>::kSize;
}

/// y[i] = f(x[i]); y may be x.
template <class T, class Function> __device__ void mapElements(const T* x, T* y, std::int64_t n, const Function& f)
{
    constexpr int kSize = Packed<T>::kSize;
    const std::int64_t i = elementOfThread<T>();
    if (i + kSize <= n) {
        Packed<T> pack = Packed<T>::load(x + i);
        for (int k = 0; k < kSize; ++k) pack.set(k, f(pack.get(k)));
        pack.store(y + i);
    } else {
        for (std::int64_t k = i; k < n; ++k) y[k] = fromFloat<T>(f(toFloat(x[k])));
    }
}

/// y[i] = f(a[i], b[i]); y may be a or b, which are not expected to be read again soon.
template <class T, class Function>
__device__ void mapElements(const T* a, const T* b, T* y, std::int64_t n, const Function& f)
{
    constexpr int kSize = Packed<T>::kSize;
    const std::int64_t i = elementOfThread<T>();
    if (i + kSize <= n) {
        Packed<T> pack = Packed<T>::loadOnce(a + i);
        const Packed<T> other = Packed<T>::loadOnce(b + i);
        for (int k = 0; k < kSize; ++k) pack.set(k, f(pack.get(k), other.get(k)));
        pack.store(y + i);
    } else {
        for (std::int64_t k = i; k < n; ++k) y[k] = fromFloat<T>(f(toFloat(a[k]), toFloat(b[k])));
    }
}

} // namespace millrace::kernels::cuda
