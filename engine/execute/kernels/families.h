// The families of operations: a row per kind, and what their factories share. Only
// engine/execute/operation_kernels.cpp and the families themselves include this.
#pragma once

#include "engine/compile/program.h"
#include "engine/graph/operations.h"
#include "kernels/ops/factory.h"

#include <span>
#include <string_view>
#include <vector>

namespace millrace::execute::families {

using compile::Mode;
using graph::Site;
using kernels::Factory;
using kernels::KernelResult;

/// An operand of a kernel: an input or output of the operation by index, or none; or all of them, as many as there are.
/// One that the operation lacks (an optional bias), or that only training computes, is none as well.
struct Operand
{
    enum class Source
    {
        None,
        Input,
        Output,
        TrainingOutput,
        EveryInput,
        EveryOutput
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
constexpr Operand everyInput{Operand::Source::EveryInput, 0};
constexpr Operand everyOutput{Operand::Source::EveryOutput, 0};

/// Which kernel executes a kind, and its operands in the order of the contract in kernels/ops/.
struct Row
{
    std::string_view kind;
    KernelResult (*make)(const Site&, Mode, const Factory& f);
    std::vector<Operand> inputs, outputs;
};

std::span<const Row> linear();
std::span<const Row> convolution();
std::span<const Row> pooling();
std::span<const Row> normalization();
std::span<const Row> elementwise();
std::span<const Row> reshaping();
std::span<const Row> losses();
std::span<const Row> arrangement();
std::span<const Row> reduction();
std::span<const Row> sequence();
std::span<const Row> recurrent();

/// The attribute precision.
inline kernels::Precision precisionOf(const Site& site)
{
    const std::string precision = site->text("precision");
    return precision == "bf16"   ? kernels::Precision::Bf16
           : precision == "tf32" ? kernels::Precision::Tf32
                                 : kernels::Precision::F32;
}

/// The values of the first input as they are, for operations that only change the shape; nothing to do where the plan
/// made it a view.
KernelResult makeCopy(const Site& site, Mode mode, const Factory& f);

} // namespace millrace::execute::families
