// Normalisation over a batch or a row.
#include "engine/execute/kernels/families.h"

namespace millrace::execute::families {

namespace {

kernels::BatchNorm batchNormOf(const Site& site, Mode mode)
{
    const Shape& x = site.input(0).shape;
    const std::int64_t channels = x[x.rank() - 1];
    return {x.elements() / channels, channels, site->number("epsilon", 1e-5), site->number("momentum", 0.1),
            mode == Mode::Training};
}

kernels::Softmax softmaxOf(const Site& site)
{
    const Shape& x = site.input(0).shape;
    return {x.elements() / x[x.rank() - 1], x[x.rank() - 1]};
}

} // namespace

std::span<const Row> normalization()
{
    static const std::vector<Row> rows = {
        {"batch_norm",
         [](const Site& s, Mode mode, int threads) { return cpu::makeBatchNorm(batchNormOf(s, mode), threads); },
         {in(0), in(1), in(2), in(3), in(4)},
         {out(0), trainingOut(1), trainingOut(2), in(3), in(4)}}, // the running statistics are updated where they are
        {"batch_norm_backward",
         [](const Site& s, Mode mode, int threads) {
             return cpu::makeBatchNormBackward(batchNormOf(s, mode), threads);
         },
         {in(0), in(1), in(2), in(3), in(4)},
         {out(0), out(1), out(2)}},
        {"softmax",
         [](const Site& s, Mode, int threads) { return cpu::makeSoftmax(softmaxOf(s), threads); },
         {in(0)},
         {out(0)}},
        {"softmax_backward",
         [](const Site& s, Mode, int threads) { return cpu::makeSoftmaxBackward(softmaxOf(s), threads); },
         {in(0), in(1)},
         {out(0)}},
    };
    return rows;
}

} // namespace millrace::execute::families
