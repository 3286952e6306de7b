// The driver's rows of the losses that compare elements, and of the distillation.
#include "tests/kernels/families.h"

namespace millrace::test {

namespace {

using namespace kernels;

/// A loss over N elements: its kernel and reference take the struct that holds N.
template <class Loss>
Problem elementLoss(const Loss& loss, KernelResult (Factory::*make)(const Loss&) const,
                    void (*reference)(const Loss&, Inputs, Outputs), bool countsHits, double flops)
{
    const std::int64_t N = loss.elements;
    std::vector<Operand> outputs{{"loss", 1}};
    if (countsHits) outputs.push_back({"correct", 1});
    outputs.push_back({"dx", N});
    const std::size_t gradient = outputs.size() - 1;
    return {{.inputs = {{"x", N}, {"target", N}},
             .outputs = std::move(outputs),
             .makeKernel = [=](const Factory& f) { return (f.*make)(loss); },
             .reference = [=](Inputs in, Outputs out) { reference(loss, in, out); },
             .flops = flops * static_cast<double>(N),
             .aliases = {{gradient, 0}},
             .outputsOptional = true}};
}

Problem meanAbsoluteError(Case& line)
{
    return elementLoss(MeanAbsoluteError{line.integer("N")}, &Factory::makeMeanAbsoluteError,
                       reference::meanAbsoluteError, false, 4);
}

Problem huber(Case& line)
{
    return elementLoss(Huber{line.integer("N"), line.number("delta", 1)}, &Factory::makeHuber, reference::huber, false,
                       6);
}

Problem binaryCrossEntropy(Case& line)
{
    return elementLoss(BinaryCrossEntropy{line.integer("N")}, &Factory::makeBinaryCrossEntropy,
                       reference::binaryCrossEntropy, true, 40);
}

Problem klDivergence(Case& line)
{
    const KlDivergence k{line.integer("R"), line.integer("C"), line.number("temperature", 1)};
    const std::int64_t elements = k.rows * k.classes;
    return {{.inputs = {{"x", elements}, {"teacher", elements}},
             .outputs = {{"loss", 1}, {"dx", elements}},
             .makeKernel = [k](const Factory& f) { return f.makeKlDivergence(k); },
             .reference = [k](Inputs in, Outputs out) { reference::klDivergence(k, in, out); },
             .flops = 70 * static_cast<double>(elements),
             .aliases = {{1, 0}},
             .outputsOptional = true}};
}

constexpr OperationRow kOperations[] = {
    {"mae", meanAbsoluteError, true},
    {"huber", huber, true},
    {"binary_cross_entropy", binaryCrossEntropy, true},
    {"kl", klDivergence, true},
};

} // namespace

std::span<const OperationRow> lossOperations()
{
    return kOperations;
}

} // namespace millrace::test
