// Embedding: rows are copied; the gradient adds them up, each thread in its own columns, so that no two write one
// element and the order of the sums is that of the tokens.
#include "kernels/ops/embedding.h"

#include "kernels/cpu/make_kernel.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/vector_math.h"

#include <algorithm>
#include <limits>

namespace millrace::kernels::cpu {

namespace {

Status check(const Embedding& embedding)
{
    return requirePositive(
        "embedding", {{"tokens", embedding.tokens}, {"vocabulary", embedding.vocabulary}, {"width", embedding.width}});
}

const std::int32_t* tokensOf(const Arguments& arguments, std::size_t index)
{
    return static_cast<const std::int32_t*>(arguments.inputs[index]);
}

MR_VECTORISED void addRows(const Embedding& e, const std::int32_t* tokens, const float* dy, float* dtable,
                           std::int64_t begin, std::int64_t end)
{
    for (std::int64_t v = 0; v < e.vocabulary; ++v)
        std::fill(dtable + v * e.width + begin, dtable + v * e.width + end, 0.0F);
    for (std::int64_t n = 0; n < e.tokens; ++n) {
        if (tokens[n] < 0 || tokens[n] >= e.vocabulary) continue;
        float* sum = dtable + tokens[n] * e.width;
        const float* row = dy + n * e.width;
#pragma omp simd
        for (std::int64_t c = begin; c < end; ++c) sum[c] += row[c];
    }
}

} // namespace

KernelResult makeEmbedding(const Embedding& e, int threads)
{
    MR_CHECK(check(e));
    return makeKernel([e, threads](const Arguments& arguments) {
        const float* table = arguments.input(0);
        const std::int32_t* tokens = tokensOf(arguments, 1);
        const double rowNanoseconds = 10 + 0.1 * static_cast<double>(e.width);
        parallelFor(threads, e.tokens, rowNanoseconds, [&](std::int64_t begin, std::int64_t end) {
            for (std::int64_t n = begin; n < end; ++n) {
                float* y = arguments.output(0) + n * e.width;
                if (tokens[n] >= 0 && tokens[n] < e.vocabulary)
                    std::copy_n(table + tokens[n] * e.width, e.width, y);
                else
                    std::fill_n(y, e.width, std::numeric_limits<float>::quiet_NaN());
            }
        });
    });
}

KernelResult makeEmbeddingBackward(const Embedding& e, int threads)
{
    MR_CHECK(check(e));
    return makeKernel([e, threads](const Arguments& arguments) {
        const double columnNanoseconds = 0.2 * static_cast<double>(e.tokens + e.vocabulary);
        parallelFor(threads, e.width, columnNanoseconds, [&](std::int64_t begin, std::int64_t end) {
            addRows(e, tokensOf(arguments, 0), arguments.input(1), arguments.output(0), begin, end);
        });
    });
}

} // namespace millrace::kernels::cpu
