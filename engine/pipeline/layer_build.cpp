#include "engine/pipeline/layer_build.h"

#include "engine/graph/operations.h"
#include "engine/pipeline/layer_operations.h"
#include "kernels/base/text.h"
#include "kernels/base/units.h"

#include <algorithm>
#include <set>

namespace millrace::pipeline {

namespace {
bool isEnd(const std::string& type)
{
    return type == "layer.input" || type == "layer.output";
}

class Walk
{
public:
    Walk(const Document& layers, const Catalogue& catalogue, const LayerBuildOptions& options,
         std::vector<Problem>& problems)
        : m_layers(layers), m_options(options), m_problems(problems),
          m_answers(options.schema ? answersPerRow(*options.schema) : 0)
    {
        m_result.structure = checkStructure(layers, catalogue, Level::Layers, options.prefix, problems);
        m_result.outputs.resize(layers.nodes.size());
        m_result.parameters.resize(layers.nodes.size());
        m_result.used.resize(layers.nodes.size());
    }

    LayerBuild run()
    {
        checkEnds();
        markUsed();
        for (const std::size_t index : m_result.structure.order.nodes)
            if (m_options.unusedToo || m_result.used[index]) visit(index);
        return std::move(m_result);
    }

private:
    const std::string& type(std::size_t index) const { return m_layers.nodes[index].type; }

    void report(Error error, std::size_t index, std::string parameter = {})
    {
        m_problems.push_back(
            errorAtNode(std::move(error), m_options.prefix + m_layers.nodes[index].id, std::move(parameter)));
    }

    // A model has one input and one output.
    void checkEnds()
    {
        for (const std::string_view end : {"layer.input", "layer.output"}) {
            const std::string_view title = end == "layer.input" ? "Input" : "Output";
            std::size_t count = 0;
            for (std::size_t i = 0; i < m_layers.nodes.size(); ++i) {
                if (type(i) != end || ++count == 1) continue;
                report(makeError(Code::InvalidArgument, str("This is a second ", title, " layer; a model has one."))
                           .advise("Remove it."),
                       i);
            }
            if (count > 0) continue;
            std::string model = m_options.prefix.substr(0, m_options.prefix.rfind('/'));
            m_problems.push_back(errorAtNode(
                makeError(Code::InvalidArgument, str("The layers have no ", title, " layer.")).advise("Add one."),
                std::move(model), "layers"));
        }
    }

    std::optional<std::size_t> source(std::size_t index, const std::string& port) const
    {
        const auto link = m_result.structure.linkInto.find(str(m_layers.nodes[index].id, ".", port));
        if (link == m_result.structure.linkInto.end()) return std::nullopt;
        const auto from = m_result.structure.indices.find(m_layers.links[link->second].from.node);
        if (from == m_result.structure.indices.end()) return std::nullopt;
        return from->second;
    }

    // Backwards from the output; each layer is met after all that it feeds.
    void markUsed()
    {
        const auto& order = m_result.structure.order.nodes;
        bool outputLinked = false;
        for (auto at = order.rbegin(); at != order.rend(); ++at) {
            const NodeSpec* spec = m_result.structure.specs[*at];
            if (!spec) continue;
            if (spec->type == "layer.output") {
                m_result.used[*at] = true;
                outputLinked = outputLinked || source(*at, "in").has_value();
            }
            if (!m_result.used[*at]) continue;
            for (const PortSpec& input : spec->inputs)
                if (const auto from = source(*at, input.id)) m_result.used[*from] = true;
        }
        if (!outputLinked) return; // while it is being drawn, everything would lead nowhere
        for (std::size_t i = 0; i < m_layers.nodes.size(); ++i) {
            if (m_result.used[i] || !m_result.structure.specs[i]) continue;
            m_problems.push_back(warningAtNode(
                makeError(Code::InvalidArgument, "This layer does not lead to the output, so it has no effect."),
                m_options.prefix + m_layers.nodes[i].id));
        }
    }

    void visit(std::size_t index)
    {
        const Node& node = m_layers.nodes[index];
        const NodeSpec* spec = m_result.structure.specs[index];
        if (!spec || !m_result.structure.usable[index]) return;
        LayerSite site{node,      *spec, {},
                       m_answers, m_options.schema ? m_options.schema->vocabulary : 0,
                       m_options.places};
        for (const PortSpec& input : spec->inputs) {
            const auto from = source(index, input.id);
            if (!from && !input.required) continue;
            if (!from || !m_result.outputs[*from]) return; // already reported where it began
            site.inputs.push_back(*m_result.outputs[*from]);
        }
        if (spec->type == "layer.input") return addFeatures(index);
        if (spec->type == "layer.output") return takeOutput(index, site.inputs.front());

        const std::size_t tensorsBefore = m_result.graph.tensors().size();
        auto output = addLayer(m_result.graph, site);
        if (!output) {
            std::string param = output.error().subject.parameter;
            return report(std::move(output).error(), index, spec->param(param) ? std::move(param) : std::string());
        }
        m_result.outputs[index] = *output;
        for (std::size_t i = tensorsBefore; i < m_result.graph.tensors().size(); ++i) {
            const graph::Tensor& tensor = m_result.graph.tensors()[i];
            if (tensor.role == graph::Role::Parameter) m_result.parameters[index] += tensor.shape.elements();
        }
    }

