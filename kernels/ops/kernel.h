// What a device executes: one prepared kernel per operation of a program, and what each run hands to it.
#pragma once

#include "kernels/base/result.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

namespace millrace::kernels {

/// What changes from run to run though the program stays the same. It lies where kernels can read it (on a GPU: in the
/// device's memory), so that a step that was captured once can be replayed.
struct Counter
{
    std::uint64_t seed = 0, step = 0; ///< what dropout and stochastic rounding draw from
    float lossScale = 1;              ///< losses multiply their gradient by it; 1 but for f16
};

/// One execution's operands, in the order in which the operation's contract (kernels/ops/<op>.h) lists them.
/// Tensors are 64-byte aligned; those of one call overlap only where the contract's Aliasing line allows it.
/// All pointers are the device's.
struct Arguments
{
    std::span<const void* const> inputs; ///< null: an optional input that is not there
    std::span<void* const> outputs;      ///< null: an optional output that is not wanted
    std::byte* scratch = nullptr; ///< 64-byte aligned, scratchBytes() long; its content means nothing between runs
    const Counter* counter = nullptr;

    const float* input(std::size_t index) const { return static_cast<const float*>(inputs[index]); }
    float* output(std::size_t index) const { return static_cast<float*>(outputs[index]); }
};

/// An operation with fixed dimensions. Whatever is expensive happens when it is made; run() takes no lock, allocates
/// nothing, and the same arguments give the same bits on the same device (on a CPU: for the same thread count).
/// On a GPU run() only enqueues; what goes wrong is found in Device::status().
class Kernel
{
public:
    virtual ~Kernel() = default;
    Kernel() = default;
    Kernel(const Kernel&) = delete;
    Kernel& operator=(const Kernel&) = delete;

    virtual std::uint64_t scratchBytes() const { return 0; }
    virtual void run(const Arguments& arguments) = 0;
};

using KernelResult = Result<std::unique_ptr<Kernel>>;

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

} // namespace millrace::kernels
