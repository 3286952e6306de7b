// Dropout: Philox computed for many blocks at a time, so that the mask costs vector arithmetic instead of memory.
#include "kernels/ops/dropout.h"

#include "kernels/cpu/make_kernel.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/vector_math.h"

#include <algorithm>
#include <cmath>

namespace millrace::kernels::cpu {

namespace {

constexpr std::int64_t kBlocks = 64; // computed at a time, four numbers each

/// The numbers of the blocks counter … counter + kBlocks - 1, as philox() in kernels/base/random.h gives them. The
/// rounds are unrolled so that the loop over blocks becomes vector code with the state in registers.
MR_INLINE void philoxBlocks(std::uint64_t seed, std::uint64_t stream, std::uint64_t counter, std::uint32_t* numbers)
{
    for (std::int64_t block = 0; block < kBlocks; ++block) {
        const std::uint64_t index = counter + static_cast<std::uint64_t>(block);
        auto c0 = static_cast<std::uint32_t>(index), c1 = static_cast<std::uint32_t>(index >> 32);
        auto c2 = static_cast<std::uint32_t>(stream), c3 = static_cast<std::uint32_t>(stream >> 32);
        auto k0 = static_cast<std::uint32_t>(seed), k1 = static_cast<std::uint32_t>(seed >> 32);
#pragma GCC unroll 10
        for (int round = 0; round < 10; ++round) {
            const std::uint64_t a = std::uint64_t{0xD2511F53U} * c0, b = std::uint64_t{0xCD9E8D57U} * c2;
            c0 = static_cast<std::uint32_t>(b >> 32) ^ c1 ^ k0;
            c1 = static_cast<std::uint32_t>(b);
            c2 = static_cast<std::uint32_t>(a >> 32) ^ c3 ^ k1;
            c3 = static_cast<std::uint32_t>(a);
            k0 += 0x9E3779B9U;
            k1 += 0xBB67AE85U;
        }
        numbers[4 * block] = c0;
        numbers[4 * block + 1] = c1;
        numbers[4 * block + 2] = c2;
        numbers[4 * block + 3] = c3;
    }
}

struct Mask
{
    std::uint64_t seed, stream, firstBlock;
    std::uint32_t threshold; ///< a number under it drops its element
    float scale;             ///< of the kept ones
};

/// Elements 4 beginBlock … min(4 endBlock, count).
MR_VECTORISED void drop(const Mask& mask, const float* x, float* y, std::int64_t count, std::int64_t beginBlock,
                        std::int64_t endBlock)
{
    alignas(64) std::uint32_t numbers[4 * kBlocks];
    for (std::int64_t block = beginBlock; block < endBlock; block += kBlocks) {
        philoxBlocks(mask.seed, mask.stream, mask.firstBlock + static_cast<std::uint64_t>(block), numbers);
        const std::int64_t last = std::min(4 * std::min(block + kBlocks, endBlock), count) - 4 * block;
        const float* from = x + 4 * block;
        float* to = y + 4 * block;
        for (std::int64_t i = 0; i < last; ++i) {
            const float scaled = from[i] * mask.scale; // computed for dropped ones too: a choice, not a branch
            to[i] = numbers[i] >= mask.threshold ? scaled : 0.0F;
        }
    }
}

} // namespace

KernelResult makeDropout(const Dropout& dropout, int threads)
{
    MR_CHECK(requirePositive("dropout", {{"elements", dropout.elements}}));
    if (!(dropout.probability >= 0 && dropout.probability < 1))
        return makeError(Code::InvalidArgument, str("dropout: the probability is ", dropout.probability,
                                                    ", expected at least 0 and less than 1."));
    return makeKernel([dropout, threads](const Arguments& arguments) {
        const float* x = arguments.input(0);
        float* y = arguments.output(0);
        if (dropout.probability == 0) {
            if (x != y) std::copy_n(x, dropout.elements, y);
            return;
        }
        const std::int64_t blocks = (dropout.elements + 3) / 4;
        const Mask mask{arguments.counter->seed, dropout.stream, arguments.counter->step * static_cast<std::uint64_t>(blocks),
                        static_cast<std::uint32_t>(dropout.probability * 0x1p32),
                        static_cast<float>(1.0 / (1.0 - dropout.probability))};
        parallelFor(threads, blocks, 4,
                    [&](std::int64_t begin, std::int64_t end) { drop(mask, x, y, dropout.elements, begin, end); });
    });
}

} // namespace millrace::kernels::cpu
