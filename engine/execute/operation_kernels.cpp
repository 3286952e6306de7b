#include "engine/execute/operation_kernels.h"

#include "engine/graph/operations.h"
#include "kernels/base/random.h"
#include "kernels/base/text.h"

#include <cstring>
#include <span>

namespace millrace::execute {

namespace {

using compile::Mode;
using graph::Site;
using kernels::cpu::KernelResult;
namespace cpu = kernels::cpu;

/// An operand of a kernel: an input or output of the operation by index, or none. One that the operation lacks
/// (an optional bias), or that only training computes, is none as well.
struct Operand
{
    enum class Source
    {
        None,
        Input,
        Output,
        TrainingOutput
    } source = Source::None;
    std::size_t index = 0;
};
constexpr Operand in(std::size_t index)
{
    return {Operand::Source::Input, index};
}
constexpr Operand out(std::size_t index)
{
    return {Operand::Source::Output, index};
}
constexpr Operand trainingOut(std::size_t index)
{
    return {Operand::Source::TrainingOutput, index};
}
constexpr Operand none{};

struct Row
{
    std::string_view kind;
    KernelResult (*make)(const Site&, Mode, int threads);
    std::vector<Operand> inputs, outputs;
};

/// The values as they are, for operations that only change the shape; nothing to do where the plan made it a view.
class Copy final : public cpu::Kernel
{
public:
    explicit Copy(std::size_t bytes) : m_bytes(bytes) {}
    void run(const cpu::Arguments& arguments) override
    {
        if (arguments.inputs[0] != arguments.outputs[0])
            std::memcpy(arguments.outputs[0], arguments.inputs[0], m_bytes);
    }

private:
    std::size_t m_bytes;
};

KernelResult makeCopy(const Site& site, Mode, int)
{
    const graph::Tensor& x = site.input(0);
    return std::make_unique<Copy>(static_cast<std::size_t>(x.shape.elements()) * sizeBytes(x.type));
}

kernels::Dense denseOf(const Shape& x, const Shape& weight)
{
    return {x[0], weight[1], weight[0]};
}

kernels::Conv2d convolutionOf(const Site& site, const Shape& x, const Shape& weight)
{
    const graph::Window window = graph::convolutionWindow(site.operation(), weight[1], weight[2]);
    kernels::Conv2d conv;
    conv.batch = x[0], conv.height = x[1], conv.width = x[2], conv.channels = x[3];
    conv.outputChannels = weight[0], conv.kernelHeight = weight[1], conv.kernelWidth = weight[2];
    conv.groups = site->integer("groups", 1);
    conv.strideHeight = window.strideHeight, conv.strideWidth = window.strideWidth;
    conv.padHeight = window.paddingHeight, conv.padWidth = window.paddingWidth;
    conv.dilationHeight = window.dilationHeight, conv.dilationWidth = window.dilationWidth;
    return conv;
}

kernels::Pool2d poolOf(const Site& site, const Shape& x)
{
    const graph::Window window = graph::poolingWindow(site.operation());
    kernels::Pool2d pool;
    pool.batch = x[0], pool.height = x[1], pool.width = x[2], pool.channels = x[3];
    pool.kernelHeight = window.height, pool.kernelWidth = window.width;
    pool.strideHeight = window.strideHeight, pool.strideWidth = window.strideWidth;
    pool.padHeight = window.paddingHeight, pool.padWidth = window.paddingWidth;
    return pool;
}

kernels::BatchNorm batchNormOf(const Site& site, Mode mode)
{
    const Shape& x = site.input(0).shape;
    const std::int64_t channels = x[x.rank() - 1];
    return {x.elements() / channels, channels, site->number("epsilon", 1e-5), site->number("momentum", 0.1),
            mode == Mode::Training};
}

template <kernels::Nonlinearity kind> kernels::Activation activationOf(const Site& site)
{
    const bool byTanh = kind == kernels::Nonlinearity::GeluExact && site->text("approximate") == "tanh";
    return {byTanh ? kernels::Nonlinearity::GeluTanh : kind, site.input(0).shape.elements()};
}

template <kernels::Nonlinearity kind> KernelResult makeActivation(const Site& site, Mode, int threads)
{
    return cpu::makeActivation(activationOf<kind>(site), threads);
}

template <kernels::Nonlinearity kind> KernelResult makeActivationBackward(const Site& site, Mode, int threads)
{
    return cpu::makeActivationBackward(activationOf<kind>(site), threads);
}

KernelResult makeDropout(const Site& site, Mode mode, int threads)
{
    if (mode == Mode::Inference) return makeCopy(site, mode, threads);
    const bool named = site->attributes.contains("stream");
    const std::uint64_t stream =
        named ? static_cast<std::uint64_t>(site->integer("stream")) : streamOf(str("dropout/", site->layer));
    return cpu::makeDropout({site.input(0).shape.elements(), site->number("probability", 0.5), stream}, threads);
}

kernels::Softmax softmaxOf(const Site& site)
{
    const Shape& x = site.input(0).shape;
    return {x.elements() / x[x.rank() - 1], x[x.rank() - 1]};
}

/// One row per operation kind. The operands' order is that of the contracts in kernels/ops/.
std::span<const Row> rows()
{
    using enum kernels::Nonlinearity;
    static const std::vector<Row> all = {
        {"dense",
         [](const Site& s, Mode, int threads) {
             return cpu::makeDense(denseOf(s.input(0).shape, s.input(1).shape), threads);
         },
         {in(0), in(1), in(2)},
         {out(0)}},
        {"dense_backward_data",
         [](const Site& s, Mode, int threads) {
             return cpu::makeDenseBackward(denseOf(s.output(0).shape, s.input(0).shape), threads);
         },
         {none, in(0), in(1)},
         {out(0), none, none}},
        {"dense_backward_weights",
         [](const Site& s, Mode, int threads) {
             return cpu::makeDenseBackward(denseOf(s.input(0).shape, s.output(0).shape), threads);
         },
         {in(0), none, in(1)},
         {none, out(0), out(1)}},
        {"conv2d",
         [](const Site& s, Mode, int threads) {
             return cpu::makeConv2d(convolutionOf(s, s.input(0).shape, s.input(1).shape), threads);
         },
         {in(0), in(1), in(2)},
         {out(0)}},
        {"conv2d_backward_data",
         [](const Site& s, Mode, int threads) {
             return cpu::makeConv2dBackward(convolutionOf(s, s.output(0).shape, s.input(0).shape), threads);
         },
         {none, in(0), in(1)},
         {out(0), none, none}},
        {"conv2d_backward_weights",
         [](const Site& s, Mode, int threads) {
             return cpu::makeConv2dBackward(convolutionOf(s, s.input(0).shape, s.output(0).shape), threads);
         },
         {in(0), none, in(1)},
         {none, out(0), out(1)}},
        {"max_pool2d",
         [](const Site& s, Mode, int threads) { return cpu::makeMaxPool2d(poolOf(s, s.input(0).shape), threads); },
         {in(0)},
         {out(0)}},
        {"max_pool2d_backward",
         [](const Site& s, Mode, int threads) {
             return cpu::makeMaxPool2dBackward(poolOf(s, s.input(0).shape), threads);
         },
         {in(0), in(1)},
         {out(0)}},
        {"average_pool2d",
         [](const Site& s, Mode, int threads) { return cpu::makeAveragePool2d(poolOf(s, s.input(0).shape), threads); },
         {in(0)},
         {out(0)}},
        {"average_pool2d_backward",
         [](const Site& s, Mode, int threads) {
             return cpu::makeAveragePool2dBackward(poolOf(s, s.output(0).shape), threads);
         },
         {in(0)},
         {out(0)}},
        {"batch_norm",
         [](const Site& s, Mode mode, int threads) { return cpu::makeBatchNorm(batchNormOf(s, mode), threads); },
         {in(0), in(1), in(2), in(3), in(4)},
         {out(0), trainingOut(1), trainingOut(2), in(3), in(4)}}, // the running statistics are updated where they are
        {"batch_norm_backward",
         [](const Site& s, Mode mode, int threads) {
             return cpu::makeBatchNormBackward(batchNormOf(s, mode), threads);
         },
         {in(0), in(1), in(2), in(3), in(4)},
         {out(0), out(1), out(2)}},
        {"relu", makeActivation<Relu>, {in(0)}, {out(0)}},
        {"relu_backward", makeActivationBackward<Relu>, {in(0), in(1)}, {out(0)}},
        {"tanh", makeActivation<Tanh>, {in(0)}, {out(0)}},
        {"tanh_backward", makeActivationBackward<Tanh>, {in(0), in(1)}, {out(0)}},
        {"sigmoid", makeActivation<Sigmoid>, {in(0)}, {out(0)}},
        {"sigmoid_backward", makeActivationBackward<Sigmoid>, {in(0), in(1)}, {out(0)}},
        {"gelu", makeActivation<GeluExact>, {in(0)}, {out(0)}},
        {"gelu_backward", makeActivationBackward<GeluExact>, {in(0), in(1)}, {out(0)}},
        {"dropout", makeDropout, {in(0)}, {out(0)}},
        {"flatten", makeCopy, {in(0)}, {out(0)}},
        {"reshape", makeCopy, {in(0)}, {out(0)}},
        {"add",
         [](const Site& s, Mode, int threads) { return cpu::makeAdd({s.output(0).shape.elements()}, threads); },
         {in(0), in(1)},
         {out(0)}},
        {"softmax",
         [](const Site& s, Mode, int threads) { return cpu::makeSoftmax(softmaxOf(s), threads); },
         {in(0)},
         {out(0)}},
        {"softmax_backward",
         [](const Site& s, Mode, int threads) { return cpu::makeSoftmaxBackward(softmaxOf(s), threads); },
         {in(0), in(1)},
         {out(0)}},
        {"cross_entropy",
         [](const Site& s, Mode, int threads) {
             return cpu::makeCrossEntropy({s.input(0).shape[0], s.input(0).shape[1]}, threads);
         },
         {in(0), in(1)},
         {out(0), out(1), out(2)}},
        {"mse",
         [](const Site& s, Mode, int threads) {
             return cpu::makeMeanSquaredError({s.input(0).shape.elements()}, threads);
         },
         {in(0), in(1)},
         {out(0), out(1)}},
    };
    return all;
}

std::vector<std::optional<graph::TensorId>> resolve(const graph::Operation& operation, Mode mode,
                                                    const std::vector<Operand>& operands)
{
    std::vector<std::optional<graph::TensorId>> ids;
    for (const auto& [source, index] : operands) {
        const auto& from = source == Operand::Source::Input ? operation.inputs : operation.outputs;
        const bool absent = source == Operand::Source::None || index >= from.size() ||
                            (source == Operand::Source::TrainingOutput && mode == Mode::Inference);
        ids.push_back(absent ? std::nullopt : std::optional(from[index]));
    }
    return ids;
}

} // namespace

Result<PreparedOperation> prepare(const graph::Graph& graph, const graph::Operation& operation, Mode mode, int threads)
{
    for (const Row& row : rows()) {
        if (row.kind != operation.kind) continue;
        auto kernel = row.make(Site(graph, operation), mode, threads);
        if (!kernel) return std::move(kernel).error().atNode(operation.layer);
        return PreparedOperation{std::move(*kernel), resolve(operation, mode, row.inputs),
                                 resolve(operation, mode, row.outputs)};
    }
    return makeError(Code::Unsupported, str("The operation ", operation.kind, " of layer ", operation.layer,
                                            " has no kernel on this CPU."))
        .atNode(operation.layer);
}

} // namespace millrace::execute
