// Normalisation over a batch, a row or a group of channels.
#include "engine/execute/kernels/families.h"

namespace millrace::execute::families {

namespace {

kernels::BatchNorm batchNormOf(const Site& site, Mode mode, bool addend)
{
    const Shape& x = site.input(0).shape;
    const std::int64_t channels = x[x.rank() - 1];
    return {x.elements() / channels, channels, site->number("epsilon", 1e-5),     site->number("momentum", 0.1),
            mode == Mode::Training,  addend,   site->text("activation") == "relu"};
}

kernels::GroupNorm groupNormOf(const Site& site)
{
    const Shape& x = site.input(0).shape;
    const std::int64_t channels = x[x.rank() - 1];
    return {x[0], x.elements() / (x[0] * channels), channels, site->integer("groups", 1),
            site->number("epsilon", 1e-5)};
}

/// Rows over the last axis: a struct of their number and size.
template <class Rows> Rows rowsOf(const Site& site)
{
    const Shape& x = site.input(0).shape;
    return {x.elements() / x[x.rank() - 1], x[x.rank() - 1]};
}

/// The same with an epsilon.
template <class Norm> Norm normOf(const Site& site)
{
    Norm norm = rowsOf<Norm>(site);
    norm.epsilon = site->number("epsilon", norm.epsilon);
    return norm;
}

} // namespace

std::span<const Row> normalization()
{
    static const std::vector<Row> rows = {
        {"batch_norm",
         [](const Site& s, Mode mode, const Factory& f) {
             return f.makeBatchNorm(batchNormOf(s, mode, s.hasInput(5)));
         },
         {in(0), in(1), in(2), in(3), in(4), in(5)},
         {out(0), trainingOut(1), trainingOut(2), in(3), in(4)}}, // the running statistics are updated where they are
        {"batch_norm_backward",
         [](const Site& s, Mode mode, const Factory& f) {
             return f.makeBatchNormBackward(batchNormOf(s, mode, s->integer("addend") != 0));
         },
         {in(0), in(1), in(2), in(3), in(4), in(5)},
         {out(0), out(1), out(2), out(3)}},
        {"group_norm",
         [](const Site& s, Mode, const Factory& f) { return f.makeGroupNorm(groupNormOf(s)); },
         {in(0), in(1), in(2)},
         {out(0), trainingOut(1), trainingOut(2)}},
        {"group_norm_backward",
         [](const Site& s, Mode, const Factory& f) { return f.makeGroupNormBackward(groupNormOf(s)); },
         {in(0), in(1), in(2), in(3), in(4)},
         {out(0), out(1), out(2)}},
        {"softmax",
         [](const Site& s, Mode, const Factory& f) { return f.makeSoftmax(rowsOf<kernels::Softmax>(s)); },
         {in(0)},
         {out(0)}},
        {"softmax_backward",
         [](const Site& s, Mode, const Factory& f) { return f.makeSoftmaxBackward(rowsOf<kernels::Softmax>(s)); },
         {in(0), in(1)},
         {out(0)}},
        {"log_softmax",
         [](const Site& s, Mode, const Factory& f) { return f.makeLogSoftmax(rowsOf<kernels::LogSoftmax>(s)); },
         {in(0)},
         {out(0)}},
        {"log_softmax_backward",
         [](const Site& s, Mode, const Factory& f) { return f.makeLogSoftmaxBackward(rowsOf<kernels::LogSoftmax>(s)); },
         {in(0), in(1)},
         {out(0)}},
        {"layer_norm",
         [](const Site& s, Mode, const Factory& f) { return f.makeLayerNorm(normOf<kernels::LayerNorm>(s)); },
         {in(0), in(1), in(2)},
         {out(0), trainingOut(1), trainingOut(2)}},
        {"layer_norm_backward",
         [](const Site& s, Mode, const Factory& f) {
             auto norm = normOf<kernels::LayerNorm>(s);
             norm.residual = s.hasInput(5);
             return f.makeLayerNormBackward(norm);
         },
         {in(0), in(1), in(2), in(3), in(4), in(5)},
         {out(0), out(1), out(2)}},
        {"add_layer_norm",
         [](const Site& s, Mode, const Factory& f) { return f.makeAddLayerNorm(normOf<kernels::AddLayerNorm>(s)); },
         {in(0), in(1), in(2), in(3)},
         {out(0), out(1), trainingOut(2), trainingOut(3)}},
        {"rms_norm",
         [](const Site& s, Mode, const Factory& f) { return f.makeRmsNorm(normOf<kernels::RmsNorm>(s)); },
         {in(0), in(1)},
         {out(0), trainingOut(1)}},
        {"rms_norm_backward",
         [](const Site& s, Mode, const Factory& f) { return f.makeRmsNormBackward(normOf<kernels::RmsNorm>(s)); },
         {in(0), in(1), in(2), in(3)},
         {out(0), out(1)}},
    };
    return rows;
}

} // namespace millrace::execute::families
