// Max and average pooling whatever the windows are: a thread computes a vector of neighbouring channels of one pixel.
//
// Backward gathers: a thread adds up what comes to its pixel of the image from the windows that see it, in their order,
// so that no sum depends on who comes first. For max pooling each window's maximum is looked up once, by a kernel of
// its own, and its place within the window kept in scratch memory; else every pixel would search all the windows that
// see it.
//
// A type of windows has, all as int,
//   height, width, outputHeight, outputWidth
//   Window window(row, column)             the window of an output, cut to the image
//   Range rowsSeeing(h), columnsSeeing(w)  the outputs whose windows hold that row or column of the image
//   float averageFactor(row, column)       1 / the number of elements that an output's average counts
// Only .cu files include this.
#pragma once

#include "kernels/cuda/device_code.h"
#include "kernels/cuda/kernel.h"
#include "kernels/ops/check.h"

#include <algorithm>
#include <cmath>

namespace millrace::kernels::cuda::pooling {

constexpr int kMostThreads = 256; ///< of a block
constexpr int kBlocks = 4;        ///< of a multiprocessor: where ptxas is left to choose, it spills

/// Rows top … bottom, columns left … right, the ends not among them.
struct Window
{
    int top, bottom, left, right;

    __device__ int place(int h, int w) const { return (h - top) * (right - left) + w - left; }
    __device__ int size() const { return (bottom - top) * (right - left); }
};

/// Both ends are among them.
struct Range
{
    int first, last;
};

template <class Windows> struct Pool
{
    Windows windows;
    std::int64_t batch;
    int channels;

    std::int64_t outputs() const
    {
        return batch * windows.outputHeight * windows.outputWidth * static_cast<std::int64_t>(channels);
    }
};

/// Unsupported where an image's size is beyond what the kernels' indices hold.
inline Status requireSmall(std::string_view operation, std::initializer_list<Dimension> sizes)
{
    constexpr std::int64_t kMost = 1 << 28;
    for (const auto& [name, size] : sizes) {
        if (size > kMost)
            return makeError(Code::Unsupported,
                             str(operation, ": ", name, " is ", size, ", expected at most ", kMost, " on a GPU."));
    }
    return {};
}

/// This thread's channels, first … first + count, and whether they are one vector.
template <class T> struct Channels
{
    static constexpr int kSize = Packed<T>::kSize;
    int first, count;
    bool isVector;

    __device__ Channels(int pack, int channels)
        : first(pack * kSize), count(channels - first < kSize ? channels - first : kSize),
          isVector(channels % kSize == 0)
    {
    }
    __device__ void load(const T* pixel, float (&values)[kSize]) const
    {
        if (isVector) {
            const Packed<T> pack = Packed<T>::load(pixel + first);
            for (int k = 0; k < kSize; ++k) values[k] = pack.get(k);
        } else {
            for (int k = 0; k < kSize; ++k) values[k] = k < count ? toFloat(pixel[first + k]) : 0.0F;
        }
    }
    __device__ void store(T* pixel, const float (&values)[kSize]) const
    {
        if (isVector) {
            Packed<T> pack;
            for (int k = 0; k < kSize; ++k) pack.set(k, values[k]);
            pack.store(pixel + first);
        } else {
            for (int k = 0; k < kSize; ++k)
                if (k < count) pixel[first + k] = fromFloat<T>(values[k]);
        }
    }

    /// The places of a pixel's maxima, as wide as the indices are.
    template <class Index> struct alignas(kSize * sizeof(Index) < 16 ? kSize * sizeof(Index) : 16) Places
    {
        Index values[kSize];
    };
    template <class Index> __device__ void load(const Index* pixel, Places<Index>& places) const
    {
        if (isVector) {
            places = *reinterpret_cast<const Places<Index>*>(pixel + first);
        } else {
            for (int k = 0; k < kSize; ++k) places.values[k] = k < count ? pixel[first + k] : Index{};
        }
    }
    template <class Index> __device__ void store(Index* pixel, const Places<Index>& places) const
    {
        if (isVector) {
            *reinterpret_cast<Places<Index>*>(pixel + first) = places;
        } else {
            for (int k = 0; k < kSize; ++k)
                if (k < count) pixel[first + k] = places.values[k];
        }
    }
};

/// Calls body(image, row, column, channels) for this thread's vectors of the pixels of images of that size.
template <class T, class Windows, class Body>
__device__ void forEachPixel(const Pool<Windows>& pool, int height, int width, const Body& body)
{
    const int packs = (pool.channels + Packed<T>::kSize - 1) / Packed<T>::kSize;
    const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (i >= static_cast<std::int64_t>(width) * packs) return;
    const auto column = static_cast<int>(i / packs);
    const Channels<T> channels(static_cast<int>(i % packs), pool.channels);
    for (std::int64_t line = blockIdx.y; line < pool.batch * height; line += gridDim.y)
        body(line / height, static_cast<int>(line % height), column, channels);
}

/// The first channel of a pixel of images of that size.
__device__ inline std::int64_t pixelAt(std::int64_t image, int height, int width, int row, int column, int channels)
{
    return ((image * height + row) * width + column) * channels;
}

// kernels

template <class T, class Windows>
__global__ void __launch_bounds__(kMostThreads, kBlocks) maxPool(Pool<Windows> pool, const T* x, T* y)
{
    const Windows& windows = pool.windows;
    const int H = windows.height, W = windows.width, P = windows.outputHeight, Q = windows.outputWidth;
    forEachPixel<T>(pool, P, Q, [&](std::int64_t b, int p, int q, const Channels<T>& channels) {
        const Window window = windows.window(p, q);
        float best[Channels<T>::kSize];
        for (float& value : best) value = -INFINITY;
        for (int h = window.top; h < window.bottom; ++h) {
            for (int w = window.left; w < window.right; ++w) {
                float values[Channels<T>::kSize];
                channels.load(x + pixelAt(b, H, W, h, w, pool.channels), values);
                for (int k = 0; k < Channels<T>::kSize; ++k)
                    best[k] = values[k] > best[k] || values[k] != values[k] ? values[k] : best[k];
            }
        }
        channels.store(y + pixelAt(b, P, Q, p, q, pool.channels), best);
    });
}

/// Where in its window each output's maximum is: the first, or the last NaN.
template <class T, class Index, class Windows>
__global__ void __launch_bounds__(kMostThreads, kBlocks) findMaxima(Pool<Windows> pool, const T* x, Index* places)
{
    const Windows& windows = pool.windows;
    const int H = windows.height, W = windows.width, P = windows.outputHeight, Q = windows.outputWidth;
    forEachPixel<T>(pool, P, Q, [&](std::int64_t b, int p, int q, const Channels<T>& channels) {
        const Window window = windows.window(p, q);
        float best[Channels<T>::kSize];
        typename Channels<T>::template Places<Index> where{};
        for (float& value : best) value = -INFINITY;
        int place = 0;
        for (int h = window.top; h < window.bottom; ++h) {
            for (int w = window.left; w < window.right; ++w, ++place) {
                float values[Channels<T>::kSize];
                channels.load(x + pixelAt(b, H, W, h, w, pool.channels), values);
                for (int k = 0; k < Channels<T>::kSize; ++k) {
                    const bool isBetter = values[k] > best[k] || values[k] != values[k];
                    best[k] = isBetter ? values[k] : best[k];
                    where.values[k] = isBetter ? static_cast<Index>(place) : where.values[k];
                }
            }
        }
        channels.store(places + pixelAt(b, P, Q, p, q, pool.channels), where);
    });
}

template <class T, class Index, class Windows>
__global__ void __launch_bounds__(kMostThreads, kBlocks)
    maxPoolBackward(Pool<Windows> pool, const Index* places, const T* dy, T* dx)
{
    const Windows& windows = pool.windows;
    const int H = windows.height, W = windows.width, P = windows.outputHeight, Q = windows.outputWidth;
    forEachPixel<T>(pool, H, W, [&](std::int64_t b, int h, int w, const Channels<T>& channels) {
        const Range rows = windows.rowsSeeing(h), columns = windows.columnsSeeing(w);
        float sums[Channels<T>::kSize] = {};
        for (int p = rows.first; p <= rows.last; ++p) {
            for (int q = columns.first; q <= columns.last; ++q) {
                const std::int64_t at = pixelAt(b, P, Q, p, q, pool.channels);
                const int own = windows.window(p, q).place(h, w);
                float gradients[Channels<T>::kSize];
                typename Channels<T>::template Places<Index> where;
                channels.load(dy + at, gradients);
                channels.load(places + at, where);
                for (int k = 0; k < Channels<T>::kSize; ++k)
                    sums[k] += static_cast<int>(where.values[k]) == own ? gradients[k] : 0.0F;
            }
        }
        channels.store(dx + pixelAt(b, H, W, h, w, pool.channels), sums);
    });
}

template <class T, class Windows>
__global__ void __launch_bounds__(kMostThreads, kBlocks) averagePool(Pool<Windows> pool, const T* x, T* y)
{
    const Windows& windows = pool.windows;
    const int H = windows.height, W = windows.width, P = windows.outputHeight, Q = windows.outputWidth;
    forEachPixel<T>(pool, P, Q, [&](std::int64_t b, int p, int q, const Channels<T>& channels) {
        const Window window = windows.window(p, q);
        const float factor = windows.averageFactor(p, q);
        float sums[Channels<T>::kSize] = {};
        for (int h = window.top; h < window.bottom; ++h) {
            for (int w = window.left; w < window.right; ++w) {
                float values[Channels<T>::kSize];
                channels.load(x + pixelAt(b, H, W, h, w, pool.channels), values);
                for (int k = 0; k < Channels<T>::kSize; ++k) sums[k] += values[k];
            }
        }
        for (float& sum : sums) sum *= factor;
        channels.store(y + pixelAt(b, P, Q, p, q, pool.channels), sums);
    });
}

template <class T, class Windows>
__global__ void __launch_bounds__(kMostThreads, kBlocks) averagePoolBackward(Pool<Windows> pool, const T* dy, T* dx)
{
    const Windows& windows = pool.windows;
    const int H = windows.height, W = windows.width, P = windows.outputHeight, Q = windows.outputWidth;
    forEachPixel<T>(pool, H, W, [&](std::int64_t b, int h, int w, const Channels<T>& channels) {
        const Range rows = windows.rowsSeeing(h), columns = windows.columnsSeeing(w);
        float sums[Channels<T>::kSize] = {};
        for (int p = rows.first; p <= rows.last; ++p) {
            for (int q = columns.first; q <= columns.last; ++q) {
                const float factor = windows.averageFactor(p, q);
                float gradients[Channels<T>::kSize];
                channels.load(dy + pixelAt(b, P, Q, p, q, pool.channels), gradients);
                for (int k = 0; k < Channels<T>::kSize; ++k) sums[k] += gradients[k] * factor;
            }
        }
        channels.store(dx + pixelAt(b, H, W, h, w, pool.channels), sums);
    });
}

// launchers

/// Enqueues a kernel whose threads have the pixels of images of that size.
template <class T, class Windows, class... Parameters, class... Values>
void launchOver(Context& context, void (*kernel)(Pool<Windows>, Parameters...), const Pool<Windows>& pool, int height,
                int width, Values... values)
{
    const std::int64_t packs = (pool.channels + Packed<T>::kSize - 1) / Packed<T>::kSize;
    const std::int64_t line = width * packs;
    const std::int64_t threads = std::min<std::int64_t>((line + kWarp - 1) / kWarp * kWarp, kMostThreads);
    dim3 grid = blocksFor(line, threads);
    grid.y = static_cast<unsigned>(std::min<std::int64_t>(pool.batch * height, 65535));
    launch(context, kernel, grid, static_cast<unsigned>(threads), 0, pool, values...);
}

template <class T, class Windows> KernelResult makeMax(Context& context, const Pool<Windows>& pool)
{
    return makeKernel([&context, pool](const Arguments& arguments) {
        launchOver<T>(context, maxPool<T, Windows>, pool, pool.windows.outputHeight, pool.windows.outputWidth,
                      static_cast<const T*>(arguments.inputs[0]), static_cast<T*>(arguments.outputs[0]));
    });
}

/// Index: what holds a place within a window.
template <class T, class Index, class Windows> KernelResult makeMaxBackward(Context& context, const Pool<Windows>& pool)
{
    const auto run = [&context, pool](const Arguments& arguments) {
        const Windows& windows = pool.windows;
        auto* places = reinterpret_cast<Index*>(arguments.scratch);
        launchOver<T>(context, findMaxima<T, Index, Windows>, pool, windows.outputHeight, windows.outputWidth,
                      static_cast<const T*>(arguments.inputs[0]), places);
        launchOver<T>(context, maxPoolBackward<T, Index, Windows>, pool, windows.height, windows.width, places,
                      static_cast<const T*>(arguments.inputs[1]), static_cast<T*>(arguments.outputs[0]));
    };
    return makeKernel(run, static_cast<std::uint64_t>(pool.outputs()) * sizeof(Index));
}

template <class T, class Windows> KernelResult makeAverage(Context& context, const Pool<Windows>& pool)
{
    return makeKernel([&context, pool](const Arguments& arguments) {
        launchOver<T>(context, averagePool<T, Windows>, pool, pool.windows.outputHeight, pool.windows.outputWidth,
                      static_cast<const T*>(arguments.inputs[0]), static_cast<T*>(arguments.outputs[0]));
    });
}

template <class T, class Windows> KernelResult makeAverageBackward(Context& context, const Pool<Windows>& pool)
{
    return makeKernel([&context, pool](const Arguments& arguments) {
        launchOver<T>(context, averagePoolBackward<T, Windows>, pool, pool.windows.height, pool.windows.width,
                      static_cast<const T*>(arguments.inputs[0]), static_cast<T*>(arguments.outputs[0]));
    });
}

} // namespace millrace::kernels::cuda::pooling