    void addFeatures(std::size_t index)
    {
        if (!m_options.schema || m_result.graph.ports().contains("features")) return;
        std::vector<std::int64_t> dimensions{m_options.batch};
        const auto row = m_options.schema->features.dimensions();
        dimensions.insert(dimensions.end(), row.begin(), row.end());
        auto shape = Shape::create(dimensions);
        if (!shape) return report(std::move(shape).error(), index);
        if (shape->elements() == 0)
            return report(
                makeError(Code::InvalidArgument, "The rows have no features, so there is nothing to learn from."),
                index);
        graph::Tensor features;
        features.name = "features";
        features.role = graph::Role::Input;
        features.type = m_options.schema->vocabulary > 0 ? DType::I32 : DType::F32;
        features.shape = *shape;
        m_result.outputs[index] = m_result.graph.addTensor(std::move(features));
        m_result.graph.ports()["features"] = *m_result.outputs[index];
    }

    // One number for each answer; where the next token is the target, at each position of the sequence.
    bool fits(const Shape& shape) const
    {
        const bool sequence = m_options.schema->target == TargetKind::NextToken;
        if (shape.rank() != (sequence ? 3u : 2u)) return false;
        if (sequence && shape[1] != m_options.schema->features[0]) return false;
        return shape[shape.rank() - 1] == m_answers || m_options.classesAreSample;
    }

    std::string wantedAnswer() const
    {
        switch (m_options.schema->target) {
        case TargetKind::Classes:
            return str("one for each of ", m_answers, " classes");
        case TargetKind::NextToken:
            return str(m_options.schema->features[0], "×", m_answers,
                       ": at each position one for each token of the vocabulary");
        default:
            return "one number";
        }
    }

    std::string outputAdvice(const Shape& shape) const
    {
        const bool sequence = m_options.schema->target == TargetKind::NextToken;
        if (shape.rank() == (sequence ? 3u : 2u))
            return "Set the units of the last Dense layer to 0: as many as the target needs.";
        if (sequence) return "Keep the sequence: take layers such as Embedding, Attention and Dense, and no Flatten.";
        return "Put a Flatten and a Dense layer before the output.";
    }

    void takeOutput(std::size_t index, graph::TensorId tensor)
    {
        m_result.graph.ports()["output"] = tensor;
        const Shape& shape = m_result.graph.tensor(tensor).shape;
        if (m_answers == 0 || fits(shape)) return;
        report(makeError(Code::InvalidArgument, str("The model answers ", rowShape(shape),
                                                    " values for each row, but the target needs ", wantedAnswer(), "."))
                   .advise(outputAdvice(shape)),
               index);
    }

    const Document& m_layers;
    const LayerBuildOptions& m_options;
    std::vector<Problem>& m_problems;
    std::int64_t m_answers;
    LayerBuild m_result;
};
} // namespace

std::int64_t LayerBuild::usedLayers(const Document& layers) const
{
    std::int64_t count = 0;
    for (std::size_t i = 0; i < layers.nodes.size(); ++i) count += used[i] && !isEnd(layers.nodes[i].type) ? 1 : 0;
    return count;
}

std::int64_t LayerBuild::usedParameters() const
{
    std::int64_t count = 0;
    for (std::size_t i = 0; i < used.size(); ++i) count += used[i] ? parameters[i] : 0;
    return count;
}

double LayerBuild::usedFlops(const Document& layers) const
{
    std::set<std::string_view> names;
    for (std::size_t i = 0; i < used.size(); ++i)
        if (used[i]) names.insert(layers.nodes[i].id);
    double flops = 0;
    for (const graph::Operation& operation : graph.operations())
        if (names.contains(operation.layer)) flops += graph::costOf(graph, operation).flops;
    return flops;
}

LayerBuild buildLayers(const Document& layers, const Catalogue& catalogue, const LayerBuildOptions& options,
                       std::vector<Problem>& problems)
{
    return Walk(layers, catalogue, options, problems).run();
}

std::string rowShape(const Shape& shape)
{
    std::string text;
    for (std::size_t axis = 1; axis < shape.rank(); ++axis) text += str(axis == 1 ? "" : "×", shape[axis]);
    return text;
}

} // namespace millrace::pipeline
