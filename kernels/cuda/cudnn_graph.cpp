#include "kernels/cuda/cudnn_graph.h"

#include "kernels/base/text.h"

#include <algorithm>

namespace millrace::kernels::cuda {

static_assert(CUDNN_VERSION >= 90800, "graphs are made without a handle, which cuDNN allows since 9.8");

Status networkStatus(cudnnStatus_t error, std::string_view what)
{
    if (error == CUDNN_STATUS_SUCCESS) return {};
    const int number = static_cast<int>(error);
    // the thousands say of which kind a status is: 3 what no engine does, 5 what the driver does not (load an engine)
    const Code code = number / 1000 == 3 || number / 1000 == 5 ? Code::Unsupported : Code::Internal;
    std::array<char, 512> text{};
    runtime().cudnnGetLastErrorString(text.data(), text.size());
    return makeError(code, str("cuDNN failed at ", what, ": status ", number, ", ", printable(text.data()), "."));
}

namespace {

Result<Descriptor> openDescriptor(cudnnBackendDescriptorType_t type)
{
    cudnnBackendDescriptor_t created = nullptr;
    MR_CHECK(networkStatus(runtime().cudnnBackendCreateDescriptor(type, &created), "a descriptor"));
    return Descriptor(created);
}

/// Reads the descriptors that an attribute holds into new ones of that type.
Result<std::vector<Descriptor>> readDescriptors(const Descriptor& from, cudnnBackendAttributeName_t name,
                                                cudnnBackendDescriptorType_t type)
{
    const Runtime& call = runtime();
    std::int64_t count = 0;
    MR_CHECK(networkStatus(
        call.cudnnBackendGetAttribute(from.get(), name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 0, &count, nullptr),
        "an attribute"));
    std::vector<Descriptor> descriptors;
    std::vector<cudnnBackendDescriptor_t> handles;
    for (std::int64_t i = 0; i < count; ++i) {
        MR_TRY(Descriptor descriptor, openDescriptor(type));
        handles.push_back(descriptor.get());
        descriptors.push_back(std::move(descriptor));
    }
    if (count == 0) return descriptors;
    std::int64_t read = 0;
    MR_CHECK(networkStatus(
        call.cudnnBackendGetAttribute(from.get(), name, CUDNN_TYPE_BACKEND_DESCRIPTOR, count, &read, handles.data()),
        "an attribute"));
    descriptors.resize(static_cast<std::size_t>(std::min(count, read)));
    return descriptors;
}

Result<bool> isAllowed(const Descriptor& config, const EngineRules& rules)
{
    const Runtime& call = runtime();
    MR_TRY(const Descriptor engine, openDescriptor(CUDNN_BACKEND_ENGINE_DESCRIPTOR));
    cudnnBackendDescriptor_t handle = engine.get();
    std::int64_t count = 0;
    MR_CHECK(networkStatus(call.cudnnBackendGetAttribute(config.get(), CUDNN_ATTR_ENGINECFG_ENGINE,
                                                         CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &count, &handle),
                           "an engine"));
    std::array<cudnnBackendNumericalNote_t, CUDNN_NUMERICAL_NOTE_TYPE_COUNT> notes{};
    MR_CHECK(
        networkStatus(call.cudnnBackendGetAttribute(handle, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE,
                                                    static_cast<std::int64_t>(notes.size()), &count, notes.data()),
                      "an engine's notes"));
    return std::none_of(notes.begin(), notes.begin() + std::clamp<std::int64_t>(count, 0, notes.size()),
                        [&](cudnnBackendNumericalNote_t note) {
                            switch (note) {
                            case CUDNN_NUMERICAL_NOTE_TENSOR_CORE:
                            case CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS:
                                return rules.exactF32;
                            case CUDNN_NUMERICAL_NOTE_STRICT_NAN_PROP:
                                return false;
                            default:
                                return true;
                            }
                        });
}

} // namespace

Result<Descriptor> makeDescriptor(cudnnBackendDescriptorType_t type, std::initializer_list<Attribute> attributes)
{
    MR_TRY(Descriptor descriptor, openDescriptor(type));
    for (const Attribute& attribute : attributes) {
        if (attribute.count == 0) continue;
        MR_CHECK(networkStatus(runtime().cudnnBackendSetAttribute(descriptor.get(), attribute.name, attribute.type,
                                                                  attribute.count, attribute.values),
                               str("attribute ", static_cast<int>(attribute.name))));
    }
    MR_CHECK(
        networkStatus(runtime().cudnnBackendFinalize(descriptor.get()), str("descriptor ", static_cast<int>(type))));
    return descriptor;
}

cudnnDataType_t networkType(DType type)
{
    switch (type) {
    case DType::BF16:
        return CUDNN_DATA_BFLOAT16;
    case DType::F16:
        return CUDNN_DATA_HALF;
    case DType::I32:
        return CUDNN_DATA_INT32;
    default:
        return CUDNN_DATA_FLOAT;
    }
}

std::uint64_t GraphTensor::sizeBytes() const
{
    if (isVirtual || value) return 0;
    std::int64_t elements = 1;
    for (std::size_t i = 0; i < dimensions.size(); ++i) elements += (dimensions[i] - 1) * strides[i];
    const bool isShort = type == CUDNN_DATA_BFLOAT16 || type == CUDNN_DATA_HALF;
    return static_cast<std::uint64_t>(elements) * (isShort ? 2 : 4);
}

GraphTensor GraphTensor::image(DType type, std::int64_t batch, std::int64_t height, std::int64_t width,
                               std::int64_t channels)
{
    return {networkType(type),
            {batch, channels, height, width},
            {height * width * channels, 1, width * channels, channels}};
}

GraphTensor GraphTensor::between(cudnnDataType_t type, std::vector<std::int64_t> dimensions)
{
    std::vector<std::int64_t> strides(dimensions.size(), 1);
    for (std::size_t i = dimensions.size(); i-- > 1;) strides[i - 1] = strides[i] * dimensions[i];
    return {type, std::move(dimensions), std::move(strides), true};
}

GraphTensor GraphTensor::number(float value)
{
    return {CUDNN_DATA_FLOAT, {1, 1, 1, 1}, {1, 1, 1, 1}, false, value};
}

Result<std::int64_t> NetworkGraph::add(const GraphTensor& tensor)
{
    const auto id = static_cast<std::int64_t>(m_tensors.size());
    const std::int64_t alignment = 16; // of 64 that tensors have, what kernels can use
    const bool isByValue = tensor.value.has_value();
    MR_TRY(Descriptor descriptor, makeDescriptor(CUDNN_BACKEND_TENSOR_DESCRIPTOR,
                                                 {{CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, &tensor.type},
                                                  {CUDNN_ATTR_TENSOR_DIMENSIONS, tensor.dimensions},
                                                  {CUDNN_ATTR_TENSOR_STRIDES, tensor.strides},
                                                  {CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, &id},
                                                  {CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, &alignment},
                                                  {CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, &tensor.isVirtual},
                                                  {CUDNN_ATTR_TENSOR_IS_BY_VALUE, CUDNN_TYPE_BOOLEAN, &isByValue}}));
    m_tensors.push_back(std::move(descriptor));
    m_layouts.push_back(tensor);
    return id;
}

Status NetworkGraph::operation(cudnnBackendDescriptorType_t type, std::initializer_list<Attribute> attributes)
{
    MR_TRY(Descriptor operation, makeDescriptor(type, attributes));
    m_operations.push_back(std::move(operation));
    return {};
}

cudnnBackendDescriptor_t NetworkGraph::keep(Descriptor descriptor)
{
    m_kept.push_back(std::move(descriptor));
    return m_kept.back().get();
}

Status NetworkGraph::convolution(Convolution kind, const Conv2d& shape, std::int64_t x, std::int64_t weight,
                                 std::int64_t y)
{
    const std::int64_t dimensions = 2;
    const std::array padding{shape.padHeight, shape.padWidth}, stride{shape.strideHeight, shape.strideWidth};
    const std::array dilation{shape.dilationHeight, shape.dilationWidth};
    const cudnnDataType_t sums = CUDNN_DATA_FLOAT;
    const cudnnConvolutionMode_t mode = CUDNN_CROSS_CORRELATION;
    MR_TRY(Descriptor descriptor,
           makeDescriptor(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR,
                          {{CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, &sums},
                           {CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, &mode},
                           {CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, CUDNN_TYPE_INT64, &dimensions},
                           {CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, padding},
                           {CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, padding},
                           {CUDNN_ATTR_CONVOLUTION_DILATIONS, dilation},
                           {CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, stride}}));
    const cudnnBackendDescriptor_t window = keep(std::move(descriptor));
    const cudnnBackendDescriptor_t ofX = tensor(x), ofWeight = tensor(weight), ofY = tensor(y);
    const float one = 1, zero = 0;
    const auto descriptorOf = [](cudnnBackendAttributeName_t name, const cudnnBackendDescriptor_t& value) {
        return Attribute(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, &value);
    };
    switch (kind) {
    case Convolution::Forward:
        return operation(CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
                         {descriptorOf(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, window),
                          descriptorOf(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, ofX),
                          descriptorOf(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, ofWeight),
                          descriptorOf(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, ofY),
                          {CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, CUDNN_TYPE_FLOAT, &one},
                          {CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA, CUDNN_TYPE_FLOAT, &zero}});
    case Convolution::Data:
        return operation(CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
                         {descriptorOf(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC, window),
                          descriptorOf(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX, ofX),
                          descriptorOf(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W, ofWeight),
                          descriptorOf(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY, ofY),
                          {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA, CUDNN_TYPE_FLOAT, &one},
                          {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA, CUDNN_TYPE_FLOAT, &zero}});
    case Convolution::Weights:
        break;
    }
    return operation(CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
                     {descriptorOf(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC, window),
                      descriptorOf(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X, ofX),
                      descriptorOf(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW, ofWeight),
                      descriptorOf(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY, ofY),
                      {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA, CUDNN_TYPE_FLOAT, &one},
                      {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA, CUDNN_TYPE_FLOAT, &zero}});
}

Status NetworkGraph::pointwise(cudnnPointwiseMode_t mode, std::span<const std::int64_t> operands, std::int64_t result,
                               cudnnDataType_t precision, std::int64_t axis)
{
    MR_TRY(Descriptor descriptor,
           makeDescriptor(CUDNN_BACKEND_POINTWISE_DESCRIPTOR,
                          {{CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, &mode},
                           {CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_TYPE_DATA_TYPE, &precision},
                           Attribute(CUDNN_ATTR_POINTWISE_AXIS, CUDNN_TYPE_INT64, axis < 0 ? 0 : 1, &axis)}));
    const cudnnBackendDescriptor_t function = keep(std::move(descriptor)), ofResult = tensor(result);
    std::array<cudnnBackendDescriptor_t, 3> from{};
    for (std::size_t i = 0; i < operands.size(); ++i) from[i] = tensor(operands[i]);
    const auto operand = [&](cudnnBackendAttributeName_t name, std::size_t index) {
        return Attribute(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, index < operands.size() ? 1 : 0, &from[index]);
    };
    return operation(CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR,
                     {{CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, CUDNN_TYPE_BACKEND_DESCRIPTOR, &function},
                      operand(CUDNN_ATTR_OPERATION_POINTWISE_XDESC, 0),
                      operand(CUDNN_ATTR_OPERATION_POINTWISE_BDESC, 1),
                      operand(CUDNN_ATTR_OPERATION_POINTWISE_TDESC, 2),
                      {CUDNN_ATTR_OPERATION_POINTWISE_YDESC, CUDNN_TYPE_BACKEND_DESCRIPTOR, &ofResult}});
}

Status NetworkGraph::reduction(cudnnReduceTensorOp_t mode, std::int64_t x, std::int64_t result)
{
    const cudnnDataType_t precision = CUDNN_DATA_FLOAT;
    MR_TRY(Descriptor descriptor,
           makeDescriptor(CUDNN_BACKEND_REDUCTION_DESCRIPTOR,
                          {{CUDNN_ATTR_REDUCTION_OPERATOR, CUDNN_TYPE_REDUCTION_OPERATOR_TYPE, &mode},
                           {CUDNN_ATTR_REDUCTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, &precision}}));
    const cudnnBackendDescriptor_t function = keep(std::move(descriptor)), from = tensor(x), to = tensor(result);
    return operation(CUDNN_BACKEND_OPERATION_REDUCTION_DESCRIPTOR,
                     {{CUDNN_ATTR_OPERATION_REDUCTION_DESC, CUDNN_TYPE_BACKEND_DESCRIPTOR, &function},
                      {CUDNN_ATTR_OPERATION_REDUCTION_XDESC, CUDNN_TYPE_BACKEND_DESCRIPTOR, &from},
                      {CUDNN_ATTR_OPERATION_REDUCTION_YDESC, CUDNN_TYPE_BACKEND_DESCRIPTOR, &to}});
}

Status NetworkGraph::product(std::int64_t a, std::int64_t b, std::int64_t c)
{
    const cudnnDataType_t sums = CUDNN_DATA_FLOAT;
    MR_TRY(Descriptor descriptor, makeDescriptor(CUDNN_BACKEND_MATMUL_DESCRIPTOR,
                                                 {{CUDNN_ATTR_MATMUL_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, &sums}}));
    const cudnnBackendDescriptor_t function = keep(std::move(descriptor));
    const cudnnBackendDescriptor_t ofA = tensor(a), ofB = tensor(b), ofC = tensor(c);
    return operation(CUDNN_BACKEND_OPERATION_MATMUL_DESCRIPTOR,
                     {{CUDNN_ATTR_OPERATION_MATMUL_DESC, CUDNN_TYPE_BACKEND_DESCRIPTOR, &function},
                      {CUDNN_ATTR_OPERATION_MATMUL_ADESC, CUDNN_TYPE_BACKEND_DESCRIPTOR, &ofA},
                      {CUDNN_ATTR_OPERATION_MATMUL_BDESC, CUDNN_TYPE_BACKEND_DESCRIPTOR, &ofB},
                      {CUDNN_ATTR_OPERATION_MATMUL_CDESC, CUDNN_TYPE_BACKEND_DESCRIPTOR, &ofC}});
}

Status NetworkGraph::reshape(std::int64_t x, std::int64_t result)
{
    const cudnnBackendDescriptor_t from = tensor(x), to = tensor(result);
    return operation(CUDNN_BACKEND_OPERATION_RESHAPE_DESCRIPTOR,
                     {{CUDNN_ATTR_OPERATION_RESHAPE_XDESC, CUDNN_TYPE_BACKEND_DESCRIPTOR, &from},
                      {CUDNN_ATTR_OPERATION_RESHAPE_YDESC, CUDNN_TYPE_BACKEND_DESCRIPTOR, &to}});
}

Status NetworkGraph::finalize()
{
    std::vector<cudnnBackendDescriptor_t> operations;
    for (const Descriptor& operation : m_operations) operations.push_back(operation.get());
    MR_TRY(m_graph,
           makeDescriptor(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR, {{CUDNN_ATTR_OPERATIONGRAPH_OPS, operations}}));
    return {};
}

Result<std::vector<Descriptor>> proposeEngines(const NetworkGraph& graph, const EngineRules& rules,
                                               cudnnBackendDescriptor_t device)
{
    std::vector<Descriptor> engines;
    const cudnnBackendDescriptor_t asked = graph.get();
    Error refusal = makeError(Code::Unsupported, "cuDNN has no engine of the wanted precision for this graph.");
    for (const cudnnBackendHeurMode_t mode : {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK}) {
        auto heuristics =
            makeDescriptor(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR,
                           {{CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, CUDNN_TYPE_BACKEND_DESCRIPTOR, &asked},
                            {CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, &mode},
                            {CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, std::span(&device, device ? 1 : 0)}});
        if (!heuristics) {
            refusal = heuristics.error();
            continue;
        }
        MR_TRY(auto configs,
               readDescriptors(*heuristics, CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR));
        for (Descriptor& config : configs) {
            MR_TRY(const bool allowed, isAllowed(config, rules));
            if (allowed && engines.size() < rules.most) engines.push_back(std::move(config));
        }
    }
    if (engines.empty()) return refusal;
    return engines;
}

Result<NetworkPlan> makePlan(Descriptor engine, cudnnBackendDescriptor_t device)
{
    const cudnnBackendDescriptor_t config = engine.get();
    MR_TRY(Descriptor plan,
           makeDescriptor(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR,
                          {{CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, CUDNN_TYPE_BACKEND_DESCRIPTOR, &config},
                           {CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, std::span(&device, device ? 1 : 0)}}));
    std::int64_t bytes = 0, count = 0;
    MR_CHECK(networkStatus(runtime().cudnnBackendGetAttribute(plan.get(), CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE,
                                                              CUDNN_TYPE_INT64, 1, &count, &bytes),
                           "a plan's workspace"));
    return NetworkPlan{std::move(engine), std::move(plan),
                       static_cast<std::uint64_t>(std::max<std::int64_t>(bytes, 0))};
}

} // namespace millrace::kernels::cuda
