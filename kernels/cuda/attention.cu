// Attention by our own tiles, for every type and every width of heads: by the matrix units where elements have 16 bits
// (attention_matrices.h), otherwise by ordinary arithmetic (attention_tiles.h, attention_forward.h).
// Source: Dao et al. 2022, arXiv:2205.14135, algorithm 1; Dao 2023, arXiv:2307.08691, section 3.
#include "kernels/ops/attention.h"

#include "kernels/cuda/attention_matrices.h"

namespace millrace::kernels::cuda {

namespace attention {

template <class T> Result<ForwardKernel<T>> prepareForward(Context& context, const Attention& a)
{
    if constexpr (sizeof(T) == 2) {
        if (fitsMatrices(a))
            return byWidth(a, [&](auto width) -> Result<ForwardKernel<T>> {
                constexpr int W = decltype(width)::value;
                MR_CHECK(reserveShared(context, forwardMatrices<T, W>, 3 * kTileBytes<T, W>));
                return ForwardKernel<T>{&enqueueForwardMatrices<T, W>};
            });
    }
    return byTileWidth<T>(a, [&](auto width) -> Result<ForwardKernel<T>> {
        constexpr int W = decltype(width)::value;
        MR_CHECK(reserveShared(context, forward<T, W>, kSharedBytes<W>));
        return ForwardKernel<T>{&enqueueForward<T, W>};
    });
}

template Result<ForwardKernel<float>> prepareForward(Context& context, const Attention& a);
template Result<ForwardKernel<bf16>> prepareForward(Context& context, const Attention& a);
template Result<ForwardKernel<f16>> prepareForward(Context& context, const Attention& a);

} // namespace attention

KernelResult makeTiledAttention(Context& context, const Attention& a, DType type)
{
    MR_CHECK(attention::check(a));
    return byType(type, [&](auto element) -> KernelResult {
        using T = decltype(element);
        MR_TRY(const attention::ForwardKernel<T> kernel, attention::prepareForward<T>(context, a));
        return makeKernel([&context, a, kernel](const Arguments& arguments) {
            const T* qkv = static_cast<const T*>(arguments.inputs[0]);
            kernel.enqueue(context, a,
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
}

} // namespace millrace::kernels::cuda
