// Binary cross-entropy on logits, hits and gradient.
#include "kernels/cuda/element_loss.h"

namespace millrace::kernels::cuda {

namespace {

struct Binary
{
    static __device__ double loss(float x, float target, float)
    {
        const float positive = x < 0 ? 0.0F : x;
        return static_cast<double>(positive - x * target + log1pf(expf(x < 0 ? x : -x)));
    }
    static __device__ float gradient(float x, float target, float) { return 1.0F / (1.0F + expf(-x)) - target; }
    static __device__ bool hit(float x, float target) { return (x > 0) == (target > 0.5F); }
};

} // namespace

KernelResult makeBinaryCrossEntropy(Context& context, const BinaryCrossEntropy& loss, DType type)
{
    return makeElementLoss<Binary>(context, "binary_cross_entropy", loss.elements, 0, true, type);
}

} // namespace millrace::kernels::cuda
