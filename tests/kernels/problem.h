// What the driver knows of an operation: its operands, its kernel and its reference, forward and backward.
#pragma once

#include "kernels/base/dtype.h"
#include "kernels/ops/factory.h"
#include "kernels/reference/reference.h"
#include "tests/kernels/case.h"

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace millrace::test {

using kernels::reference::Inputs;
using kernels::reference::Outputs;
using kernels::reference::Values;

/// A tensor of a call. The names carry the mapping: backward takes the forward's operands by their names and the
/// gradient of the first output as "d<name>"; an output "d<name>" is the gradient of the input of that name.
struct Operand
{
    enum class Content
    {
        Normal,   ///< standard normal
        Positive, ///< between 0.5 and 1.5
        Label     ///< i32, less than `classes`
    };
    std::string name;
    std::int64_t elements = 0; ///< 0: an optional operand that is not there
    Content content = Content::Normal;
    std::int64_t classes = 0;
    /// Of the elements; none: that of the kernels' factory (the storage type). Labels are i32 in any case.
    std::optional<DType> type = std::nullopt;
};

/// An operand that is f32 whatever the storage type is (see kernels::Factory).
inline Operand f32(std::string name, std::int64_t elements, Operand::Content content = Operand::Content::Normal)
{
    return {std::move(name), elements, content, 0, DType::F32};
}

inline DType typeOf(const Operand& operand, DType storage)
{
    return operand.content == Operand::Content::Label ? DType::I32 : operand.type.value_or(storage);
}

/// One direction of an operation.
struct Function
{
    std::vector<Operand> inputs, outputs;
    std::function<kernels::KernelResult(const kernels::Factory&)> makeKernel;
    std::function<void(Inputs, Outputs)> reference;
    double flops = 0;
    /// {output, input} pairs that may be the same memory, each checked on its own.
    std::vector<std::pair<std::size_t, std::size_t>> aliases = {};
    bool outputsOptional = false; ///< each may be null
    double tolerance = 1e-5;      ///< of the kernel's outputs, relative to the norm of the reference's
};

struct Problem
{
    Function forward;
    std::optional<Function> backward = std::nullopt;
    bool f32Only = false; ///< there are no kernels for other storage types
};

/// Seed and step of every call.
constexpr std::uint64_t kSeed = 20260101, kStep = 3;

struct OperationRow
{
    std::string_view name;
    Problem (*build)(Case&);
    bool f32Only = false;
};

/// Errors: NotFound for an unknown operation, InvalidFormat for values that it does not take.
Result<Problem> buildProblem(Case line);

/// Random values for the inputs, each a number of its type so that kernel and reference see the same; a pure function
/// of `seed`. Operands whose names are in `known` get those values instead.
std::vector<Values> drawInputs(const std::vector<Operand>& operands, std::uint64_t seed,
                               const std::vector<std::pair<std::string, Values>>& known = {},
                               DType storage = DType::F32);
/// Zeros of the outputs' sizes.
std::vector<Values> emptyOutputs(const std::vector<Operand>& operands);
/// Inputs and outputs of a forward call by name, rounded to their types: what backward takes.
std::vector<std::pair<std::string, Values>> named(const Function& forward, const std::vector<Values>& inputs,
                                                  const std::vector<Values>& outputs, DType storage = DType::F32);

} // namespace millrace::test
