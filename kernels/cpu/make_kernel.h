// How the factories make kernels: from a callable, after checking the dimensions.
#pragma once

#include "kernels/base/text.h"
#include "kernels/cpu/kernel.h"

#include <initializer_list>
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

struct Dimension
{
    std::string_view name;
    std::int64_t size;
};

/// InvalidArgument naming the first dimension that is not positive.
inline Status requirePositive(std::string_view operation, std::initializer_list<Dimension> dimensions)
{
    for (const auto& [name, size] : dimensions) {
        if (size < 1)
            return makeError(Code::InvalidArgument, str(operation, ": ", name, " is ", size, ", expected at least 1."));
    }
    return {};
}

/// Unsupported where the operation is to do what others do on a CPU: only GPUs are asked for fused operations.
inline Status refuseFused(std::string_view operation, bool isFused)
{
    if (!isFused) return {};
    return makeError(Code::Unsupported, str(operation, ": the CPU has no kernel that does several operations at once."))
        .advise("Compile the model without fusion.");
}

/// InvalidArgument unless windows of that size fit an image of that size.
inline Status requireFit(std::string_view operation, std::int64_t windowHeight, std::int64_t windowWidth,
                         std::int64_t imageHeight, std::int64_t imageWidth)
{
    if (windowHeight <= imageHeight && windowWidth <= imageWidth) return {};
    return makeError(Code::InvalidArgument,
                     str(operation, ": a window of ", windowHeight, "×", windowWidth,
                         " does not fit the padded image of ", imageHeight, "×", imageWidth, "."));
}

} // namespace millrace::kernels::cpu
