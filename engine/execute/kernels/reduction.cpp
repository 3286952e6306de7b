// Sum, mean and maximum over axes.
#include "engine/execute/kernels/families.h"

namespace millrace::execute::families {

namespace {

kernels::Reduce reduceOf(const Site& s, const Shape& x)
{
    const std::string operation = s->text("operation", "sum");
    const auto dimensions = x.dimensions();
    kernels::Reduce reduce;
    reduce.operation = operation == "max"    ? kernels::Reduction::Max
                       : operation == "mean" ? kernels::Reduction::Mean
                                             : kernels::Reduction::Sum;
    reduce.shape.assign(dimensions.begin(), dimensions.end());
    reduce.reduced = graph::reducedAxes(s.operation(), x.rank());
    return reduce;
}

KernelResult makeBackward(const Site& s, Mode, const Factory& f)
{
    return f.makeReduceBackward(reduceOf(s, s.output(0).shape));
}

} // namespace

std::span<const Row> reduction()
{
    static const std::vector<Row> rows = {
        {"reduce",
         [](const Site& s, Mode, const Factory& f) { return f.makeReduce(reduceOf(s, s.input(0).shape)); },
         {in(0)},
         {out(0)}},
        {"reduce_backward", makeBackward, {in(0)}, {out(0)}},
        {"reduce_max_backward", makeBackward, {in(0), in(1), in(2)}, {out(0)}},
    };
    return rows;
}

} // namespace millrace::execute::families
