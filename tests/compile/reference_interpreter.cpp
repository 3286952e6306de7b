#include "tests/compile/reference_interpreter.h"

#include "engine/execute/operation_kernels.h"
#include "kernels/base/random.h"
#include "kernels/base/text.h"

#include <functional>

namespace millrace::compile {

namespace {

using namespace kernels;
using graph::Role;
using graph::TensorId;
using reference::Inputs;
using reference::Outputs;
using reference::Values;

/// A reference function as a kernel whose operands are Values. A null operand is an empty one, but for outputs, which
/// the functions compute all, and inputs that they read without need (`alwaysRead`).
class ReferenceKernel final : public Kernel
{
public:
    using Function = std::function<void(Inputs, Outputs, const Counter&)>;
    ReferenceKernel(Function function, std::vector<std::size_t> alwaysRead)
        : m_function(std::move(function)), m_alwaysRead(std::move(alwaysRead))
    {
    }

    void run(const Arguments& arguments) override
    {
        std::vector<Values> inputs, outputs;
        std::size_t enough = 1; // elements for an output that nobody wants
        for (const void* input : arguments.inputs) {
            inputs.push_back(input ? *static_cast<const Values*>(input) : Values());
            enough += 4 * inputs.back().size();
        }
        for (const void* output : arguments.outputs)
            enough += output ? 4 * static_cast<const Values*>(output)->size() : 0;
        for (const void* output : arguments.outputs)
            outputs.emplace_back(output ? static_cast<const Values*>(output)->size() : enough);
        for (const std::size_t index : m_alwaysRead)
            if (inputs[index].empty()) inputs[index].resize(enough);
        m_function(inputs, outputs, *arguments.counter);
        for (std::size_t i = 0; i < outputs.size(); ++i)
            if (arguments.outputs[i]) *static_cast<Values*>(arguments.outputs[i]) = outputs[i];
    }

private:
    Function m_function;
    std::vector<std::size_t> m_alwaysRead;
};

template <class Operation> using Plain = void (*)(const Operation&, Inputs, Outputs);

template <class Operation>
KernelResult make(Plain<Operation> function, const Operation& operation, std::vector<std::size_t> alwaysRead = {})
{
    return std::make_unique<ReferenceKernel>(
        [=](Inputs inputs, Outputs outputs, const Counter&) { function(operation, inputs, outputs); },
        std::move(alwaysRead));
}

/// What the standard models are made of.
class ReferenceFactory final : public Factory
{
public:
    KernelResult makeDense(const Dense& d) const override { return make(reference::dense, d); }
    KernelResult makeDenseBackward(const Dense& d) const override { return make(reference::denseBackward, d, {0, 1}); }
    KernelResult makeConv2d(const Conv2d& c) const override { return make(reference::conv2d, c); }
    KernelResult makeConv2dBackward(const Conv2d& c, Gradients) const override
    {
        return make(reference::conv2dBackward, c, {0, 1});
    }
    KernelResult makeMaxPool2d(const Pool2d& p) const override { return make(reference::maxPool2d, p); }
    KernelResult makeMaxPool2dBackward(const Pool2d& p) const override { return make(reference::maxPool2dBackward, p); }
    KernelResult makeAveragePool2d(const Pool2d& p) const override { return make(reference::averagePool2d, p); }
    KernelResult makeAveragePool2dBackward(const Pool2d& p) const override
    {
        return make(reference::averagePool2dBackward, p);
    }
    KernelResult makeBatchNorm(const BatchNorm& n) const override { return make(reference::batchNorm, n); }
    KernelResult makeBatchNormBackward(const BatchNorm& n) const override
    {
        return make(reference::batchNormBackward, n);
    }
    KernelResult makeActivation(const Activation& a) const override { return make(reference::activation, a); }
    KernelResult makeActivationBackward(const Activation& a) const override
    {
        return make(reference::activationBackward, a);
    }
    KernelResult makeDropout(const Dropout& d) const override
    {
        return std::make_unique<ReferenceKernel>(
            [=](Inputs inputs, Outputs outputs, const Counter& counter) {
                reference::dropout(d, counter.seed, counter.step, inputs, outputs);
            },
            std::vector<std::size_t>());
    }
    KernelResult makeAdd(const Add& a) const override { return make(reference::add, a); }
    KernelResult makeSoftmax(const Softmax& s) const override { return make(reference::softmax, s); }
    KernelResult makeSoftmaxBackward(const Softmax& s) const override { return make(reference::softmaxBackward, s); }
    KernelResult makeCrossEntropy(const CrossEntropy& l) const override { return make(reference::crossEntropy, l); }
    KernelResult makeMeanSquaredError(const MeanSquaredError& l) const override
    {
        return make(reference::meanSquaredError, l);
    }
    KernelResult makeEmbedding(const Embedding& e) const override { return make(reference::embedding, e); }
    KernelResult makeEmbeddingBackward(const Embedding& e) const override
    {
        return make(reference::embeddingBackward, e);
    }
    KernelResult makePosition(const Position& p) const override { return make(reference::position, p); }
    KernelResult makePositionBackward(const Position& p) const override { return make(reference::positionBackward, p); }
    KernelResult makeAttention(const Attention& a) const override { return make(reference::attention, a); }
    KernelResult makeAttentionBackward(const Attention& a) const override
    {
        return make(reference::attentionBackward, a);
    }
    KernelResult makeLstm(const Lstm& l) const override { return make(reference::lstm, l); }
    KernelResult makeLstmBackward(const Lstm& l) const override { return make(reference::lstmBackward, l); }
    KernelResult makeLayerNorm(const LayerNorm& n) const override { return make(reference::layerNorm, n); }
    KernelResult makeLayerNormBackward(const LayerNorm& n) const override
    {
        return make(reference::layerNormBackward, n);
    }
    KernelResult makeAddLayerNorm(const AddLayerNorm& n) const override { return make(reference::addLayerNorm, n); }
    KernelResult makeConcatenate(const Concatenate& c) const override { return make(reference::concatenate, c); }
    KernelResult makeConcatenateBackward(const Concatenate& c) const override
    {
        return make(reference::concatenateBackward, c);
    }
    KernelResult makeCopy(const Copy& copy) const override { return make(handOn<Copy>, copy); }
    /// Without rounding, so that a stored graph has to give the same numbers as the one that it was made from.
    KernelResult makeCast(const Cast& cast) const override { return make(handOn<Cast>, cast); }

protected:
    Error refuse(std::string_view operation) const override
    {
        return makeError(Code::Unsupported, str("The interpreter has no ", operation, "."));
    }

private:
    template <class Operation> static void handOn(const Operation&, Inputs inputs, Outputs outputs)
    {
        outputs[0] = inputs[0];
    }
};

/// Small enough that squares and exponentials stay near 1; variances positive.
Values drawn(const graph::Tensor& tensor, const std::string& name, std::int64_t integers)
{
    Random random(20261121, streamOf(name));
    Values values(static_cast<std::size_t>(tensor.shape.elements()));
    for (double& value : values)
        value = tensor.type == DType::I32    ? static_cast<double>(random.below(static_cast<std::uint64_t>(integers)))
                : tensor.role == Role::State ? 1 + random.uniform()
                                             : 0.5 * random.normal();
    return values;
}

} // namespace

ReferenceInterpreter::ReferenceInterpreter(const graph::Graph& graph, Mode mode, std::int64_t integers)
    : m_graph(graph), m_mode(mode)
{
    for (const graph::Tensor& tensor : graph.tensors()) {
        const bool given = tensor.role == Role::Input || tensor.role == Role::Parameter || tensor.role == Role::State;
        m_values.push_back(given ? drawn(tensor, tensor.name, integers)
                                 : Values(static_cast<std::size_t>(tensor.shape.elements())));
        if (tensor.role == Role::Mirror) m_values.back() = m_values[*tensor.origin];
    }
}

Status ReferenceInterpreter::run()
{
    const ReferenceFactory factory;
    const Counter counter{7, 3};
    for (const graph::Operation& operation : m_graph.operations()) {
        MR_TRY(const auto prepared, execute::prepare(m_graph, operation, m_mode, factory));
        std::vector<const void*> inputs;
        std::vector<void*> outputs;
        for (const auto& id : prepared.inputs) inputs.push_back(id ? &m_values[*id] : nullptr);
        for (const auto& id : prepared.outputs) outputs.push_back(id ? &m_values[*id] : nullptr);
        prepared.kernel->run({inputs, outputs, nullptr, &counter});
    }
    return {};
}

std::map<std::string, Values> ReferenceInterpreter::results() const
{
    std::map<std::string, Values> results;
    for (const auto& [name, id] : m_graph.ports()) results[name] = m_values[id];
    for (TensorId id = 0; id < m_values.size(); ++id)
        if (m_graph.tensor(id).role == Role::State) results[m_graph.tensor(id).name] = m_values[id];
    return results;
}

} // namespace millrace::compile
