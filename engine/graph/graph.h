// The model graph: tensors, and operations in the order in which they are computed.
#pragma once

#include "kernels/base/dtype.h"
#include "kernels/base/result.h"
#include "kernels/base/shape.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace millrace::graph {

using TensorId = std::uint32_t;

/// What a tensor is for; decides who owns its memory and for how long.
enum class Role
{
    Input,      ///< written before each step: features, targets, labels
    Parameter,  ///< trained
    State,      ///< kept from step to step but not trained: running mean and variance
    Activation, ///< lives within a step
    Gradient,   ///< of a parameter; lives within a step
    Mirror,     ///< a parameter once more, in the storage type; rewritten whenever the parameter changes
};

struct Tensor
{
    std::string name; ///< unique: "conv1.weight", "relu1.out"
    DType type = DType::F32;
    Shape shape; ///< with the batch as its first dimension where it has one
    Role role = Role::Activation;
    /// How a parameter or state starts; drawn from (seed, stream of the name).
    enum class Initial
    {
        Zero,
        One,
        KaimingUniform,
        XavierUniform,
        Normal
    } initial = Initial::Zero;
    std::int64_t fanIn = 0, fanOut = 0;
    double deviation = 1;           ///< of Initial::Normal
    bool decay = false;             ///< weight decay applies (weights yes; biases and norms no)
    std::optional<TensorId> origin; ///< of a mirror: its parameter
};

using Attribute = std::variant<std::int64_t, double, std::vector<std::int64_t>, std::string>;

struct Operation
{
    std::string kind;  ///< "conv2d": a row of the table in operations.h
    std::string layer; ///< id of the layer it came from, for messages
    std::vector<TensorId> inputs, outputs;
    std::map<std::string, Attribute> attributes;

    std::int64_t integer(std::string_view key, std::int64_t otherwise = 0) const;
    double number(std::string_view key, double otherwise = 0) const;
    std::string text(std::string_view key, std::string_view otherwise = {}) const;
    std::vector<std::int64_t>
    integers(std::string_view key) const; ///< empty where absent; a single one as a list of one
};

struct Cost
{
    double flops = 0; ///< operations of one execution, a multiply-add counted as two
    double bytes = 0; ///< read and written, each tensor once
    Cost& operator+=(const Cost& other)
    {
        flops += other.flops;
        bytes += other.bytes;
        return *this;
    }
};

class Graph
{
public:
    /// Adds the tensor; where its name is taken, ".2", ".3", … is appended.
    TensorId addTensor(Tensor tensor);
    /// Adds an operation whose outputs' types and shapes follow from its kind's shape rule; returns the outputs.
    /// Errors: InvalidArgument naming the layer and both shapes; NotFound for an unknown kind or attribute.
    /// A failed call leaves the graph as it was.
    Result<std::vector<TensorId>> add(std::string kind, std::string layer, std::vector<TensorId> inputs,
                                      std::map<std::string, Attribute> attributes = {});

    const std::vector<Tensor>& tensors() const { return m_tensors; }
    const Tensor& tensor(TensorId id) const { return m_tensors[id]; }
    Tensor& tensor(TensorId id) { return m_tensors[id]; }
    const std::vector<Operation>& operations() const { return m_operations; }
    /// To change attributes that change no shape.
    Operation& operation(std::size_t index) { return m_operations[index]; }
    /// Named tensors that the outside writes or reads: "features", "labels", "output", "loss", …
    std::map<std::string, TensorId>& ports() { return m_ports; }
    const std::map<std::string, TensorId>& ports() const { return m_ports; }
    /// Errors: NotFound with the nearest names.
    Result<TensorId> port(std::string_view name) const;
    /// What a message calls the place a tensor comes from: its layer's id, or "the input".
    std::string sourceOf(TensorId id) const;

    std::int64_t parameterCount() const;
    Cost cost() const;

private:
    std::vector<Tensor> m_tensors;
    std::vector<Operation> m_operations;
    std::map<std::string, TensorId> m_ports;
    std::map<std::string, TensorId> m_names;
};

} // namespace millrace::graph
