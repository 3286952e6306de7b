// LSTM and GRU.
#include "engine/execute/kernels/families.h"

namespace millrace::execute::families {

namespace {

/// Of the forward and the backward kinds: x (B,T,I), weight_hidden (…,H).
template <class Dimensions> Dimensions dimensionsOf(const Site& site)
{
    const Shape& x = site.input(0).shape;
    return {x[0], x[1], x[2], site.input(2).shape[1]};
}

} // namespace

std::span<const Row> recurrent()
{
    using kernels::Gru, kernels::Lstm;
    static const std::vector<Row> rows = {
        {"lstm",
         [](const Site& s, Mode, const Factory& f) { return f.makeLstm(dimensionsOf<Lstm>(s)); },
         {in(0), in(1), in(2), in(3), in(4), in(5), in(6)},
         {out(0), trainingOut(1), trainingOut(2), in(5), in(6)}}, // the states are carried over where they are
        {"lstm_backward",
         [](const Site& s, Mode, const Factory& f) { return f.makeLstmBackward(dimensionsOf<Lstm>(s)); },
         {in(0), in(1), in(2), in(3), in(4), in(5), in(6)},
         {out(4), out(0), out(1), out(2), out(3)}},
        {"gru",
         [](const Site& s, Mode, const Factory& f) { return f.makeGru(dimensionsOf<Gru>(s)); },
         {in(0), in(1), in(2), in(3), in(4), in(5)},
         {out(0), trainingOut(1), trainingOut(2), in(5)}},
        {"gru_backward",
         [](const Site& s, Mode, const Factory& f) { return f.makeGruBackward(dimensionsOf<Gru>(s)); },
         {in(0), in(1), in(2), in(3), in(4), in(5), in(6)},
         {out(4), out(0), out(1), out(2), out(3)}},
    };
    return rows;
}

} // namespace millrace::execute::families
