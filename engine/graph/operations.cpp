#include "engine/graph/operations.h"

#include "engine/graph/kinds/kinds.h"

#include <algorithm>
#include <set>
#include <tuple>

namespace millrace::graph {

namespace {
std::vector<OperationKind> allKinds()
{
    std::vector<OperationKind> all;
    for (const auto& family : {kinds::linear(), kinds::convolution(), kinds::pooling(), kinds::normalization(),
                               kinds::elementwise(), kinds::reshaping(), kinds::losses(), kinds::sequence(),
                               kinds::recurrent(), kinds::arrangement(), kinds::reduction()})
        all.insert(all.end(), family.begin(), family.end());
    return all;
}

/// The two numbers of an attribute that is one integer or {vertical, horizontal}.
std::pair<std::int64_t, std::int64_t> pairOf(const Operation& operation, std::string_view key,
                                             std::pair<std::int64_t, std::int64_t> otherwise)
{
    const std::vector<std::int64_t> values = operation.integers(key);
    if (values.empty()) return otherwise;
    return {values.front(), values.back()};
}

/// The axis after padding, less what the window covers at its first place, in strides.
std::int64_t places(std::int64_t size, std::int64_t window, std::int64_t stride, std::int64_t padding,
                    std::int64_t dilation)
{
    const std::int64_t room = size + 2 * padding - dilation * (window - 1) - 1;
    return room < 0 ? 0 : room / stride + 1;
}
} // namespace

std::string Site::sample(std::size_t index) const
{
    const auto dimensions = input(index).shape.dimensions();
    if (dimensions.size() < 2) return input(index).shape.toString();
    return Shape::create(dimensions.subspan(1)).value_or(Shape{}).toString();
}

std::string Site::sampleAndSource(std::size_t index) const
{
    return str(sample(index), " from ", m_graph->sourceOf(m_operation->inputs[index]));
}

Error Site::refuse(std::string message, std::string advice) const
{
    return makeError(Code::InvalidArgument, std::move(message)).atNode(m_operation->layer).advise(std::move(advice));
}

std::span<const OperationKind> operationKinds()
{
    static const std::vector<OperationKind> all = allKinds();
    return all;
}

Result<const OperationKind*> findKind(std::string_view name)
{
    for (const OperationKind& kind : operationKinds())
        if (kind.name == name) return &kind;
    std::vector<std::string> known;
    for (const OperationKind& kind : operationKinds()) known.emplace_back(kind.name);
    return makeError(Code::NotFound, str("There is no operation \"", name, "\".")).advise(didYouMean(name, known));
}

DType storageTypeOf(const Graph& graph, const Operation& operation)
{
    const auto kind = findKind(operation.kind);
    if (!kind || (*kind)->f32Alone) return DType::F32;
    for (std::size_t i = 0; i < operation.inputs.size(); ++i)
        if (!(*kind)->inputs[std::min(i, (*kind)->inputs.size() - 1)].type)
            return graph.tensor(operation.inputs[i]).type;
    return DType::F32;
}

Cost costOf(const Graph& graph, const Operation& operation)
{
    const auto kind = findKind(operation.kind);
    if (!kind || (*kind)->view == View::Always) return {};
    Cost cost{(*kind)->flops(Site(graph, operation)), 0};
    std::set<TensorId> touched(operation.inputs.begin(), operation.inputs.end());
    touched.insert(operation.outputs.begin(), operation.outputs.end());
    for (const TensorId id : touched)
        cost.bytes += static_cast<double>(graph.tensor(id).shape.elements()) *
                      static_cast<double>(sizeBytes(graph.tensor(id).type));
    return cost;
}

std::int64_t Window::outputHeight(std::int64_t inputHeight) const
{
    return places(inputHeight, height, strideHeight, paddingHeight, dilationHeight);
}

std::int64_t Window::outputWidth(std::int64_t inputWidth) const
{
    return places(inputWidth, width, strideWidth, paddingWidth, dilationWidth);
}

std::size_t axisOf(const Operation& operation, const Shape& shape)
{
    const std::int64_t axis = operation.integer("axis", -1);
    return static_cast<std::size_t>(axis < 0 ? axis + static_cast<std::int64_t>(shape.rank()) : axis);
}

std::vector<bool> reducedAxes(const Operation& operation, std::size_t rank)
{
    std::vector<bool> reduced(rank);
    for (const std::int64_t axis : operation.integers("axes"))
        reduced[static_cast<std::size_t>(axis < 0 ? axis + static_cast<std::int64_t>(rank) : axis)] = true;
    return reduced;
}

Window convolutionWindow(const Operation& operation, std::int64_t kernelHeight, std::int64_t kernelWidth)
{
    Window window;
    window.height = kernelHeight;
    window.width = kernelWidth;
    std::tie(window.strideHeight, window.strideWidth) = pairOf(operation, "stride", {1, 1});
    std::tie(window.paddingHeight, window.paddingWidth) = pairOf(operation, "padding", {0, 0});
    std::tie(window.dilationHeight, window.dilationWidth) = pairOf(operation, "dilation", {1, 1});
    return window;
}

Window poolingWindow(const Operation& operation)
{
    Window window;
    std::tie(window.height, window.width) = pairOf(operation, "size", {1, 1});
    std::tie(window.strideHeight, window.strideWidth) = pairOf(operation, "stride", {window.height, window.width});
    std::tie(window.paddingHeight, window.paddingWidth) = pairOf(operation, "padding", {0, 0});
    return window;
}

std::pair<std::int64_t, std::int64_t> adaptivePoolSize(const Operation& operation)
{
    return pairOf(operation, "size", {1, 1});
}

namespace kinds {

Status checkImage(const Site& site)
{
    if (site.input(0).shape.rank() == 4) return {};
    return site.refuse(
        str("Layer ", site->layer, " takes images (height×width×channels) but gets ", site.sampleAndSource(0), "."),
        "Put a Reshape layer between them, or take away the Flatten layer before it.");
}

Status checkPositive(const Site& site, std::string_view attribute, std::int64_t least)
{
    const std::vector<std::int64_t> values = site->integers(attribute);
    const auto refuse = [&](std::string message) {
        return site.refuse(std::move(message)).atNode(site->layer, std::string(attribute));
    };
    if (values.size() > 2)
        return refuse(str("Layer ", site->layer, " has ", values.size(), " numbers as its ", attribute,
                          "; it takes one for both directions or two, vertical and horizontal."));
    for (const std::int64_t value : values)
        if (value < least || value > 1'000'000)
            return refuse(str("Layer ", site->layer, " has a ", attribute, " of ", value, "; it must be from ", least,
                              " to 1000000."));
    return {};
}

Status checkWindow(const Site& site, const Window& window)
{
    const Shape& x = site.input(0).shape;
    if (window.outputHeight(x[1]) >= 1 && window.outputWidth(x[2]) >= 1) return {};
    return site.refuse(str("Layer ", site->layer, " slides a ", window.height, "×", window.width, " window over ",
                           site.sampleAndSource(0), ", which is smaller than the window."),
                       "Take a smaller window, add padding, or shrink the image less before it.");
}

Status checkPrecision(const Site& site)
{
    const std::string precision = site->text("precision", "f32");
    if (precision == "f32" || precision == "bf16" || precision == "tf32") return {};
    return site.refuse(str("Layer ", site->layer, " computes in \"", precision, "\"; known are f32, bf16 and tf32."))
        .atNode(site->layer, "precision");
}

Status checkActivation(const Site& site, std::span<const std::string_view> known)
{
    const std::string activation = site->text("activation");
    if (activation.empty() || std::ranges::find(known, activation) != known.end()) return {};
    const std::vector<std::string> names(known.begin(), known.end());
    return site
        .refuse(str("Layer ", site->layer, " computes the activation \"", activation, "\" along; known for ",
                    site->kind, joined(names, " and ").insert(0, names.size() > 1 ? " are " : " is "), "."))
        .atNode(site->layer, "activation");
}

Error refuseFused(const Operation& operation)
{
    return makeError(Code::Unsupported,
                     str("Layer ", operation.layer, " was fused with what follows it and cannot be ", "trained."))
        .atNode(operation.layer)
        .advise("Add the gradients before the fusion.");
}

Status checkVector(const Site& site, std::size_t index, std::string_view what, std::int64_t size)
{
    if (site.input(index).shape == Shape{size}) return {};
    return site.refuse(str("The ", what, " of layer ", site->layer, " must be ", size, " long but is ",
                           site.input(index).shape.toString(), "."));
}

} // namespace kinds

} // namespace millrace::graph
