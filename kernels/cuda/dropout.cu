// Dropout: the mask is computed from the counter in the device's memory, so that a captured step draws a new one each
// time. A pack of f32 is one Philox block, a pack of 16-bit elements two; which number belongs to which element is the
// contract's, so that a mask is the same on every device and for every type.
#include "kernels/cuda/elementwise.h"
#include "kernels/cuda/kernel.h"
#include "kernels/cuda/philox.h"
#include "kernels/ops/check.h"

namespace millrace::kernels::cuda {

namespace {

struct Mask
{
    std::uint64_t stream;
    std::uint32_t threshold; ///< a number under it drops its element
    float scale;             ///< of the kept ones
};

// kernels

template <class T>
__global__ void __launch_bounds__(kElementThreads)
    dropout(Mask mask, const Counter* counter, const T* x, T* y, std::int64_t n)
{
    constexpr int kSize = Packed<T>::kSize;
    const std::int64_t i = elementOfThread<T>();
    if (i >= n) return;
    const std::int64_t blocks = (n + 3) / 4, end = i + kSize < n ? i + kSize : n;
    const std::uint64_t first = counter->step * static_cast<std::uint64_t>(blocks) + static_cast<std::uint64_t>(i / 4);
    Packed<T> pack;
    if (end == i + kSize) {
        pack = Packed<T>::load(x + i);
    } else {
        for (int k = 0; k < kSize; ++k)
            if (i + k < end) pack.values[k] = x[i + k];
    }
    for (int block = 0; block < kSize / 4; ++block) {
        const PhiloxBlock random = philoxBlock(counter->seed, mask.stream, first + static_cast<std::uint64_t>(block));
        for (int k = 0; k < 4; ++k)
            pack.set(4 * block + k, random.numbers[k] >= mask.threshold ? pack.get(4 * block + k) * mask.scale : 0.0F);
    }
    if (end == i + kSize) {
        pack.store(y + i);
    } else {
        for (int k = 0; k < kSize; ++k)
            if (i + k < end) y[i + k] = pack.values[k];
    }
}

} // namespace

// launchers

KernelResult makeDropout(Context& context, const Dropout& dimensions, DType type)
{
    MR_CHECK(requirePositive("dropout", {{"elements", dimensions.elements}}));
    const double probability = dimensions.probability;
    if (!(probability >= 0 && probability < 1))
        return makeError(Code::InvalidArgument,
                         str("dropout: the probability is ", probability, ", expected at least 0 and less than 1."));
    return byType(type, [&](auto element) -> KernelResult {
        using T = decltype(element);
        const std::int64_t n = dimensions.elements;
        if (probability == 0) return makeCopy(context, {n * static_cast<std::int64_t>(sizeof(T))});
        const Mask mask{dimensions.stream, static_cast<std::uint32_t>(probability * 0x1p32),
                        static_cast<float>(1.0 / (1.0 - probability))};
        return makeKernel([&context, mask, n](const Arguments& arguments) {
            launch(context, dropout<T>, elementBlocks<T>(n), kElementThreads, 0, mask, arguments.counter,
                   static_cast<const T*>(arguments.inputs[0]), static_cast<T*>(arguments.outputs[0]), n);
        });
    });
}

} // namespace millrace::kernels::cuda
