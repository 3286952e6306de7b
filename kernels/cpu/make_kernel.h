// How the factories make kernels: from a callable, after checking the dimensions.
#pragma once

#include "kernels/base/text.h"
#include "kernels/cpu/kernel.h"
#include "kernels/ops/check.h"

#include <string_view>
#include <utility>

namespace millrace::kernels::cpu {

/// A kernel that is one callable with its dimensions captured.
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

/// Unsupported where the operation is to do what others do on a CPU: only GPUs are asked for fused operations.
inline Status refuseFused(std::string_view operation, bool isFused)
{
    if (!isFused) return {};
    return makeError(Code::Unsupported, str(operation, ": the CPU has no kernel that does several operations at once."))
        .advise("Compile the model without fusion.");
}

} // namespace millrace::kernels::cpu
