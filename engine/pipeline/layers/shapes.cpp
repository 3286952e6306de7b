// Layers without weights that give values another shape or bring several tensors together.
#include "engine/pipeline/layers/layers.h"

#include <array>

namespace millrace::pipeline::layers {

namespace {
Built addNamesake(Site& site)
{
    return site.output(site.layer().spec.type.substr(std::string_view("layer.").size()), site.inputs());
}

Built addReshape(Site& site)
{
    MR_CHECK(site.needWholeSequence());
    return site.output("reshape", site.inputs(), {{"shape", site.list("shape")}});
}

// The order names each axis of a row once; the batch stays first.
Built addTranspose(Site& site)
{
    MR_CHECK(site.needWholeSequence());
    const auto order = site.list("order");
    std::vector<std::int64_t> axes;
    std::vector<bool> seen(site.shape().rank(), false);
    for (const std::int64_t given : order) {
        MR_TRY(const std::int64_t axis, site.axis(given, "order"));
        if (seen[static_cast<std::size_t>(axis)])
            return site.refuse(str("The order names axis ", given, " twice."), "Name each axis of a row once.",
                               "order");
        seen[static_cast<std::size_t>(axis)] = true;
        axes.push_back(axis);
    }
    if (axes.size() + 1 != site.shape().rank())
        return site.refuse(str("The order names ", order.size(), " axes, but ", site.described(), " has ",
                               site.shape().rank() - 1, "."),
                           "Name each axis of a row once.", "order");
    return site.output("transpose", site.inputs(), {{"order", axes}});
}

Built addSlice(Site& site)
{
    MR_TRY(const std::int64_t axis, site.axis(site.whole("axis"), "axis"));
    if (axis == 1) MR_CHECK(site.needWholeSequence());
    const std::int64_t length = site.shape()[static_cast<std::size_t>(axis)];
    const std::int64_t given = site.whole("start"), start = given < 0 ? length + given : given;
    if (start < 0 || start >= length)
        return site.refuse(str("The slice starts at ", given, ", but the axis of ", site.described(), " has ", length,
                               " places, 0 to ", length - 1, "."),
                           "Start within the axis; -1 is its last place.", "start");
    const std::int64_t size = site.whole("size") == 0 ? length - start : site.whole("size");
    if (start + size > length)
        return site.refuse(str("The slice takes ", size, " places from ", start, ", but the axis of ", site.described(),
                               " has ", length, "."),
                           "Take fewer; 0 takes all to the end.", "size");
    return site.output("slice", site.inputs(), {{"axis", axis}, {"start", start}, {"size", size}});
}

Built addConcatenate(Site& site)
{
    MR_TRY(const std::int64_t axis, site.axis(site.whole("axis"), "axis"));
    if (axis == 1) MR_CHECK(site.needWholeSequence());
    return site.output("concatenate", site.inputs(), {{"axis", axis}});
}

Built addReduce(Site& site)
{
    std::vector<std::int64_t> axes;
    for (const std::int64_t given : site.list("axes")) {
        MR_TRY(const std::int64_t axis, site.axis(given, "axes"));
        if (axis == 1) MR_CHECK(site.needWholeSequence());
        axes.push_back(axis);
    }
    if (axes.empty()) return site.refuse("No axis to reduce is named.", "Name at least one; -1 is the last.", "axes");
    return site.output("reduce", site.inputs(), {{"operation", site.text("operation")}, {"axes", axes}});
}

Row reshape()
{
    Row row{layerType("layer.reshape", "Reshape", "Shape", "The same values in another shape."), addReshape};
    row.spec.params = {integerListParam("shape", "Shape",
                                        "Sizes of the new shape, without the batch; one may be -1 and takes what is "
                                        "left.",
                                        Json::array({-1}), -1, 1e9)};
    return row;
}

Row transpose()
{
    Row row{layerType("layer.transpose", "Transpose", "Shape", "The same values with the axes in another order.",
                      "y[i of order 1, i of order 2, …] = x[i1, i2, …]"),
            addTranspose};
    row.spec.params = {
        integerListParam("order", "Order",
                         "Which axis of the row comes first, second, …, counted from 1; 2, 1 swaps steps "
                         "and width.",
                         Json::array({2, 1}), -7, 7)};
    return row;
}

ParamSpec axisParam(std::string help)
{
    return integerParam("axis", "Axis", help + " Counted from 1 without the batch; -1 is the last.", -1, -7, 7);
}

Row slice()
{
    Row row{layerType("layer.slice", "Slice", "Shape", "A piece of an axis.", "y[…, i, …] = x[…, start + i, …]"),
            addSlice};
    row.spec.params = {
        axisParam("The axis that is cut."),
        integerParam("start", "Start", "First place that is kept, from 0; negative: from the end.", 0, -1e9, 1e9),
        integerParam("size", "Size", "How many places are kept; 0: all to the end.", 1, 0, 1e9)};
    return row;
}

Row concatenate()
{
    Row row{layerType("layer.concatenate", "Concatenate", "Shape",
                      "Two to eight tensors one after the other along an axis; their other axes must agree.",
                      "y = a, b, … along the axis"),
            addConcatenate};
    row.spec.params = {axisParam("The axis along which they are joined.")};
    row.spec.inputs.clear();
    for (const char letter : {'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'})
        row.spec.inputs.push_back({std::string(1, letter), std::string(1, static_cast<char>(letter - 'a' + 'A')),
                                   PortType::Tensor, letter <= 'b'});
    return row;
}

Row ofTwo(std::string type, std::string title, std::string help, std::string formula, std::string source = {})
{
    Row row{
        layerType(std::move(type), std::move(title), "Shape", std::move(help), std::move(formula), std::move(source)),
        addNamesake};
    row.spec.inputs = {{"a", "A", PortType::Tensor, true}, {"b", "B", PortType::Tensor, true}};
    return row;
}

Row reduce()
{
    Row row{layerType("layer.reduce", "Reduce", "Shape",
                      "The sum, mean or largest value over axes, which are then gone.", "y = operation over the axes"),
            addReduce};
    row.spec.params = {
        choiceParam("operation", "Operation", "What is taken of the values.", {"mean", "sum", "max"}, "mean"),
        integerListParam("axes", "Axes",
                         "The axes that are reduced, counted from 1 without the batch; -1 is the last. "
                         "1 is the steps of a sequence.",
                         Json::array({1}), -7, 7)};
    return row;
}
} // namespace

std::vector<Row> shapes()
{
    return {
        {layerType("layer.flatten", "Flatten", "Shape", "All values of a row in one line, as dense layers take them."),
         addNamesake},
        reshape(),
        transpose(),
        slice(),
        concatenate(),
        ofTwo("layer.add", "Add", "The sum of two tensors of one shape, as in a residual block.", "y = a + b",
              "He et al. 2016, arXiv:1512.03385."),
        ofTwo("layer.multiply", "Multiply", "The product of two tensors of one shape, value by value, as a gate.",
              "y = a · b"),
        reduce()};
}

} // namespace millrace::pipeline::layers
