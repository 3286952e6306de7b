// Copies bytes within the device's memory.
#include "kernels/base/text.h"
#include "kernels/cuda/kernel.h"

namespace millrace::kernels::cuda {

KernelResult makeCopy(Context& context, const Copy& copy)
{
    if (copy.bytes < 1)
        return makeError(Code::InvalidArgument, str("copy: bytes is ", copy.bytes, ", expected at least 1."));
    return makeKernel([&context, bytes = static_cast<std::size_t>(copy.bytes)](const Arguments& arguments) {
        if (arguments.inputs[0] == arguments.outputs[0]) return;
        context.check(context.runtime().cudaMemcpyAsync(arguments.outputs[0], arguments.inputs[0], bytes,
                                                        cudaMemcpyDeviceToDevice, context.stream()),
                      "copy");
    });
}

} // namespace millrace::kernels::cuda
