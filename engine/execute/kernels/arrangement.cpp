// Operations that move values along axes.
#include "engine/execute/kernels/families.h"

namespace millrace::execute::families {

namespace {

using Parts = std::vector<kernels::Concatenate::Part>;

/// How many values lie before an axis and behind it.
struct Around
{
    std::int64_t outer = 1, inner = 1;
};

Around around(const Shape& shape, std::size_t axis)
{
    Around result;
    for (std::size_t i = 0; i < axis; ++i) result.outer *= shape[i];
    for (std::size_t i = axis + 1; i < shape.rank(); ++i) result.inner *= shape[i];
    return result;
}

/// Joins or cuts along an axis of `whole`, at parts of those sizes.
kernels::Concatenate joinOf(const Site& site, const Shape& whole, Parts parts)
{
    const auto [outer, inner] = around(whole, graph::axisOf(site.operation(), whole));
    for (kernels::Concatenate::Part& part : parts) part.size *= inner;
    return {outer, std::move(parts)};
}

Parts partsOf(const std::vector<std::int64_t>& sizes)
{
    Parts parts;
    for (const std::int64_t size : sizes) parts.push_back({size, true});
    return parts;
}

KernelResult makeConcatenate(const Site& s, Mode, const Factory& f)
{
    const Shape& whole = s.output(0).shape;
    const std::size_t axis = graph::axisOf(s.operation(), whole);
    Parts parts;
    for (std::size_t i = 0; i < s->inputs.size(); ++i) parts.push_back({s.input(i).shape[axis], true});
    return f.makeConcatenate(joinOf(s, whole, std::move(parts)));
}

KernelResult makeSplit(const Site& s, Mode, const Factory& f)
{
    return f.makeConcatenateBackward(joinOf(s, s.input(0).shape, partsOf(s->integers("sizes"))));
}

KernelResult makeSplitBackward(const Site& s, Mode, const Factory& f)
{
    Parts parts = partsOf(s->integers("sizes"));
    const std::vector<std::int64_t> present = s->integers("present");
    for (std::size_t i = 0; i < parts.size(); ++i) parts[i].there = present[i] != 0;
    return f.makeConcatenate(joinOf(s, s.output(0).shape, std::move(parts)));
}

/// What lies before the slice, the slice, and what lies behind it.
kernels::Concatenate sliceOf(const Site& s, const Shape& whole, const Shape& slice)
{
    const std::size_t axis = graph::axisOf(s.operation(), whole);
    const std::int64_t start = s->integer("start");
    return joinOf(s, whole, {{start, false}, {slice[axis], true}, {whole[axis] - start - slice[axis], false}});
}

kernels::Transpose transposeOf(const Site& s)
{
    const auto dimensions = s.input(0).shape.dimensions();
    kernels::Transpose transpose{{dimensions.begin(), dimensions.end()}, {0}};
    for (const std::int64_t axis : s->integers("order")) transpose.order.push_back(axis);
    return transpose;
}

kernels::Gather gatherOf(const Site& s, const Shape& x, const Shape& index)
{
    const std::size_t axis = graph::axisOf(s.operation(), x);
    const auto [outer, inner] = around(x, axis);
    return {outer, x[axis], index[axis], inner};
}

} // namespace

std::span<const Row> arrangement()
{
    static const std::vector<Row> rows = {
        {"concatenate", makeConcatenate, {everyInput}, {out(0)}},
        {"split", makeSplit, {in(0)}, {everyOutput}},
        {"split_backward", makeSplitBackward, {everyInput}, {out(0)}},
        {"slice",
         [](const Site& s, Mode, const Factory& f) {
             return f.makeConcatenateBackward(sliceOf(s, s.input(0).shape, s.output(0).shape));
         },
         {in(0)},
         {out(0)}},
        {"slice_backward",
         [](const Site& s, Mode, const Factory& f) {
             return f.makeConcatenate(sliceOf(s, s.output(0).shape, s.input(0).shape));
         },
         {in(0)},
         {out(0)}},
        {"transpose",
         [](const Site& s, Mode, const Factory& f) { return f.makeTranspose(transposeOf(s)); },
         {in(0)},
         {out(0)}},
        {"gather",
         [](const Site& s, Mode, const Factory& f) {
             return f.makeGather(gatherOf(s, s.input(0).shape, s.input(1).shape));
         },
         {in(0), in(1)},
         {out(0)}},
        {"gather_backward",
         [](const Site& s, Mode, const Factory& f) {
             return f.makeGatherBackward(gatherOf(s, s.output(0).shape, s.input(0).shape));
         },
         {in(0), in(1)},
         {out(0)}},
    };
    return rows;
}

} // namespace millrace::execute::families
