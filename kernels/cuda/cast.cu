// Conversion between f32, bf16 and f16: eight elements for each thread, one or two vectors of 16 bytes on either side.
// bf16 and f16 meet in f32, which holds every number of both.
#include "kernels/cuda/device_code.h"
#include "kernels/cuda/kernel.h"
#include "kernels/ops/check.h"

namespace millrace::kernels::cuda {

namespace {

constexpr int kThreads = 256, kEach = 8;

// kernels

template <class From, class To> __global__ void __launch_bounds__(kThreads) cast(const From* x, To* y, std::int64_t n)
{
    const std::int64_t i = (static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x) * kEach;
    if (i + kEach > n) {
        for (std::int64_t k = i; k < n; ++k) y[k] = fromFloat<To>(toFloat(x[k]));
        return;
    }
    float values[kEach];
    for (int first = 0; first < kEach; first += Packed<From>::kSize) {
        const Packed<From> pack = Packed<From>::loadOnce(x + i + first);
        for (int k = 0; k < Packed<From>::kSize; ++k) values[first + k] = pack.get(k);
    }
    for (int first = 0; first < kEach; first += Packed<To>::kSize) {
        Packed<To> pack;
        for (int k = 0; k < Packed<To>::kSize; ++k) pack.set(k, values[first + k]);
        pack.store(y + i + first);
    }
}

bool isElement(DType type)
{
    return type == DType::F32 || type == DType::BF16 || type == DType::F16;
}

Error unexpected(const Cast& cast)
{
    return makeError(Code::InvalidArgument, str("cast: from ", name(cast.from), " to ", name(cast.to),
                                                ", expected two different types of f32, bf16 and f16."));
}

} // namespace

// launchers

KernelResult makeCast(Context& context, const Cast& dimensions)
{
    MR_CHECK(requirePositive("cast", {{"elements", dimensions.elements}}));
    if (!isElement(dimensions.from) || !isElement(dimensions.to)) return unexpected(dimensions);
    return byType(dimensions.from, [&](auto from) {
        return byType(dimensions.to, [&](auto to) -> KernelResult {
            using From = decltype(from);
            using To = decltype(to);
            if constexpr (std::is_same_v<From, To>)
                return unexpected(dimensions);
            else
                return makeKernel([&context, n = dimensions.elements](const Arguments& arguments) {
                    launch(context, cast<From, To>, blocksFor(n, kThreads * kEach), kThreads, 0,
                           static_cast<const From*>(arguments.inputs[0]), static_cast<To*>(arguments.outputs[0]), n);
                });
        });
    });
}

} // namespace millrace::kernels::cuda
