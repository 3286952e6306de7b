#include "engine/graph/graph.h"

#include "engine/graph/operations.h"
#include "kernels/base/text.h"

#include <algorithm>

namespace millrace::graph {

namespace {
const Attribute* find(const Operation& operation, std::string_view key)
{
    const auto found = operation.attributes.find(std::string(key));
    return found == operation.attributes.end() ? nullptr : &found->second;
}

Status checkAttributes(const OperationKind& kind, const Operation& operation)
{
    for (const auto& [key, value] : operation.attributes) {
        if (std::find(kind.attributes.begin(), kind.attributes.end(), key) != kind.attributes.end()) continue;
        const std::vector<std::string> known(kind.attributes.begin(), kind.attributes.end());
        return makeError(Code::NotFound, str("The operation ", kind.name, " has no attribute \"", key, "\"."))
            .atNode(operation.layer, key)
            .advise(didYouMean(key, known));
    }
    return {};
}

bool isStorageType(DType type)
{
    return type == DType::F32 || type == DType::BF16 || type == DType::F16;
}

/// An input has the type that its row says, or the storage type of the operation, which is that of the first one
/// stored.
Status checkType(const OperationKind& kind, const Site& site, const Graph& graph, std::size_t index)
{
    const InputRow& row = kind.inputs[std::min(index, kind.inputs.size() - 1)];
    const DType storage = storageTypeOf(graph, site.operation()), type = site.input(index).type;
    const DType expected = row.type ? *row.type : isStorageType(storage) ? storage : DType::F32;
    if (type == expected) return {};
    const bool differs = !row.type && !kind.f32Alone && isStorageType(type);
    return site.refuse(
        str("Layer ", site->layer, " takes its ", row.name, " as ", name(expected), " but gets ", name(type), " from ",
            graph.sourceOf(site->inputs[index]), "."),
        differs ? str("Its tensors must all be of one type: ", name(expected), " is that of ", kind.inputs[0].name, ".")
                : std::string());
}

Status checkInputs(const OperationKind& kind, const Graph& graph, const Operation& operation)
{
    const auto required = static_cast<std::size_t>(
        std::count_if(kind.inputs.begin(), kind.inputs.end(), [](const InputRow& row) { return !row.optional; }));
    const Site site(graph, operation);
    if (operation.inputs.size() < required || (!kind.repeats && operation.inputs.size() > kind.inputs.size()))
        return site.refuse(str("Layer ", operation.layer, " gives the operation ", kind.name, " ",
                               operation.inputs.size(), " inputs; it takes ", required,
                               kind.repeats                     ? str(" or more")
                               : required == kind.inputs.size() ? str("")
                                                                : str(" to ", kind.inputs.size()),
                               "."));
    for (std::size_t i = 0; i < operation.inputs.size(); ++i) {
        if (operation.inputs[i] >= graph.tensors().size())
            return makeError(Code::Internal, str("Layer ", operation.layer, " reads a tensor that does not exist."));
        MR_CHECK(checkType(kind, site, graph, i));
    }
    return {};
}
} // namespace

std::int64_t Operation::integer(std::string_view key, std::int64_t otherwise) const
{
    const Attribute* value = find(*this, key);
    const auto* number = value ? std::get_if<std::int64_t>(value) : nullptr;
    return number ? *number : otherwise;
}

double Operation::number(std::string_view key, double otherwise) const
{
    const Attribute* value = find(*this, key);
    if (!value) return otherwise;
    if (const auto* number = std::get_if<double>(value)) return *number;
    return static_cast<double>(integer(key, static_cast<std::int64_t>(otherwise)));
}

std::string Operation::text(std::string_view key, std::string_view otherwise) const
{
    const Attribute* value = find(*this, key);
    const auto* content = value ? std::get_if<std::string>(value) : nullptr;
    return content ? *content : std::string(otherwise);
}

std::vector<std::int64_t> Operation::integers(std::string_view key) const
{
    const Attribute* value = find(*this, key);
    if (!value) return {};
    if (const auto* list = std::get_if<std::vector<std::int64_t>>(value)) return *list;
    if (const auto* number = std::get_if<std::int64_t>(value)) return {*number};
    return {};
}

TensorId Graph::addTensor(Tensor tensor)
{
    const std::string wanted = tensor.name;
    for (int suffix = 2; m_names.contains(tensor.name); ++suffix) tensor.name = str(wanted, ".", suffix);
    const auto id = static_cast<TensorId>(m_tensors.size());
    m_names.emplace(tensor.name, id);
    m_tensors.push_back(std::move(tensor));
    return id;
}

Result<std::vector<TensorId>> Graph::add(std::string kind, std::string layer, std::vector<TensorId> inputs,
                                         std::map<std::string, Attribute> attributes)
{
    Operation operation{std::move(kind), std::move(layer), std::move(inputs), {}, std::move(attributes)};
    auto row = findKind(operation.kind);
    if (!row) return std::move(row).error().atNode(operation.layer);
    MR_CHECK(checkAttributes(**row, operation));
    MR_CHECK(checkInputs(**row, *this, operation));
    MR_TRY(const std::vector<OutputType> outputs, (*row)->shape(Site(*this, operation)));
    for (const OutputType& output : outputs)
        if (auto checked = Shape::create(output.shape.dimensions()); !checked)
            return std::move(checked).error().atNode(operation.layer);
    const DType storage = storageTypeOf(*this, operation);
    for (const OutputType& output : outputs) {
        Tensor tensor;
        tensor.name = str(operation.layer, ".", output.suffix);
        tensor.type = output.type.value_or(storage);
        tensor.shape = output.shape;
        operation.outputs.push_back(addTensor(std::move(tensor)));
    }
    m_operations.push_back(operation);
    return operation.outputs;
}

Result<TensorId> Graph::port(std::string_view portName) const
{
    const auto found = m_ports.find(std::string(portName));
    if (found != m_ports.end()) return found->second;
    std::vector<std::string> known;
    for (const auto& [name, id] : m_ports) known.push_back(name);
    return makeError(Code::NotFound, str("The model has no port \"", portName, "\"."))
        .advise(didYouMean(portName, known));
}

std::string Graph::sourceOf(TensorId id) const
{
    for (const Operation& operation : m_operations)
        if (std::find(operation.outputs.begin(), operation.outputs.end(), id) != operation.outputs.end())
            return operation.layer;
    return m_tensors[id].role == Role::Input ? std::string("the input") : m_tensors[id].name;
}

std::int64_t Graph::parameterCount() const
{
    std::int64_t count = 0;
    for (const Tensor& tensor : m_tensors)
        if (tensor.role == Role::Parameter) count += tensor.shape.elements();
    return count;
}

Cost Graph::cost() const
{
    Cost total;
    for (const Operation& operation : m_operations) total += costOf(*this, operation);
    return total;
}

} // namespace millrace::graph
