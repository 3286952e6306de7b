// Batched matrix product: the threads share the batch where it is large enough, else each product.
#include "kernels/ops/matmul.h"

#include "kernels/cpu/make_kernel.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/product.h"

namespace millrace::kernels::cpu {

KernelResult makeMatmul(const Matmul& m, int threads)
{
    MR_CHECK(
        requirePositive("matmul", {{"batch", m.batch}, {"rows", m.rows}, {"columns", m.columns}, {"depth", m.depth}}));
    const double flops = 2.0 * static_cast<double>(m.rows * m.columns) * static_cast<double>(m.depth);
    const int sharing = m.batch >= threads ? threadsFor(flops * static_cast<double>(m.batch), threads) : 1;
    const Product product({.m = m.rows,
                           .n = m.columns,
                           .k = m.depth,
                           .aTransposed = m.transposeA,
                           .bTransposed = m.transposeB,
                           .precision = m.precision},
                          m.batch >= threads ? 1 : threads);
    const std::uint64_t scratchBytes = product.scratchBytes();
    const auto run = [=](const Arguments& arguments, std::int64_t n, std::byte* scratch) {
        product.run({arguments.input(0) + n * m.rows * m.depth, m.transposeA ? m.rows : m.depth},
                    {arguments.input(1) + n * m.depth * m.columns, m.transposeB ? m.depth : m.columns},
                    Block::Start::Zero, nullptr, arguments.output(0) + n * m.rows * m.columns, scratch);
    };
    return makeKernel(
        [=](const Arguments& arguments) {
            if (sharing == 1) {
                for (std::int64_t n = 0; n < m.batch; ++n) run(arguments, n, arguments.scratch);
                return;
            }
#pragma omp parallel for num_threads(sharing) schedule(static, 1)
            for (int part = 0; part < sharing; ++part)
                for (std::int64_t n = m.batch * part / sharing; n < m.batch * (part + 1) / sharing; ++n)
                    run(arguments, n, arguments.scratch + static_cast<std::uint64_t>(part) * scratchBytes);
        },
        scratchBytes * static_cast<std::uint64_t>(sharing));
}

} // namespace millrace::kernels::cpu
