// Max and average pooling over windows of one size; the kernels are in pool_windows.h.
#include "kernels/cuda/pool_windows.h"
#include "kernels/ops/check_windows.h"

namespace millrace::kernels::cuda {

namespace {

/// The windows of fixed size at fixed distances.
struct Windows
{
    int height, width, outputHeight, outputWidth;
    int kernelHeight, kernelWidth, strideHeight, strideWidth, padHeight, padWidth;
    bool countPadding;

    __device__ pooling::Window window(int row, int column) const
    {
        const int top = row * strideHeight - padHeight, left = column * strideWidth - padWidth;
        return {top > 0 ? top : 0, top + kernelHeight < height ? top + kernelHeight : height, left > 0 ? left : 0,
                left + kernelWidth < width ? left + kernelWidth : width};
    }
    __device__ pooling::Range rowsSeeing(int h) const
    {
        return seeing(h + padHeight, kernelHeight, strideHeight, outputHeight);
    }
    __device__ pooling::Range columnsSeeing(int w) const
    {
        return seeing(w + padWidth, kernelWidth, strideWidth, outputWidth);
    }
    /// Padding included or not, but never what lies beyond the padding.
    __device__ float averageFactor(int row, int column) const
    {
        return 1.0F / static_cast<float>(countPadding ? kernelHeight * kernelWidth : window(row, column).size());
    }

    /// The windows that hold a place of the padded image.
    static __device__ pooling::Range seeing(int place, int kernel, int stride, int outputs)
    {
        const int before = place - kernel + 1, last = place / stride; // the first window begins at `before` or later
        return {before > 0 ? (before + stride - 1) / stride : 0, last < outputs - 1 ? last : outputs - 1};
    }
};

Status checkSizes(const Pool2d& p)
{
    MR_CHECK(kernels::check(p));
    return pooling::requireSmall("pool2d", {{"height", p.height},
                                            {"width", p.width},
                                            {"channels", p.channels},
                                            {"a window", p.kernelHeight * p.kernelWidth},
                                            {"stride", std::max(p.strideHeight, p.strideWidth)}});
}

pooling::Pool<Windows> poolOf(const Pool2d& p)
{
    const auto narrow = [](std::int64_t size) { return static_cast<int>(size); };
    return {{narrow(p.height), narrow(p.width), narrow(p.outputHeight()), narrow(p.outputWidth()),
             narrow(p.kernelHeight), narrow(p.kernelWidth), narrow(p.strideHeight), narrow(p.strideWidth),
             narrow(p.padHeight), narrow(p.padWidth), p.countPadding},
            p.batch,
            narrow(p.channels)};
}

} // namespace

// launchers

KernelResult makeMaxPool2d(Context& context, const Pool2d& pool, DType type)
{
    MR_CHECK(checkSizes(pool));
    return byType(type, [&](auto element) { return pooling::makeMax<decltype(element)>(context, poolOf(pool)); });
}

KernelResult makeMaxPool2dBackward(Context& context, const Pool2d& pool, DType type)
{
    MR_CHECK(checkSizes(pool));
    return byType(type, [&](auto element) {
        using T = decltype(element);
        if (pool.kernelHeight * pool.kernelWidth <= 256)
            return pooling::makeMaxBackward<T, std::uint8_t>(context, poolOf(pool));
        return pooling::makeMaxBackward<T, std::int32_t>(context, poolOf(pool));
    });
}

KernelResult makeAveragePool2d(Context& context, const Pool2d& pool, DType type)
{
    MR_CHECK(checkSizes(pool));
    return byType(type, [&](auto element) { return pooling::makeAverage<decltype(element)>(context, poolOf(pool)); });
}

KernelResult makeAveragePool2dBackward(Context& context, const Pool2d& pool, DType type)
{
    MR_CHECK(checkSizes(pool));
    return byType(type,
                  [&](auto element) { return pooling::makeAverageBackward<decltype(element)>(context, poolOf(pool)); });
}

} // namespace millrace::kernels::cuda
