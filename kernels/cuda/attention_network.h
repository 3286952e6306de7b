// Attention by cuDNN, as kernels.
#pragma once

#include "kernels/cuda/context.h"
#include "kernels/ops/attention.h"
#include "kernels/ops/kernel.h"

namespace millrace::kernels::cuda {

/// A kernel that can say what went wrong instead of leaving it to the device's status: it is tried before it is used.
class TriableKernel : public Kernel
{
public:
    explicit TriableKernel(Context& context) : m_context(context) {}
    void run(const Arguments& arguments) final { m_context.check(attempt(arguments)); }
    virtual Status attempt(const Arguments& arguments) const = 0;

private:
    Context& m_context;
};

// Operands as in attention's contract. Errors: Unsupported where cuDNN has no engine: for f32, for heads of more than
// 128 columns or of no multiple of 8, or on this device.

Result<std::unique_ptr<TriableKernel>> makeNetworkAttention(Context& context, const Attention& attention, DType type);
Result<std::unique_ptr<TriableKernel>> makeNetworkAttentionBackward(Context& context, const Attention& attention,
                                                                    DType type);

} // namespace millrace::kernels::cuda
