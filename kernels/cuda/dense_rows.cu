// Dense layers of a few rows, as when text is generated: not a product of matrices but one reading of the weights,
// which has to go as fast as memory gives them. A team of warps takes a few rows of weights, 16 bytes a thread at a
// time, and multiplies them with all rows of x, which come from the first cache. Where the layer has few outputs, a
// team has several warps, so that enough loads are on their way; their sums meet in shared memory, in a fixed order.
#include "kernels/cuda/gelu.h"
#include "kernels/cuda/kernel.h"
#include "kernels/cuda/values.h"
#include "kernels/ops/check.h"
#include "kernels/ops/dense.h"

#include <algorithm>

namespace millrace::kernels::cuda {

namespace {

constexpr int kWarps = 8; ///< of a block
/// Rows of weights of a team: with fewer rows of x there is room for more loads at once.
template <int M> constexpr int kOutputs = M <= 2 ? 4 : 2;
constexpr std::int64_t kMostRows = 8;

template <class T> struct Operands
{
    const T *x, *weight, *bias; ///< bias may be null
    T *y, *z;                   ///< z may be null
};

/// M rows of x at most; `warps` in a team.
template <class T, int M> __global__ void denseRows(Operands<T> o, Dense d, int warps)
{
    constexpr int N = Packed<T>::kSize, kOwn = kOutputs<M>, kSums = kOwn * M;
    using Piece = Values<T, N>;
    __shared__ float partial[kWarps][kSums];
    const int teams = kWarps / warps, warp = static_cast<int>(threadIdx.y), lane = static_cast<int>(threadIdx.x);
    const std::int64_t first = (static_cast<std::int64_t>(blockIdx.x) * teams + warp / warps) * kOwn;
    const T *weights[kOwn], *x[M];
    for (int k = 0; k < kOwn; ++k) // what is not there is read as if it were the last, and not written
        weights[k] = o.weight + (first + k < d.outputs ? first + k : d.outputs - 1) * d.inputs;
    for (int m = 0; m < M; ++m) x[m] = o.x + (m < d.batch ? m : d.batch - 1) * d.inputs;
    float sums[kOwn][M] = {};
    const std::int64_t step = static_cast<std::int64_t>(warps) * kWarp * N;
    for (std::int64_t i = (static_cast<std::int64_t>(warp % warps) * kWarp + lane) * N; i < d.inputs; i += step) {
        Piece w[kOwn];
        for (int k = 0; k < kOwn; ++k) w[k] = Piece::load(weights[k] + i);
        for (int m = 0; m < M; ++m) {
            const Piece value = Piece::load(x[m] + i);
            for (int k = 0; k < kOwn; ++k) {
                for (int j = 0; j < N; ++j) sums[k][m] += value.at[j] * w[k].at[j];
            }
        }
    }
    for (int k = 0; k < kOwn; ++k) {
        for (int m = 0; m < M; ++m) {
            const float sum = warpSum(sums[k][m]);
            if (lane == 0) partial[warp][k * M + m] = sum;
        }
    }
    __syncthreads();
    const int thread = warp * kWarp + lane, team = thread / kSums, which = thread % kSums, m = which % M;
    const std::int64_t output = (static_cast<std::int64_t>(blockIdx.x) * teams + team) * kOwn + which / M;
    if (team >= teams || output >= d.outputs || m >= d.batch) return;
    float sum = o.bias ? toFloat(o.bias[output]) : 0.0F;
    for (int part = 0; part < warps; ++part) sum += partial[team * warps + part][which];
    const std::int64_t at = m * d.outputs + output;
    if (o.z) o.z[at] = fromFloat<T>(sum);
    if (d.epilogue == Epilogue::Relu) sum = sum < 0 ? 0 : sum; // NaN stays NaN
    if (d.epilogue == Epilogue::GeluTanh) sum = geluTanh(sum);
    o.y[at] = fromFloat<T>(sum);
}

/// How many warps a team has: more while the GPU is not full and each has something to read.
int warpsOf(const Context& context, const Dense& dense, std::int64_t pieceElements, std::int64_t outputsOfTeam)
{
    const std::int64_t teams = (dense.outputs + outputsOfTeam - 1) / outputsOfTeam,
                       wanted = 16 * context.info().multiprocessors;
    int warps = 1;
    while (warps < kWarps && teams * warps < wanted && dense.inputs >= 2 * warps * kWarp * pieceElements) warps *= 2;
    return warps;
}

template <class T, int M> KernelResult make(Context& context, const Dense& dense)
{
    const int warps = warpsOf(context, dense, Packed<T>::kSize, kOutputs<M>);
    const dim3 grid = blocksFor(dense.outputs, kOutputs<M> * (kWarps / warps)), block(kWarp, kWarps);
    return makeKernel([=, &context](const Arguments& a) {
        const Operands<T> operands{.x = static_cast<const T*>(a.inputs[0]),
                                   .weight = static_cast<const T*>(a.inputs[1]),
                                   .bias = static_cast<const T*>(a.inputs[2]),
                                   .y = static_cast<T*>(a.outputs[0]),
                                   .z = a.outputs.size() > 1 ? static_cast<T*>(a.outputs[1]) : nullptr};
        launch(context, denseRows<T, M>, grid, block, 0, operands, dense, warps);
    });
}

} // namespace

bool hasDenseRows(const Dense& dense, DType type)
{
    const std::int64_t pieceElements = type == DType::F32 ? 4 : 8;
    return dense.batch <= kMostRows && dense.inputs % pieceElements == 0 &&
           (type != DType::F32 || dense.precision != Precision::Bf16); // that rounds the factors
}

KernelResult makeDenseRows(Context& context, const Dense& dense, DType type)
{
    MR_CHECK(requirePositive("dense", {{"batch", dense.batch}, {"inputs", dense.inputs}, {"outputs", dense.outputs}}));
    if (!hasDenseRows(dense, type))
        return makeError(Code::Unsupported, str("dense: ", dense.batch, " rows of ", dense.inputs, " ", name(type),
                                                " inputs are not for the kernel of few rows; it takes up to ",
                                                kMostRows, " of whole 16 bytes."));
    return byType(type, [&](auto element) {
        using T = decltype(element);
        if (dense.batch == 1) return make<T, 1>(context, dense);
        if (dense.batch == 2) return make<T, 2>(context, dense);
        if (dense.batch <= 4) return make<T, 4>(context, dense);
        return make<T, 8>(context, dense);
    });
}

} // namespace millrace::kernels::cuda
