// Element-wise product: a pack of 16 bytes of each operand for each thread.
#include "kernels/cuda/elementwise.h"
#include "kernels/cuda/kernel.h"
#include "kernels/ops/check.h"

namespace millrace::kernels::cuda {

namespace {

// kernels

template <class T>
__global__ void __launch_bounds__(kElementThreads) multiply(const T* a, const T* b, T* y, std::int64_t n)
{
    mapElements(a, b, y, n, [](float left, float right) { return left * right; });
}

} // namespace

// launchers

KernelResult makeMultiply(Context& context, const Multiply& product, DType type)
{
    MR_CHECK(requirePositive("multiply", {{"elements", product.elements}}));
    return byType(type, [&](auto element) {
        using T = decltype(element);
        return makeKernel([&context, n = product.elements](const Arguments& arguments) {
            launch(context, multiply<T>, elementBlocks<T>(n), kElementThreads, 0,
                   static_cast<const T*>(arguments.inputs[0]), static_cast<const T*>(arguments.inputs[1]),
                   static_cast<T*>(arguments.outputs[0]), n);
        });
    });
}

} // namespace millrace::kernels::cuda
