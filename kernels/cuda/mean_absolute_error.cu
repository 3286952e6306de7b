// Mean absolute error and its gradient.
#include "kernels/cuda/element_loss.h"

namespace millrace::kernels::cuda {

namespace {

struct Distance
{
    static __device__ double loss(float x, float target, float)
    {
        const double difference = static_cast<double>(x) - static_cast<double>(target);
        return difference < 0 ? -difference : difference;
    }
    static __device__ float gradient(float x, float target, float)
    {
        const float difference = x - target;
        return difference > 0 ? 1.0F : (difference < 0 ? -1.0F : difference); // NaN stays NaN
    }
    static __device__ bool hit(float, float) { return false; }
};

} // namespace

KernelResult makeMeanAbsoluteError(Context& context, const MeanAbsoluteError& loss, DType type)
{
    return makeElementLoss<Distance>(context, "mae", loss.elements, 0, false, type);
}

} // namespace millrace::kernels::cuda
