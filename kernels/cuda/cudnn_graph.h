// cuDNN's backend API: descriptors that destroy themselves, graphs of operations put together from them, and the
// engines that the library proposes for a graph.
#pragma once

#include "kernels/base/dtype.h"
#include "kernels/base/result.h"
#include "kernels/cuda/owned.h"
#include "kernels/ops/conv2d.h"

#include <array>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace millrace::kernels::cuda {

/// What cuDNN says went wrong before anything runs, as an error: Unsupported where no engine takes a graph, or the
/// driver does not take an engine.
Status networkStatus(cudnnStatus_t error, std::string_view what);

/// A descriptor of the backend; most take part in others once they are finalised, and must then stay.
using Descriptor = Owned<cudnnBackendDescriptor_t, &Runtime::cudnnBackendDestroyDescriptor>;

/// One attribute to set. The values must stay until it is set.
struct Attribute
{
    cudnnBackendAttributeName_t name;
    cudnnBackendAttributeType_t type;
    std::int64_t count;
    const void* values;

    Attribute(cudnnBackendAttributeName_t n, cudnnBackendAttributeType_t t, const void* value)
        : Attribute(n, t, 1, value)
    {
    }
    Attribute(cudnnBackendAttributeName_t n, cudnnBackendAttributeType_t t, std::int64_t c, const void* v)
        : name(n), type(t), count(c), values(v)
    {
    }
    Attribute(cudnnBackendAttributeName_t n, std::span<const std::int64_t> integers)
        : name(n), type(CUDNN_TYPE_INT64), count(static_cast<std::int64_t>(integers.size())), values(integers.data())
    {
    }
    Attribute(cudnnBackendAttributeName_t n, std::span<const cudnnBackendDescriptor_t> descriptors)
        : name(n), type(CUDNN_TYPE_BACKEND_DESCRIPTOR), count(static_cast<std::int64_t>(descriptors.size())),
          values(descriptors.data())
    {
    }
};

/// A new descriptor with these attributes, finalised. Errors: Unsupported, Internal.
Result<Descriptor> makeDescriptor(cudnnBackendDescriptorType_t type, std::initializer_list<Attribute> attributes);

cudnnDataType_t networkType(DType type);

/// A tensor of a graph. Dimensions are in cuDNN's order (batch, channels, height, width), whatever the strides.
struct GraphTensor
{
    cudnnDataType_t type = CUDNN_DATA_FLOAT;
    std::vector<std::int64_t> dimensions = {}, strides = {};
    bool isVirtual = false;                    ///< only handed from one operation to the next
    std::optional<float> value = std::nullopt; ///< of a number that the graph is built with

    std::uint64_t sizeBytes() const; ///< from the first element to the last; 0 where it has no memory of its own
    /// (batch, height, width, channels) row-major.
    static GraphTensor image(DType type, std::int64_t batch, std::int64_t height, std::int64_t width,
                             std::int64_t channels);
    /// Rows as they come; between two operations.
    static GraphTensor between(cudnnDataType_t type, std::vector<std::int64_t> dimensions);
    static GraphTensor number(float value);
};

/// A graph under construction. Tensors are named by the order in which they were added.
class NetworkGraph
{
public:
    enum class Convolution
    {
        Forward,
        Data,
        Weights
    };

    Result<std::int64_t> add(const GraphTensor& tensor);
    /// Of three tensors of that kind of convolution, the last that is written is result of the other two. Sums are f32.
    Status convolution(Convolution kind, const Conv2d& shape, std::int64_t x, std::int64_t weight, std::int64_t y);
    /// Element by element, of one to three operands, which may have dimensions of 1; computed in `precision`. `axis`:
    /// of the index that CUDNN_POINTWISE_GEN_INDEX gives.
    Status pointwise(cudnnPointwiseMode_t mode, std::span<const std::int64_t> operands, std::int64_t result,
                     cudnnDataType_t precision = CUDNN_DATA_FLOAT, std::int64_t axis = -1);
    /// Over the axes in which the result has a dimension of 1.
    Status reduction(cudnnReduceTensorOp_t mode, std::int64_t x, std::int64_t result);
    /// c = a b over the last two axes. Sums are f32.
    Status product(std::int64_t a, std::int64_t b, std::int64_t c);
    /// The same elements under other dimensions and strides.
    Status reshape(std::int64_t x, std::int64_t result);
    /// Any operation of the backend; what it refers to must be a descriptor of this graph or be handed to `keep`.
    Status operation(cudnnBackendDescriptorType_t type, std::initializer_list<Attribute> attributes);
    cudnnBackendDescriptor_t keep(Descriptor descriptor);
    cudnnBackendDescriptor_t tensor(std::int64_t id) const { return m_tensors[static_cast<std::size_t>(id)].get(); }

    /// Ends construction.
    Status finalize();
    cudnnBackendDescriptor_t get() const { return m_graph.get(); }
    std::span<const GraphTensor> tensors() const { return m_layouts; }

private:
    std::vector<Descriptor> m_tensors, m_kept, m_operations;
    std::vector<GraphTensor> m_layouts;
    Descriptor m_graph;
};

struct EngineRules
{
    bool exactF32 = false; ///< no TF32: tensors are f32, and so shall the factors of products be
    std::size_t most = 10; ///< engines that are tried
    std::uint64_t mostWorkspaceBytes = 1ULL << 30;
};

/// The engines that cuDNN proposes for the graph, the best first. Those are left out whose results may differ from run
/// to run, that sum in less than f32 or transform the images (Winograd, Fourier), and, where the rules say so, those
/// that round f32 factors. `device`: the description of a device that need not be there, or null for the current one.
/// Errors: Unsupported where none is left.
Result<std::vector<Descriptor>> proposeEngines(const NetworkGraph& graph, const EngineRules& rules,
                                               cudnnBackendDescriptor_t device = nullptr);

/// An engine made ready to run.
struct NetworkPlan
{
    Descriptor engine, plan; ///< the plan refers to the engine
    std::uint64_t workspaceBytes = 0;
};

Result<NetworkPlan> makePlan(Descriptor engine, cudnnBackendDescriptor_t device = nullptr);

} // namespace millrace::kernels::cuda
