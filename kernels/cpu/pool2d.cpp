// Max and average pooling over windows of one size; the loops are in pool_loops.h and pool_tiles.h.
#include "kernels/ops/pool2d.h"

#include "kernels/cpu/make_kernel.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/pool_loops.h"
#include "kernels/cpu/pool_tiles.h"
#include "kernels/ops/check_windows.h"

#include <algorithm>

namespace millrace::kernels::cpu {

namespace {

/// The windows of fixed size at fixed distances.
struct Windows : Pool2d
{
    MR_INLINE pool_loops::Window windowAt(std::int64_t row, std::int64_t column) const
    {
        const std::int64_t top = row * strideHeight - padHeight, left = column * strideWidth - padWidth;
        return {std::max<std::int64_t>(top, 0), std::min(top + kernelHeight, height), std::max<std::int64_t>(left, 0),
                std::min(left + kernelWidth, width)};
    }

    /// Padding included or not, but never what lies beyond the padding.
    MR_INLINE float averageFactor(std::int64_t row, std::int64_t column) const
    {
        const pool_loops::Window w = windowAt(row, column);
        if (!countPadding) return 1.0F / static_cast<float>((w.bottom - w.top) * (w.right - w.left));
        return 1.0F / static_cast<float>(kernelHeight * kernelWidth);
    }
};

// images begin … end

MR_VECTORISED void maxForward(const Windows& p, const float* x, float* y, std::int64_t begin, std::int64_t end)
{
    pool_loops::maxForward(p, x, y, begin, end);
}

MR_VECTORISED void maxBackward(const Windows& p, const float* x, const float* dy, float* dx, std::int64_t begin,
                               std::int64_t end)
{
    pool_loops::maxBackward(p, x, dy, dx, begin, end);
}

MR_VECTORISED void maxForwardOfTiles(const Pool2d& p, const float* x, float* y, std::int64_t begin, std::int64_t end)
{
    pool_tiles::maxForward(p, x, y, begin, end);
}

MR_VECTORISED void maxBackwardOfTiles(const Pool2d& p, const float* x, const float* dy, float* dx, std::int64_t begin,
                                      std::int64_t end)
{
    pool_tiles::maxBackward(p, x, dy, dx, begin, end);
}

MR_VECTORISED void averageForward(const Windows& p, const float* x, float* y, std::int64_t begin, std::int64_t end)
{
    pool_loops::averageForward(p, x, y, begin, end);
}

MR_VECTORISED void averageBackward(const Windows& p, const float* dy, float* dx, std::int64_t begin, std::int64_t end)
{
    pool_loops::averageBackward(p, dy, dx, begin, end);
}

double imageNanoseconds(const Pool2d& p)
{
    return 0.2 * static_cast<double>(p.outputHeight() * p.outputWidth() * p.kernelHeight * p.kernelWidth * p.channels);
}

} // namespace

KernelResult makeMaxPool2d(const Pool2d& pool, int threads)
{
    MR_CHECK(kernels::check(pool));
    return makeKernel([pool = Windows{pool}, threads](const Arguments& arguments) {
        parallelFor(threads, pool.batch, imageNanoseconds(pool), [&](std::int64_t begin, std::int64_t end) {
            if (pool_tiles::suits(pool))
                maxForwardOfTiles(pool, arguments.input(0), arguments.output(0), begin, end);
            else
                maxForward(pool, arguments.input(0), arguments.output(0), begin, end);
        });
    });
}

KernelResult makeMaxPool2dBackward(const Pool2d& pool, int threads)
{
    MR_CHECK(kernels::check(pool));
    return makeKernel([pool = Windows{pool}, threads](const Arguments& arguments) {
        parallelFor(threads, pool.batch, imageNanoseconds(pool), [&](std::int64_t begin, std::int64_t end) {
            if (pool_tiles::suits(pool))
                maxBackwardOfTiles(pool, arguments.input(0), arguments.input(1), arguments.output(0), begin, end);
            else
                maxBackward(pool, arguments.input(0), arguments.input(1), arguments.output(0), begin, end);
        });
    });
}

KernelResult makeAveragePool2d(const Pool2d& pool, int threads)
{
    MR_CHECK(kernels::check(pool));
    return makeKernel([pool = Windows{pool}, threads](const Arguments& arguments) {
        parallelFor(threads, pool.batch, imageNanoseconds(pool), [&](std::int64_t begin, std::int64_t end) {
            averageForward(pool, arguments.input(0), arguments.output(0), begin, end);
        });
    });
}

KernelResult makeAveragePool2dBackward(const Pool2d& pool, int threads)
{
    MR_CHECK(kernels::check(pool));
    return makeKernel([pool = Windows{pool}, threads](const Arguments& arguments) {
        parallelFor(threads, pool.batch, imageNanoseconds(pool), [&](std::int64_t begin, std::int64_t end) {
            averageBackward(pool, arguments.input(0), arguments.output(0), begin, end);
        });
    });
}

} // namespace millrace::kernels::cpu
