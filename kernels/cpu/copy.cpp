// Copies bytes.
#include "kernels/cpu/make_kernel.h"

#include <cstring>

namespace millrace::kernels::cpu {

KernelResult makeCopy(const Copy& copy, int)
{
    MR_CHECK(requirePositive("copy", {{"bytes", copy.bytes}}));
    return makeKernel([bytes = static_cast<std::size_t>(copy.bytes)](const Arguments& arguments) {
        if (arguments.inputs[0] != arguments.outputs[0])
            std::memcpy(arguments.outputs[0], arguments.inputs[0], bytes);
    });
}

} // namespace millrace::kernels::cpu
