// Max and average pooling to a given size; the kernels are in pool_windows.h. With one output for an image, a thread
// goes through all of it: there are as many threads as images have vectors of channels.
#include "kernels/cuda/pool_windows.h"

namespace millrace::kernels::cuda {

namespace {

/// The windows that cover the image, each output's own.
struct Windows
{
    int height, width, outputHeight, outputWidth;

    /// Where the row-th of `outputs` windows over `size` begins; the next one's begin rounded up is its end.
    static __device__ int begin(int row, int size, int outputs) { return row * size / outputs; }
    static __device__ int end(int row, int size, int outputs) { return ((row + 1) * size + outputs - 1) / outputs; }
    __device__ pooling::Window window(int row, int column) const
    {
        return {begin(row, height, outputHeight), end(row, height, outputHeight), begin(column, width, outputWidth),
                end(column, width, outputWidth)};
    }
    // Output p sees h where floor(p size / outputs) <= h < ceil((p + 1) size / outputs); solved for p, that is the same
    // with sizes exchanged.
    __device__ pooling::Range rowsSeeing(int h) const
    {
        return {begin(h, outputHeight, height), end(h, outputHeight, height) - 1};
    }
    __device__ pooling::Range columnsSeeing(int w) const
    {
        return {begin(w, outputWidth, width), end(w, outputWidth, width) - 1};
    }
    __device__ float averageFactor(int row, int column) const
    {
        return 1.0F / static_cast<float>(window(row, column).size());
    }
};

Status check(const AdaptivePool2d& p, DType type)
{
    MR_CHECK(requireF32("adaptive_pool2d", type));
    const std::initializer_list<Dimension> dimensions{{"batch", p.batch},
                                                      {"height", p.height},
                                                      {"width", p.width},
                                                      {"channels", p.channels},
                                                      {"output height", p.outputRows},
                                                      {"output width", p.outputColumns}};
    MR_CHECK(requirePositive("adaptive_pool2d", dimensions));
    MR_CHECK(pooling::requireSmall("adaptive_pool2d", dimensions));
    return pooling::requireSmall("adaptive_pool2d", {{"an image's pixels", p.height * p.width},
                                                     {"height by output height", p.height * p.outputRows},
                                                     {"width by output width", p.width * p.outputColumns}});
}

pooling::Pool<Windows> poolOf(const AdaptivePool2d& p)
{
    const auto narrow = [](std::int64_t size) { return static_cast<int>(size); };
    return {{narrow(p.height), narrow(p.width), narrow(p.outputRows), narrow(p.outputColumns)},
            p.batch,
            narrow(p.channels)};
}

} // namespace

// launchers

KernelResult makeAdaptiveMaxPool2d(Context& context, const AdaptivePool2d& pool, DType type)
{
    MR_CHECK(check(pool, type));
    return pooling::makeMax<float>(context, poolOf(pool));
}

KernelResult makeAdaptiveMaxPool2dBackward(Context& context, const AdaptivePool2d& pool, DType type)
{
    MR_CHECK(check(pool, type));
    return pooling::makeMaxBackward<float, std::int32_t>(context, poolOf(pool));
}

KernelResult makeAdaptiveAveragePool2d(Context& context, const AdaptivePool2d& pool, DType type)
{
    MR_CHECK(check(pool, type));
    return pooling::makeAverage<float>(context, poolOf(pool));
}

KernelResult makeAdaptiveAveragePool2dBackward(Context& context, const AdaptivePool2d& pool, DType type)
{
    MR_CHECK(check(pool, type));
    return pooling::makeAverageBackward<float>(context, poolOf(pool));
}

} // namespace millrace::kernels::cuda
