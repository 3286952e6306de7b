// Batched matrix product: one call of cuBLASLt for the whole batch.
#include "kernels/ops/matmul.h"

#include "kernels/cuda/kernel.h"
#include "kernels/cuda/products.h"

namespace millrace::kernels::cuda {

KernelResult makeMatmul(Context& context, const Matmul& m, DType type)
{
    MR_TRY(Product product, Product::create(context, {.rows = m.rows,
                                                      .columns = m.columns,
                                                      .depth = m.depth,
                                                      .transposeA = m.transposeA,
                                                      .transposeB = m.transposeB,
                                                      .type = type,
                                                      .resultType = type,
                                                      .precision = m.precision,
                                                      .batch = m.batch}));
    const std::uint64_t scratchBytes = product.scratchBytes();
    return makeKernel(
        [product = std::move(product)](const Arguments& arguments) mutable {
            product.run({.a = arguments.inputs[0], .b = arguments.inputs[1], .d = arguments.outputs[0]},
                        arguments.scratch);
        },
        scratchBytes);
}

} // namespace millrace::kernels::cuda
