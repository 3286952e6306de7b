// Batched matrix product in double.
#include "kernels/reference/reference.h"

namespace millrace::kernels::reference {

namespace {

/// Calls visit(index of a, index of b, index of c) for every product.
template <class Visit> void forEachProduct(const Matmul& m, const Visit& visit)
{
    for (std::int64_t n = 0; n < m.batch; ++n)
        for (std::int64_t i = 0; i < m.rows; ++i)
            for (std::int64_t j = 0; j < m.columns; ++j)
                for (std::int64_t k = 0; k < m.depth; ++k)
                    visit(n * m.rows * m.depth + (m.transposeA ? k * m.rows + i : i * m.depth + k),
                          n * m.depth * m.columns + (m.transposeB ? j * m.depth + k : k * m.columns + j),
                          (n * m.rows + i) * m.columns + j);
}

} // namespace

void matmul(const Matmul& matmul, Inputs inputs, Outputs outputs)
{
    outputs[0].assign(outputs[0].size(), 0);
    const double *a = inputs[0].data(), *b = inputs[1].data();
    forEachProduct(matmul, [&](auto aAt, auto bAt, auto cAt) { outputs[0].data()[cAt] += a[aAt] * b[bAt]; });
}

void matmulBackward(const Matmul& matmul, Inputs inputs, Outputs outputs)
{
    for (Values& output : outputs) output.assign(output.size(), 0);
    const double *a = inputs[0].data(), *b = inputs[1].data(), *dc = inputs[2].data();
    forEachProduct(matmul, [&](auto aAt, auto bAt, auto cAt) {
        outputs[0].data()[aAt] += dc[cAt] * b[bAt];
        outputs[1].data()[bAt] += dc[cAt] * a[aAt];
    });
}

} // namespace millrace::kernels::reference
