// Pooling.
#include "engine/execute/kernels/families.h"

namespace millrace::execute::families {

namespace {

kernels::Pool2d poolOf(const Site& site, const Shape& x)
{
    const graph::Window window = graph::poolingWindow(site.operation());
    kernels::Pool2d pool;
    pool.batch = x[0], pool.height = x[1], pool.width = x[2], pool.channels = x[3];
    pool.kernelHeight = window.height, pool.kernelWidth = window.width;
    pool.strideHeight = window.strideHeight, pool.strideWidth = window.strideWidth;
    pool.padHeight = window.paddingHeight, pool.padWidth = window.paddingWidth;
    return pool;
}

kernels::AdaptivePool2d adaptivePoolOf(const Site& site, const Shape& x)
{
    const auto [rows, columns] = graph::adaptivePoolSize(site.operation());
    return {x[0], x[1], x[2], x[3], rows, columns};
}

} // namespace

std::span<const Row> pooling()
{
    static const std::vector<Row> rows = {
        {"max_pool2d",
         [](const Site& s, Mode, const Factory& f) { return f.makeMaxPool2d(poolOf(s, s.input(0).shape)); },
         {in(0)},
         {out(0)}},
        {"max_pool2d_backward",
         [](const Site& s, Mode, const Factory& f) { return f.makeMaxPool2dBackward(poolOf(s, s.input(0).shape)); },
         {in(0), in(1)},
         {out(0)}},
        {"average_pool2d",
         [](const Site& s, Mode, const Factory& f) { return f.makeAveragePool2d(poolOf(s, s.input(0).shape)); },
         {in(0)},
         {out(0)}},
        {"average_pool2d_backward",
         [](const Site& s, Mode, const Factory& f) {
             return f.makeAveragePool2dBackward(poolOf(s, s.output(0).shape));
         },
         {in(0)},
         {out(0)}},
        {"adaptive_max_pool2d",
         [](const Site& s, Mode, const Factory& f) {
             return f.makeAdaptiveMaxPool2d(adaptivePoolOf(s, s.input(0).shape));
         },
         {in(0)},
         {out(0)}},
        {"adaptive_max_pool2d_backward",
         [](const Site& s, Mode, const Factory& f) {
             return f.makeAdaptiveMaxPool2dBackward(adaptivePoolOf(s, s.input(0).shape));
         },
         {in(0), in(1)},
         {out(0)}},
        {"adaptive_average_pool2d",
         [](const Site& s, Mode, const Factory& f) {
             return f.makeAdaptiveAveragePool2d(adaptivePoolOf(s, s.input(0).shape));
         },
         {in(0)},
         {out(0)}},
        {"adaptive_average_pool2d_backward",
         [](const Site& s, Mode, const Factory& f) {
             return f.makeAdaptiveAveragePool2dBackward(adaptivePoolOf(s, s.output(0).shape));
         },
         {in(0)},
         {out(0)}},
    };
    return rows;
}

} // namespace millrace::execute::families
