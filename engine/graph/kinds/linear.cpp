// The dense layer and the matrix product.
#include "engine/graph/kinds/kinds.h"

namespace millrace::graph::kinds {

namespace {

/// What dense and its gradient can compute along, and from what the gradient follows: relu's from the output,
/// gelu_tanh's from the pre-activation, the output aux.
constexpr std::string_view kActivations[] = {"relu", "gelu_tanh"};

/// Refuses shapes that do not fit together; x (…,I) at input 0, weight (O,I) at input 1.
Status checkDense(const Site& site)
{
    const Shape& x = site.input(0).shape;
    const Shape& weight = site.input(1).shape;
    if (weight.rank() != 2)
        return site.refuse(
            str("The weight of layer ", site->layer, " must have 2 dimensions but is ", weight.toString(), "."));
    if (x.rank() < 2 || weight.elements() == 0 || x[x.rank() - 1] != weight[1]) {
        const bool flat = x.rank() == 2 || (x.rank() == 3 && x[1] * x[2] != weight[1]);
        return site.refuse(
            str("Layer ", site->layer, " takes ", weight[1], " features but gets ", site.sampleAndSource(0), "."),
            flat ? str("Give ", site->layer, " ", x[x.rank() - 1], " inputs.")
                 : std::string("Put a Flatten layer between them."));
    }
    if (site.hasInput(2)) MR_CHECK(checkVector(site, 2, "bias", weight[0]));
    return checkPrecision(site);
}

Result<std::vector<OutputType>> denseShape(const Site& site)
{
    MR_CHECK(checkDense(site));
    MR_CHECK(checkActivation(site, kActivations));
    const Shape& x = site.input(0).shape;
    const Shape out = x.with(x.rank() - 1, site.input(1).shape[0]);
    std::vector<OutputType> outputs{{"out", out}};
    if (site->integer("aux") == 0) return outputs;
    if (site->text("activation") != "gelu_tanh")
        return site.refuse(str("Layer ", site->layer, " is to keep what only gelu_tanh's gradient needs."))
            .atNode(site->layer, "aux");
    outputs.push_back({"aux", out});
    return outputs;
}

/// The last of a tensor's dimensions.
std::int64_t lastOf(const Shape& shape)
{
    return shape[shape.rank() - 1];
}

/// B·I·O multiply-adds, from x (…,I) and weight (O,I).
double denseFlops(const Site& site)
{
    return 2 * static_cast<double>(site.input(0).shape.elements()) * static_cast<double>(site.input(1).shape[0]);
}
/// The same from weight (O,I) and dy (…,O).
double denseBackwardDataFlops(const Site& site)
{
    return 2 * static_cast<double>(site.input(1).shape.elements()) * static_cast<double>(site.input(0).shape[1]);
}
/// The same from x (…,I) and dy (…,O).
double denseBackwardWeightsFlops(const Site& site)
{
    return 2 * static_cast<double>(site.input(0).shape.elements()) * static_cast<double>(lastOf(site.input(1).shape));
}

Status denseGradient(Differentiation& d)
{
    const Operation operation = d.operation();
    if (!operation.text("activation").empty()) return refuseFused(operation);
    const bool bias = operation.inputs.size() > 2 && d.wants(2);
    if (d.wants(1) || bias) {
        auto attributes = operation.attributes;
        attributes["bias"] = std::int64_t{bias};
        MR_TRY(const auto gradients,
               d.add("dense_backward_weights", {operation.inputs[0], d.outputGradient()}, std::move(attributes)));
        d.give(1, gradients[0]);
        if (bias) d.give(2, gradients[1]);
    }
    if (d.wants(0)) {
        MR_TRY(const auto gradients,
               d.add("dense_backward_data", {operation.inputs[1], d.outputGradient()}, operation.attributes));
        d.give(0, gradients[0]);
    }
    return {};
}

Result<std::vector<OutputType>> denseBackwardDataShape(const Site& site)
{
    const Shape& dy = site.input(1).shape;
    const Shape dx = dy.with(dy.rank() - 1, site.input(0).shape[1]);
    MR_CHECK(checkActivation(site, kActivations));
    if (site.hasInput(2) == site->text("activation").empty())
        return site.refuse(str("The gradient of layer ", site->layer,
                               " takes an activation and what its derivative follows from, or neither."));
    if (site.hasInput(2) && site.input(2).shape != dx)
        return site.refuse(str("The gradient of layer ", site->layer, " is ", dx.toString(),
                               " but what its activation's derivative follows from ", site.input(2).shape.toString(),
                               "."));
    return std::vector<OutputType>{{"dx", dx}};
}

Result<std::vector<OutputType>> denseBackwardWeightsShape(const Site& site)
{
    const std::int64_t outputs = lastOf(site.input(1).shape);
    std::vector<OutputType> gradients{{"dweight", Shape{outputs, lastOf(site.input(0).shape)}, DType::F32}};
    if (site->integer("bias") != 0) gradients.push_back({"dbias", Shape{outputs}, DType::F32});
    return gradients;
}

/// The last axis but one, or the last, as what is multiplied has it.
std::int64_t rowsOf(const Shape& shape, bool transposed)
{
    return shape[shape.rank() - (transposed ? 1 : 2)];
}
std::int64_t columnsOf(const Shape& shape, bool transposed)
{
    return rowsOf(shape, !transposed);
}

Result<std::vector<OutputType>> matmulShape(const Site& site)
{
    const Shape &a = site.input(0).shape, &b = site.input(1).shape;
    const bool transposeA = site->integer("transpose_a") != 0, transposeB = site->integer("transpose_b") != 0;
    MR_CHECK(checkPrecision(site));
    const std::size_t rank = a.rank();
    bool fits = rank >= 2 && b.rank() == rank && a.elements() > 0 && b.elements() > 0;
    for (std::size_t axis = 0; fits && axis + 2 < rank; ++axis) fits = a[axis] == b[axis];
    if (!fits || columnsOf(a, transposeA) != rowsOf(b, transposeB))
        return site.refuse(str("Layer ", site->layer, " cannot multiply ", a.toString(),
                               transposeA ? " (transposed)" : "", " by ", b.toString(),
                               transposeB ? " (transposed)" : "", "."),
                           "The leading axes must be the same, and the columns of the first as many as the rows of the "
                           "second.");
    return std::vector<OutputType>{
        {"out", a.with(rank - 2, rowsOf(a, transposeA)).with(rank - 1, columnsOf(b, transposeB))}};
}

double matmulFlops(const Site& site)
{
    const std::int64_t depth = columnsOf(site.input(0).shape, site->integer("transpose_a") != 0);
    return 2 * static_cast<double>(site.output(0).shape.elements()) * static_cast<double>(depth);
}

/// With c = a b: da = dc b^T and db = a^T dc, exchanged for an input that lies transposed.
Status matmulGradient(Differentiation& d)
{
    const Operation operation = d.operation();
    const TensorId a = operation.inputs[0], b = operation.inputs[1], dc = d.outputGradient();
    const bool transposeA = operation.integer("transpose_a") != 0, transposeB = operation.integer("transpose_b") != 0;
    const auto product = [&](std::size_t input, TensorId left, TensorId right, bool transposeLeft,
                             bool transposeRight) -> Status {
        if (!d.wants(input)) return {};
        auto attributes = operation.attributes;
        attributes["transpose_a"] = std::int64_t{transposeLeft};
        attributes["transpose_b"] = std::int64_t{transposeRight};
        MR_TRY(const auto gradients, d.add("matmul", {left, right}, std::move(attributes)));
        d.give(input, gradients[0]);
        return {};
    };
    MR_CHECK(transposeA ? product(0, b, dc, transposeB, true) : product(0, dc, b, false, !transposeB));
    return transposeB ? product(1, dc, a, true, transposeA) : product(1, a, dc, !transposeA, false);
}

} // namespace

std::span<const OperationKind> linear()
{
    static const OperationKind kinds[] = {
        {.name = "dense",
         .inputs = {{"x"}, {"weight"}, {"bias", kStored, true}},
         .attributes = {"precision", "activation", "aux"},
         .shape = denseShape,
         .flops = denseFlops,
         .gradient = denseGradient},
        {.name = "dense_backward_data",
         .inputs = {{"weight"}, {"dy"}, {"aux", kStored, true}},
         .attributes = {"precision", "activation"},
         .shape = denseBackwardDataShape,
         .flops = denseBackwardDataFlops},
        {.name = "dense_backward_weights",
         .inputs = {{"x"}, {"dy"}},
         .attributes = {"bias", "precision"},
         .shape = denseBackwardWeightsShape,
         .flops = denseBackwardWeightsFlops},
        {.name = "matmul",
         .inputs = {{"a"}, {"b"}},
         .attributes = {"transpose_a", "transpose_b", "precision"},
         .shape = matmulShape,
         .flops = matmulFlops,
         .gradient = matmulGradient},
    };
    return kinds;
}

} // namespace millrace::graph::kinds
