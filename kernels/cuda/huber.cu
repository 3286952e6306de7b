// Huber's loss and its gradient.
#include "kernels/cuda/element_loss.h"

namespace millrace::kernels::cuda {

namespace {

struct Bounded
{
    static __device__ double loss(float x, float target, float parameter)
    {
        const auto delta = static_cast<double>(parameter);
        const double difference = static_cast<double>(x) - static_cast<double>(target);
        const double distance = difference < 0 ? -difference : difference;
        return distance > delta ? delta * (distance - 0.5 * delta) : 0.5 * distance * distance;
    }
    static __device__ float gradient(float x, float target, float delta)
    {
        const float difference = x - target;
        const float low = difference < -delta ? -delta : difference;
        return low > delta ? delta : low;
    }
    static __device__ bool hit(float, float) { return false; }
};

} // namespace

KernelResult makeHuber(Context& context, const Huber& loss, DType type)
{
    if (!(loss.delta > 0))
        return makeError(Code::InvalidArgument, str("huber: delta is ", loss.delta, ", expected more than 0."));
    return makeElementLoss<Bounded>(context, "huber", loss.elements, static_cast<float>(loss.delta), false, type);
}

} // namespace millrace::kernels::cuda
