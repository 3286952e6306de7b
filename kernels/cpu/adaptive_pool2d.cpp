// Max and average pooling to a given size; the loops are in pool_loops.h.
#include "kernels/ops/adaptive_pool2d.h"

#include "kernels/cpu/make_kernel.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/pool_loops.h"

namespace millrace::kernels::cpu {

namespace {

/// The windows that cover the image, each output's own.
struct Windows : AdaptivePool2d
{
    MR_INLINE pool_loops::Window windowAt(std::int64_t row, std::int64_t column) const
    {
        return {row * height / outputRows, ((row + 1) * height + outputRows - 1) / outputRows,
                column * width / outputColumns, ((column + 1) * width + outputColumns - 1) / outputColumns};
    }

    MR_INLINE float averageFactor(std::int64_t row, std::int64_t column) const
    {
        const pool_loops::Window w = windowAt(row, column);
        return 1.0F / static_cast<float>((w.bottom - w.top) * (w.right - w.left));
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

MR_VECTORISED void averageForward(const Windows& p, const float* x, float* y, std::int64_t begin, std::int64_t end)
{
    pool_loops::averageForward(p, x, y, begin, end);
}

MR_VECTORISED void averageBackward(const Windows& p, const float* dy, float* dx, std::int64_t begin, std::int64_t end)
{
    pool_loops::averageBackward(p, dy, dx, begin, end);
}

Status check(const AdaptivePool2d& p)
{
    return requirePositive("adaptive_pool2d", {{"batch", p.batch},
                                               {"height", p.height},
                                               {"width", p.width},
                                               {"channels", p.channels},
                                               {"output height", p.outputRows},
                                               {"output width", p.outputColumns}});
}

double imageNanoseconds(const AdaptivePool2d& p)
{
    return 0.2 *
           static_cast<double>(std::max(p.height, p.outputRows) * std::max(p.width, p.outputColumns) * p.channels);
}

} // namespace

KernelResult makeAdaptiveMaxPool2d(const AdaptivePool2d& pool, int threads)
{
    MR_CHECK(check(pool));
    return makeKernel([pool = Windows{pool}, threads](const Arguments& arguments) {
        parallelFor(threads, pool.batch, imageNanoseconds(pool), [&](std::int64_t begin, std::int64_t end) {
            maxForward(pool, arguments.input(0), arguments.output(0), begin, end);
        });
    });
}

KernelResult makeAdaptiveMaxPool2dBackward(const AdaptivePool2d& pool, int threads)
{
    MR_CHECK(check(pool));
    return makeKernel([pool = Windows{pool}, threads](const Arguments& arguments) {
        parallelFor(threads, pool.batch, imageNanoseconds(pool), [&](std::int64_t begin, std::int64_t end) {
            maxBackward(pool, arguments.input(0), arguments.input(1), arguments.output(0), begin, end);
        });
    });
}

KernelResult makeAdaptiveAveragePool2d(const AdaptivePool2d& pool, int threads)
{
    MR_CHECK(check(pool));
    return makeKernel([pool = Windows{pool}, threads](const Arguments& arguments) {
        parallelFor(threads, pool.batch, imageNanoseconds(pool), [&](std::int64_t begin, std::int64_t end) {
            averageForward(pool, arguments.input(0), arguments.output(0), begin, end);
        });
    });
}

KernelResult makeAdaptiveAveragePool2dBackward(const AdaptivePool2d& pool, int threads)
{
    MR_CHECK(check(pool));
    return makeKernel([pool = Windows{pool}, threads](const Arguments& arguments) {
        parallelFor(threads, pool.batch, imageNanoseconds(pool), [&](std::int64_t begin, std::int64_t end) {
            averageBackward(pool, arguments.input(0), arguments.output(0), begin, end);
        });
    });
}

} // namespace millrace::kernels::cpu
