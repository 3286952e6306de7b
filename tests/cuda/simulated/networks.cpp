#include "tests/cuda/simulated/networks.h"

#include "kernels/base/result.h"
#include "kernels/base/text.h"
#include "tests/cuda/simulated/gpu.h"
#include "tests/cuda/simulated/network.h"

#include <algorithm>
#include <memory>

namespace millrace::kernels::cuda::simulated {

namespace {

struct Handle
{
    cudaStream_t stream = nullptr;
};

/// By handles that are never used twice, so that one that was destroyed is found out.
std::map<cudnnBackendDescriptor_t, Descriptor> descriptors;
std::uintptr_t lastDescriptor = 0x20000;
std::string lastRefusal;

cudnnStatus_t refuse(cudnnStatus_t status, const std::string& why)
{
    lastRefusal = why;
    // that there is no engine is an answer; everything else is a mistake
    if (status / 1000 != CUDNN_STATUS_NOT_SUPPORTED / 1000) gpu().refuse(cudaSuccess, str("cuDNN refuses ", why));
    return status;
}

cudnnBackendDescriptor_t addDescriptor(Descriptor descriptor)
{
    const auto handle = reinterpret_cast<cudnnBackendDescriptor_t>(lastDescriptor += 16);
    descriptors.emplace(handle, std::move(descriptor));
    return handle;
}

template <class T>
void put(Descriptor& descriptor, cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
         const std::vector<T>& values)
{
    Attribute attribute{type, static_cast<std::int64_t>(values.size()), {}};
    attribute.bytes.resize(values.size() * sizeof(T));
    if (!values.empty()) std::memcpy(attribute.bytes.data(), values.data(), attribute.bytes.size());
    descriptor.attributes.insert_or_assign(name, std::move(attribute));
}

/// An engine of the simulated library: the best first.
struct Engine
{
    std::int64_t index;
    std::vector<cudnnBackendNumericalNote_t> notes;
    std::int64_t workspaceBytes;
};

const std::vector<Engine>& enginesOf(bool fuses)
{
    static const std::vector<Engine> single{
        {3, {CUDNN_NUMERICAL_NOTE_TENSOR_CORE}, 4096},
        {1, {CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC}, 0},
        {0, {}, 0},
        {2, {}, 1000},
        {6, {CUDNN_NUMERICAL_NOTE_WINOGRAD}, 65536},
    };
    static const std::vector<Engine> fused{{37, {CUDNN_NUMERICAL_NOTE_TENSOR_CORE}, 512},
                                           {38, {CUDNN_NUMERICAL_NOTE_TENSOR_CORE}, 0}};
    return fuses ? fused : single;
}

Result<NetworkProgram> describe(const Descriptor& graph)
{
    NetworkProgram program;
    for (const auto handle : graph.list<cudnnBackendDescriptor_t>(CUDNN_ATTR_OPERATIONGRAPH_OPS)) {
        std::string why;
        const Descriptor* operation = findDescriptor(handle);
        auto described = operation != nullptr ? describeOperation(*operation, why) : std::nullopt;
        if (!described) return makeError(Code::InvalidArgument, str("an operation that is gone, or ", why));
        program.operations.push_back(std::move(*described));
    }
    return program;
}

/// Why there is no engine for the graph; empty where there are some.
std::string lacksEngine(const NetworkProgram& program)
{
    using Kind = NetworkOperation::Kind;
    const NetworkOperation& first = program.operations.front();
    const bool isConvolution = first.kind <= Kind::ConvolutionWeights;
    if (isConvolution) {
        const DType type = first.inputs[0].type;
        for (const NetworkTensor* tensor : {&first.inputs[0], &first.inputs[1], &first.output}) {
            if (!tensor->isVirtual && tensor->type != type) return "a convolution of tensors of several types";
        }
        if (program.operations.size() == 1) return {};
        // what is fused runs on tensor cores, whose loads are of 16 bytes
        const auto step = static_cast<std::int64_t>(16 / sizeBytes(type));
        const std::int64_t channels = first.inputs[0].dimensions[1];
        if (channels != first.inputs[1].dimensions[1]) return "groups in what is fused";
        if (channels % step != 0 || first.output.dimensions[1] % step != 0)
            return str("channels that are no multiples of ", step, " in what is fused");
        return {};
    }
    for (const NetworkOperation& operation : program.operations) {
        if (operation.kind != Kind::Product) continue;
        for (const NetworkTensor& input : operation.inputs) {
            if (input.type == DType::F32) return "attention of f32";
            if (!input.isVirtual && (input.dimensions.size() != 4 || input.strides[3] * input.strides[2] == 0))
                return "attention of other than four dimensions";
        }
    }
    return {};
}

cudnnStatus_t finalizeHeuristics(Descriptor& heuristics)
{
    const Descriptor* graph = descriptorIn(heuristics, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH);
    if (graph == nullptr) return refuse(CUDNN_STATUS_BAD_PARAM_NULL_POINTER, "heuristics of no graph");
    const auto program = describe(*graph);
    if (!program) return refuse(CUDNN_STATUS_BAD_PARAM, program.error().message);
    if (const std::string why = lacksEngine(*program); !why.empty())
        return refuse(CUDNN_STATUS_NOT_SUPPORTED_GRAPH_PATTERN, why);
    const auto mode = heuristics.value<cudnnBackendHeurMode_t>(CUDNN_ATTR_ENGINEHEUR_MODE);
    std::vector<std::int64_t> indices;
    for (const Engine& engine : enginesOf(program->operations.size() > 1)) {
        if (mode != CUDNN_HEUR_MODE_FALLBACK || engine.notes.empty()) indices.push_back(engine.index);
    }
    put(heuristics, CUDNN_ATTR_ENGINE_GLOBAL_INDEX, CUDNN_TYPE_INT64, indices);
    return CUDNN_STATUS_SUCCESS;
}

const Engine* engineOf(const Descriptor& descriptor)
{
    const Descriptor* graph = descriptorIn(descriptor, CUDNN_ATTR_ENGINE_OPERATION_GRAPH);
    if (graph == nullptr) return nullptr;
    const auto index = descriptor.value<std::int64_t>(CUDNN_ATTR_ENGINE_GLOBAL_INDEX, -1);
    const bool fuses = graph->attributes.at(CUDNN_ATTR_OPERATIONGRAPH_OPS).count > 1;
    const std::vector<Engine>& engines = enginesOf(fuses);
    const auto it = std::ranges::find(engines, index, &Engine::index);
    return it == engines.end() ? nullptr : &*it;
}

/// Makes `result` the engine, or the configuration of one, with that index and graph.
void makeEngine(Descriptor& result, std::int64_t index, cudnnBackendDescriptor_t graph)
{
    put<std::int64_t>(result, CUDNN_ATTR_ENGINE_GLOBAL_INDEX, CUDNN_TYPE_INT64, {index});
    put<cudnnBackendDescriptor_t>(result, CUDNN_ATTR_ENGINE_OPERATION_GRAPH, CUDNN_TYPE_BACKEND_DESCRIPTOR, {graph});
    result.isFinal = true;
}

/// The descriptors that a query fills: made by the caller, of the right type.
cudnnStatus_t fill(const std::vector<std::int64_t>& indices, cudnnBackendDescriptor_t graph, std::int64_t requested,
                   std::int64_t* count, void* values)
{
    const auto available = static_cast<std::int64_t>(indices.size());
    *count = requested == 0 ? available : std::min(requested, available);
    if (requested == 0) return CUDNN_STATUS_SUCCESS;
    const auto* handles = static_cast<const cudnnBackendDescriptor_t*>(values);
    for (std::int64_t i = 0; i < *count; ++i) {
        Descriptor* target = findDescriptor(handles[i]);
        if (target == nullptr)
            return refuse(CUDNN_STATUS_BAD_PARAM_NULL_POINTER, "a query without descriptors to fill");
        makeEngine(*target, indices[static_cast<std::size_t>(i)], graph);
    }
    return CUDNN_STATUS_SUCCESS;
}

template <class T>
cudnnStatus_t answer(const std::vector<T>& content, std::int64_t requested, std::int64_t* count, void* values)
{
    const auto available = static_cast<std::int64_t>(content.size());
    if (count != nullptr) *count = requested == 0 ? available : std::min(requested, available);
    if (requested > 0 && values != nullptr)
        std::copy_n(content.begin(), std::min(requested, available), static_cast<T*>(values));
    return CUDNN_STATUS_SUCCESS;
}

} // namespace

Descriptor* findDescriptor(cudnnBackendDescriptor_t handle)
{
    const auto it = descriptors.find(handle);
    return it == descriptors.end() ? nullptr : &it->second;
}

const Descriptor* descriptorIn(const Descriptor& descriptor, cudnnBackendAttributeName_t name)
{
    return findDescriptor(descriptor.value<cudnnBackendDescriptor_t>(name));
}

cudnnStatus_t networksCreate(cudnnHandle_t* handle)
{
    *handle = reinterpret_cast<cudnnHandle_t>(std::make_unique<Handle>().release());
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t networksDestroy(cudnnHandle_t handle)
{
    const std::unique_ptr<Handle> owned(reinterpret_cast<Handle*>(handle));
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t networksSetStream(cudnnHandle_t handle, cudaStream_t stream)
{
    reinterpret_cast<Handle*>(handle)->stream = stream;
    return CUDNN_STATUS_SUCCESS;
}

std::size_t networksVersion()
{
    return CUDNN_VERSION;
}

void networksLastError(char* message, std::size_t maxSize)
{
    if (maxSize == 0) return;
    message[lastRefusal.copy(message, maxSize - 1)] = '\0';
}

cudnnStatus_t descriptorCreate(cudnnBackendDescriptorType_t type, cudnnBackendDescriptor_t* handle)
{
    *handle = addDescriptor({.type = type});
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t descriptorDestroy(cudnnBackendDescriptor_t handle)
{
    if (descriptors.erase(handle) == 1) return CUDNN_STATUS_SUCCESS;
    return refuse(CUDNN_STATUS_BAD_PARAM, "a descriptor that was destroyed already");
}

cudnnStatus_t descriptorSetAttribute(cudnnBackendDescriptor_t handle, cudnnBackendAttributeName_t name,
                                     cudnnBackendAttributeType_t type, std::int64_t count, const void* values)
{
    Descriptor* descriptor = findDescriptor(handle);
    if (descriptor == nullptr || values == nullptr || count < 1)
        return refuse(CUDNN_STATUS_BAD_PARAM_NULL_POINTER, str("attribute ", static_cast<int>(name), " of nothing"));
    if (descriptor->isFinal)
        return refuse(CUDNN_STATUS_BAD_PARAM, str("attribute ", static_cast<int>(name), " of what is finalised"));
    Attribute attribute{type, count, {}};
    attribute.bytes.resize(static_cast<std::size_t>(count) * elementBytes(type));
    std::memcpy(attribute.bytes.data(), values, attribute.bytes.size());
    std::string why;
    const cudnnStatus_t status = setAttribute(*descriptor, name, std::move(attribute), why);
    return status == CUDNN_STATUS_SUCCESS ? status : refuse(status, why);
}

cudnnStatus_t descriptorFinalize(cudnnBackendDescriptor_t handle)
{
    Descriptor* descriptor = findDescriptor(handle);
    if (descriptor == nullptr) return refuse(CUDNN_STATUS_BAD_PARAM_NULL_POINTER, "a descriptor that is gone");
    std::string why;
    if (const cudnnStatus_t status = checkDescriptor(*descriptor, why); status != CUDNN_STATUS_SUCCESS)
        return refuse(status, why);
    if (descriptor->type == CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR) {
        if (const cudnnStatus_t status = finalizeHeuristics(*descriptor); status != CUDNN_STATUS_SUCCESS) return status;
    }
    if (descriptor->type == CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR) {
        const auto count = [&](cudnnBackendAttributeName_t name) { return descriptor->attributes.at(name).count; };
        if (count(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS) != count(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS))
            return refuse(CUDNN_STATUS_BAD_PARAM, "a variant pack with other numbers of ids and pointers");
    }
    descriptor->isFinal = true;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t descriptorGetAttribute(cudnnBackendDescriptor_t handle, cudnnBackendAttributeName_t name,
                                     cudnnBackendAttributeType_t type, std::int64_t requested, std::int64_t* count,
                                     void* values)
{
    const Descriptor* descriptor = findDescriptor(handle);
    if (descriptor == nullptr || !descriptor->isFinal)
        return refuse(CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED, "a query of what is not finalised");
    switch (name) {
    case CUDNN_ATTR_ENGINEHEUR_RESULTS:
        return fill(descriptor->list<std::int64_t>(CUDNN_ATTR_ENGINE_GLOBAL_INDEX),
                    descriptor->value<cudnnBackendDescriptor_t>(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH), requested,
                    count, values);
    case CUDNN_ATTR_ENGINECFG_ENGINE:
        return fill(descriptor->list<std::int64_t>(CUDNN_ATTR_ENGINE_GLOBAL_INDEX),
                    descriptor->value<cudnnBackendDescriptor_t>(CUDNN_ATTR_ENGINE_OPERATION_GRAPH), requested, count,
                    values);
    case CUDNN_ATTR_ENGINE_NUMERICAL_NOTE: {
        const Engine* engine = engineOf(*descriptor);
        if (engine == nullptr) return refuse(CUDNN_STATUS_BAD_PARAM, "notes of no engine");
        return answer(engine->notes, requested, count, values);
    }
    case CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE: {
        const Descriptor* config = descriptorIn(*descriptor, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG);
        const Engine* engine = config != nullptr ? engineOf(*config) : nullptr;
        if (engine == nullptr) return refuse(CUDNN_STATUS_BAD_PARAM, "a plan whose engine is gone");
        return answer(std::vector<std::int64_t>{engine->workspaceBytes}, requested, count, values);
    }
    default:
        return refuse(CUDNN_STATUS_NOT_SUPPORTED,
                      str("a query of attribute ", static_cast<int>(name), " as ", static_cast<int>(type)));
    }
}

namespace {

/// A tensor's memory as the pack gives it; values are copied, since the pack may be gone when the graph runs.
std::string checkPointer(const NetworkTensor& tensor, const void* pointer)
{
    if (pointer == nullptr) return str("tensor ", tensor.id, " without memory");
    if (tensor.isByValue) return {};
    const std::size_t bytes = static_cast<std::size_t>(tensor.span()) * sizeBytes(tensor.type);
    if (gpu().memory.placeOf(pointer, bytes) != Memory::Place::Device)
        return str("tensor ", tensor.id, " of ", bytes, " bytes that are not the device's");
    if (reinterpret_cast<std::uintptr_t>(pointer) % static_cast<std::uintptr_t>(tensor.alignment) != 0)
        return str("tensor ", tensor.id, ", which is not aligned to ", tensor.alignment, " bytes");
    return {};
}

} // namespace

cudnnStatus_t execute(cudnnHandle_t handle, cudnnBackendDescriptor_t planHandle, cudnnBackendDescriptor_t packHandle)
{
    const Descriptor *plan = findDescriptor(planHandle), *pack = findDescriptor(packHandle);
    if (plan == nullptr || pack == nullptr || !plan->isFinal || !pack->isFinal)
        return refuse(CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED, "a plan or a pack that is not finalised");
    const Descriptor* config = descriptorIn(*plan, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG);
    const Engine* engine = config != nullptr ? engineOf(*config) : nullptr;
    const Descriptor* graph = config != nullptr ? descriptorIn(*config, CUDNN_ATTR_ENGINE_OPERATION_GRAPH) : nullptr;
    if (engine == nullptr || graph == nullptr) return refuse(CUDNN_STATUS_BAD_PARAM, "a plan whose engine is gone");
    auto program = describe(*graph);
    if (!program) return refuse(CUDNN_STATUS_BAD_PARAM, program.error().message);
    program->roundsFactors = std::ranges::count(engine->notes, CUDNN_NUMERICAL_NOTE_TENSOR_CORE) > 0;

    const auto ids = pack->list<std::int64_t>(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS);
    const auto pointers = pack->list<void*>(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS);
    std::map<std::int64_t, void*> memory;
    for (std::size_t i = 0; i < ids.size(); ++i) memory[ids[i]] = pointers[i];
    auto values = std::make_shared<std::map<std::int64_t, std::array<std::byte, 8>>>();
    void* written = nullptr;
    for (const NetworkTensor& tensor : program->tensors()) {
        if (tensor.isVirtual) continue;
        if (const std::string why = checkPointer(tensor, memory[tensor.id]); !why.empty())
            return refuse(CUDNN_STATUS_BAD_PARAM_NULL_POINTER, why);
        if (!tensor.isByValue) continue;
        auto& copy = (*values)[tensor.id];
        std::memcpy(copy.data(), memory[tensor.id], sizeBytes(tensor.type));
        memory[tensor.id] = copy.data();
    }
    for (const NetworkOperation& operation : program->operations) {
        if (!operation.output.isVirtual && written == nullptr) written = memory[operation.output.id];
    }
    void* workspace = pack->value<void*>(CUDNN_ATTR_VARIANT_PACK_WORKSPACE);
    const auto bytes = static_cast<std::size_t>(engine->workspaceBytes);
    if (bytes > 0 && gpu().memory.placeOf(workspace, bytes) != Memory::Place::Device)
        return refuse(CUDNN_STATUS_BAD_PARAM_SIZE_INSUFFICIENT, str("a workspace where ", bytes, " bytes are needed"));
    const cudaError_t error = enqueueKernel(
        reinterpret_cast<Handle*>(handle)->stream,
        [program = *program, memory, values, workspace, bytes]() -> std::string {
            if (bytes > 0) std::memset(workspace, 0x5A, bytes); // it is the engine's
            runProgram(program, memory);
            return {};
        },
        written);
    return error == cudaSuccess ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_EXECUTION_FAILED_CUDART;
}

} // namespace millrace::kernels::cuda::simulated
