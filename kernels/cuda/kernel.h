// The factories of GPU kernels, one for each operation and type, and what they share. A file of the operation's name
// defines each.
#pragma once

#include "kernels/cuda/context.h"
#include "kernels/ops/factory.h"

#include <utility>

namespace millrace::kernels::cuda {

/// A kernel that is one callable with its dimensions captured; it enqueues on the context's compute queue.
template <class Run> class CallableKernel final : public Kernel
{
public:
    CallableKernel(Run run, std::uint64_t scratchBytes) : m_run(std::move(run)), m_scratchBytes(scratchBytes) {}
    std::uint64_t scratchBytes() const override { return m_scratchBytes; }
    void run(const Arguments& arguments) override { m_run(arguments); }

private:
    Run m_run;
    std::uint64_t m_scratchBytes;
};

template <class Run> KernelResult makeKernel(Run run, std::uint64_t scratchBytes = 0)
{
    return std::unique_ptr<Kernel>(std::make_unique<CallableKernel<Run>>(std::move(run), scratchBytes));
}

/// Unsupported unless the type is f32: for kernels that the compiler surrounds with casts.
Status requireF32(std::string_view operation, DType type);

// Errors of all: InvalidArgument for dimensions that the contract excludes; Unsupported for a type that the operation
// has no kernel for; those of the device.

KernelResult makeCopy(Context& context, const Copy& copy);
KernelResult makeCast(Context& context, const Cast& cast);
KernelResult makeActivation(Context& context, const Activation& activation, DType type);
KernelResult makeActivationBackward(Context& context, const Activation& activation, DType type);
KernelResult makeAdd(Context& context, const Add& sum, DType type);
KernelResult makeMultiply(Context& context, const Multiply& product, DType type);
KernelResult makeDropout(Context& context, const Dropout& dropout, DType type);

} // namespace millrace::kernels::cuda
