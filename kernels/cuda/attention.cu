// Attention by our own tiles, which take every type and every width of heads; how stands in attention_tiles.h and
// attention_forward.h. Source: Dao et al. 2022, arXiv:2205.14135, algorithm 1.
#include "kernels/ops/attention.h"

#include "kernels/cuda/attention_forward.h"

namespace millrace::kernels::cuda {

KernelResult makeTiledAttention(Context& context, const Attention& a, DType type)
{
    MR_CHECK(attention::check(a));
    return byType(type, [&](auto element) {
        using T = decltype(element);
        return attention::byWidth(a, [&](auto width) -> KernelResult {
            constexpr int W = decltype(width)::value;
            MR_CHECK(attention::reserveShared(context, attention::forward<T, W>, attention::kSharedBytes<W>));
            return makeKernel([&context, a](const Arguments& arguments) {
                const T* qkv = static_cast<const T*>(arguments.inputs[0]);
                attention::enqueueForward<T, W>(context, a,
                                                {.q = qkv,
                                                 .k = qkv + a.width,
                                                 .v = qkv + 2 * a.width,
                                                 .y = static_cast<T*>(arguments.outputs[0]),
                                                 .logsumexp = arguments.output(1),
                                                 .offset = nullptr,
                                                 .places = a.steps,
                                                 .queryStride = 3 * a.width,
                                                 .keyStride = 3 * a.width});
            });
        });
    });
}

} // namespace millrace::kernels::cuda
