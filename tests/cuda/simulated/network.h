// What a graph of the simulated cuDNN is made of: descriptors with their attributes, and the tensors and operations
// that they describe.
#pragma once

#include "kernels/base/dtype.h"

#include <cudnn.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace millrace::kernels::cuda::simulated {

/// The values of one attribute.
struct Attribute
{
    cudnnBackendAttributeType_t type;
    std::int64_t count;
    std::vector<std::byte> bytes;

    template <class T> std::vector<T> as() const
    {
        std::vector<T> values(bytes.size() / sizeof(T));
        std::memcpy(values.data(), bytes.data(), values.size() * sizeof(T));
        return values;
    }
};

struct Descriptor
{
    cudnnBackendDescriptorType_t type;
    std::map<cudnnBackendAttributeName_t, Attribute> attributes = {};
    bool isFinal = false;

    template <class T> std::vector<T> list(cudnnBackendAttributeName_t name) const
    {
        const auto it = attributes.find(name);
        return it == attributes.end() ? std::vector<T>() : it->second.as<T>();
    }
    template <class T> T value(cudnnBackendAttributeName_t name, T otherwise = {}) const
    {
        const std::vector<T> values = list<T>(name);
        return values.empty() ? otherwise : values.front();
    }
};

/// The descriptor, or null where there is none or it was destroyed.
Descriptor* findDescriptor(cudnnBackendDescriptor_t handle);
/// The descriptor that an attribute names, or null.
const Descriptor* descriptorIn(const Descriptor& descriptor, cudnnBackendAttributeName_t name);

/// Sets the attribute if a descriptor of that type has it.
cudnnStatus_t setAttribute(Descriptor& descriptor, cudnnBackendAttributeName_t name, Attribute attribute,
                           std::string& why);
/// Whether all that the type demands is there, and fits.
cudnnStatus_t checkDescriptor(const Descriptor& descriptor, std::string& why);
std::size_t elementBytes(cudnnBackendAttributeType_t type);

struct NetworkTensor
{
    std::int64_t id = 0, alignment = 1;
    DType type = DType::F32;
    std::vector<std::int64_t> dimensions, strides;
    bool isVirtual = false, isByValue = false;

    std::int64_t elements() const;
    std::int64_t span() const; ///< elements from the first to the last in memory
};

struct NetworkOperation
{
    enum class Kind
    {
        ConvolutionForward,
        ConvolutionData,
        ConvolutionWeights,
        Pointwise,
        Reduction,
        Product,
        Reshape
    };
    Kind kind;
    std::vector<NetworkTensor> inputs; ///< of convolutions: the two that are read, in the order x, weight, y
    NetworkTensor output;
    int mode = 0; ///< of Pointwise and Reduction
    std::int64_t axis = 0;
    std::array<std::int64_t, 2> padding{}, stride{1, 1}, dilation{1, 1};
};

/// A graph that can be executed whatever becomes of its descriptors.
struct NetworkProgram
{
    std::vector<NetworkOperation> operations;
    bool roundsFactors = false; ///< f32 factors to TF32

    /// All tensors, each once.
    std::vector<NetworkTensor> tensors() const;
};

std::optional<NetworkTensor> describeTensor(const Descriptor* tensor);
/// Errors: an empty result with the reason in `why`.
std::optional<NetworkOperation> describeOperation(const Descriptor& operation, std::string& why);

/// Runs the operations. `memory`: of tensors that are not virtual, by their ids; the host's for those by value.
void runProgram(const NetworkProgram& program, const std::map<std::int64_t, void*>& memory);

} // namespace millrace::kernels::cuda::simulated
