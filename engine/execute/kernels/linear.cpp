// Matrix products.
#include "engine/execute/kernels/families.h"

namespace millrace::execute::families {

namespace {

kernels::Dense denseOf(const Site& site, const Shape& x, const Shape& weight)
{
    const std::string activation = site->text("activation");
    const auto epilogue = activation == "relu"        ? kernels::Epilogue::Relu
                          : activation == "gelu_tanh" ? kernels::Epilogue::GeluTanh
                                                      : kernels::Epilogue::None;
    return {x.elements() / weight[1], weight[1], weight[0], precisionOf(site), epilogue};
}

kernels::Matmul matmulOf(const Site& site)
{
    const Shape &a = site.input(0).shape, &c = site.output(0).shape;
    const std::size_t rank = c.rank();
    const bool transposeA = site->integer("transpose_a") != 0;
    return {c.elements() / (c[rank - 2] * c[rank - 1]),
            c[rank - 2],
            c[rank - 1],
            a[rank - (transposeA ? 2 : 1)],
            transposeA,
            site->integer("transpose_b") != 0,
            precisionOf(site)};
}

} // namespace

std::span<const Row> linear()
{
    static const std::vector<Row> rows = {
        {"dense",
         [](const Site& s, Mode, const Factory& f) {
             return f.makeDense(denseOf(s, s.input(0).shape, s.input(1).shape));
         },
         {in(0), in(1), in(2)},
         {out(0), out(1)}},
        {"dense_backward_data",
         [](const Site& s, Mode, const Factory& f) {
             return f.makeDenseBackward(denseOf(s, s.output(0).shape, s.input(0).shape));
         },
         {none, in(0), in(1), in(2)},
         {out(0), none, none}},
        {"dense_backward_weights",
         [](const Site& s, Mode, const Factory& f) {
             return f.makeDenseBackward(denseOf(s, s.input(0).shape, s.output(0).shape));
         },
         {in(0), none, in(1), none},
         {none, out(0), out(1)}},
        {"matmul",
         [](const Site& s, Mode, const Factory& f) { return f.makeMatmul(matmulOf(s)); },
         {in(0), in(1)},
         {out(0)}},
    };
    return rows;
}

} // namespace millrace::execute::families
