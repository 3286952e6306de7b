// The driver's rows of what moves values along axes or adds them up: joining, cutting, reordering, picking, reducing.
#include "kernels/base/text.h"
#include "tests/kernels/families.h"

#include <functional>
#include <numeric>

namespace millrace::test {

namespace {

using namespace kernels;

/// "2x3x4" as numbers; none where a piece is none.
std::vector<std::int64_t> readSizes(Case& line, const std::string& key)
{
    std::vector<std::int64_t> sizes;
    const std::string text = line.word(key);
    for (const std::string_view piece : split(text, 'x')) sizes.push_back(parseInteger(piece).value_or(0));
    return sizes;
}

std::int64_t product(const std::vector<std::int64_t>& sizes)
{
    return std::accumulate(sizes.begin(), sizes.end(), std::int64_t{1}, std::multiplies<>());
}

Problem multiply(Case& line)
{
    const Multiply m{line.integer("N")};
    return {{.inputs = {{"a", m.elements}, {"b", m.elements}},
             .outputs = {{"y", m.elements}},
             .makeKernel = [m](const Factory& f) { return f.makeMultiply(m); },
             .reference = [m](Inputs in, Outputs out) { reference::multiply(m, in, out); },
             .flops = static_cast<double>(m.elements),
             .aliases = {{0, 0}, {0, 1}}}};
}

/// parts: sizes; a negative one is a part that is not there.
Problem concatenate(Case& line)
{
    Concatenate join{line.integer("O"), {}};
    Function forward, backward;
    for (const std::int64_t size : readSizes(line, "parts")) {
        join.parts.push_back({std::abs(size), size > 0});
        if (size < 0) continue;
        const std::string name = str("part", join.parts.size());
        forward.inputs.push_back({name, join.outer * size});
        backward.outputs.push_back({"d" + name, join.outer * size});
    }
    const std::int64_t elements = join.outer * join.rowSize();
    forward.outputs = {{"y", elements}};
    forward.makeKernel = [join](const Factory& f) { return f.makeConcatenate(join); };
    forward.reference = [join](Inputs in, Outputs out) { reference::concatenate(join, in, out); };
    backward.inputs = {{"dy", elements}};
    backward.makeKernel = [join](const Factory& f) { return f.makeConcatenateBackward(join); };
    backward.reference = [join](Inputs in, Outputs out) { reference::concatenateBackward(join, in, out); };
    backward.outputsOptional = true;
    return {std::move(forward), std::move(backward)};
}

Problem transpose(Case& line)
{
    const Transpose t{readSizes(line, "shape"), readSizes(line, "order")};
    Transpose back{{}, std::vector<std::int64_t>(t.order.size())};
    for (std::size_t i = 0; i < t.order.size(); ++i) {
        const auto axis = static_cast<std::size_t>(t.order[i]);
        back.shape.push_back(t.shape[axis]);
        back.order[axis] = static_cast<std::int64_t>(i);
    }
    const std::int64_t elements = product(t.shape);
    return {{.inputs = {{"x", elements}},
             .outputs = {{"y", elements}},
             .makeKernel = [t](const Factory& f) { return f.makeTranspose(t); },
             .reference = [t](Inputs in, Outputs out) { reference::transpose(t, in, out); }},
            Function{.inputs = {{"dy", elements}},
                     .outputs = {{"dx", elements}},
                     .makeKernel = [back](const Factory& f) { return f.makeTranspose(back); },
                     .reference = [back](Inputs in, Outputs out) { reference::transpose(back, in, out); }}};
}

Problem gather(Case& line)
{
    const Gather g{line.integer("O"), line.integer("S"), line.integer("K"), line.integer("I")};
    const std::int64_t x = g.outer * g.size * g.inner, y = g.outer * g.count * g.inner;
    const Operand index{"index", y, Operand::Content::Label, g.size};
    return {{.inputs = {{"x", x}, index},
             .outputs = {{"y", y}},
             .makeKernel = [g](const Factory& f) { return f.makeGather(g); },
             .reference = [g](Inputs in, Outputs out) { reference::gather(g, in, out); }},
            Function{.inputs = {index, {"dy", y}},
                     .outputs = {{"dx", x}},
                     .makeKernel = [g](const Factory& f) { return f.makeGatherBackward(g); },
                     .reference = [g](Inputs in, Outputs out) { reference::gatherBackward(g, in, out); }}};
}

Problem reduce(Case& line)
{
    const std::string operation = line.word("operation");
    Reduce r;
    r.operation = operation == "max" ? Reduction::Max : operation == "mean" ? Reduction::Mean : Reduction::Sum;
    r.shape = readSizes(line, "shape");
    std::int64_t kept = 1;
    const std::vector<std::int64_t> marks = readSizes(line, "reduced");
    for (std::size_t axis = 0; axis < marks.size(); ++axis) {
        r.reduced.push_back(marks[axis] != 0);
        if (marks[axis] == 0 && axis < r.shape.size()) kept *= r.shape[axis];
    }
    const Operand x{"x", product(r.shape)};
    Function backward{.inputs = {{"dy", kept}},
                      .outputs = {{"dx", x.elements}},
                      .makeKernel = [r](const Factory& f) { return f.makeReduceBackward(r); },
                      .reference = [r](Inputs in, Outputs out) { reference::reduceBackward(r, in, out); },
                      .flops = static_cast<double>(x.elements)};
    if (r.operation == Reduction::Max) backward.inputs = {x, {"y", kept}, {"dy", kept}};
    return {{.inputs = {x},
             .outputs = {{"y", kept}},
             .makeKernel = [r](const Factory& f) { return f.makeReduce(r); },
             .reference = [r](Inputs in, Outputs out) { reference::reduce(r, in, out); },
             .flops = static_cast<double>(x.elements)},
            std::move(backward)};
}

AdaptivePool2d readAdaptivePool(Case& line)
{
    const std::int64_t P = line.integer("P");
    return {line.integer("B"), line.integer("H"), line.integer("W"), line.integer("C"), P, line.integer("Q", P)};
}

Problem adaptiveMaxPool2d(Case& line)
{
    const AdaptivePool2d p = readAdaptivePool(line);
    const std::int64_t x = p.batch * p.height * p.width * p.channels;
    const std::int64_t y = p.batch * p.outputRows * p.outputColumns * p.channels;
    return {{.inputs = {{"x", x}},
             .outputs = {{"y", y}},
             .makeKernel = [p](const Factory& f) { return f.makeAdaptiveMaxPool2d(p); },
             .reference = [p](Inputs in, Outputs out) { reference::adaptiveMaxPool2d(p, in, out); },
             .flops = static_cast<double>(x)},
            Function{.inputs = {{"x", x}, {"dy", y}},
                     .outputs = {{"dx", x}},
                     .makeKernel = [p](const Factory& f) { return f.makeAdaptiveMaxPool2dBackward(p); },
                     .reference = [p](Inputs in, Outputs out) { reference::adaptiveMaxPool2dBackward(p, in, out); },
                     .flops = static_cast<double>(x)}};
}

Problem adaptiveAveragePool2d(Case& line)
{
    const AdaptivePool2d p = readAdaptivePool(line);
    const std::int64_t x = p.batch * p.height * p.width * p.channels;
    const std::int64_t y = p.batch * p.outputRows * p.outputColumns * p.channels;
    return {{.inputs = {{"x", x}},
             .outputs = {{"y", y}},
             .makeKernel = [p](const Factory& f) { return f.makeAdaptiveAveragePool2d(p); },
             .reference = [p](Inputs in, Outputs out) { reference::adaptiveAveragePool2d(p, in, out); },
             .flops = static_cast<double>(x)},
            Function{.inputs = {{"dy", y}},
                     .outputs = {{"dx", x}},
                     .makeKernel = [p](const Factory& f) { return f.makeAdaptiveAveragePool2dBackward(p); },
                     .reference = [p](Inputs in, Outputs out) { reference::adaptiveAveragePool2dBackward(p, in, out); },
                     .flops = static_cast<double>(x)}};
}

constexpr OperationRow kOperations[] = {
    {"multiply", multiply},
    {"concatenate", concatenate},
    {"transpose", transpose},
    {"gather", gather, true},
    {"reduce", reduce},
    {"adaptive_max_pool2d", adaptiveMaxPool2d, true},
    {"adaptive_average_pool2d", adaptiveAveragePool2d, true},
};

} // namespace

std::span<const OperationRow> arrangementOperations()
{
    return kOperations;
}

} // namespace millrace::test
