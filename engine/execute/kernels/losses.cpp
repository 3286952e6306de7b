// Losses.
#include "engine/execute/kernels/families.h"

namespace millrace::execute::families {

namespace {

/// All axes but the last, and the last.
std::pair<std::int64_t, std::int64_t> rowsAndColumns(const Shape& shape)
{
    const std::int64_t columns = shape[shape.rank() - 1];
    return {shape.elements() / columns, columns};
}

kernels::CrossEntropy crossEntropyOf(const Site& site)
{
    const auto [rows, classes] = rowsAndColumns(site.input(0).shape);
    return {rows, classes, site->number("label_smoothing"), site->integer("ignore_index", -100)};
}

kernels::KlDivergence klDivergenceOf(const Site& site)
{
    const auto [rows, classes] = rowsAndColumns(site.input(0).shape);
    return {rows, classes, site->number("temperature", 1)};
}

} // namespace

std::span<const Row> losses()
{
    static const std::vector<Row> rows = {
        {"cross_entropy",
         [](const Site& s, Mode, const Factory& f) { return f.makeCrossEntropy(crossEntropyOf(s)); },
         {in(0), in(1), in(2)},
         {out(0), out(1), out(2)}},
        {"binary_cross_entropy",
         [](const Site& s, Mode, const Factory& f) { return f.makeBinaryCrossEntropy({s.input(0).shape.elements()}); },
         {in(0), in(1)},
         {out(0), out(1), out(2)}},
        {"mse",
         [](const Site& s, Mode, const Factory& f) { return f.makeMeanSquaredError({s.input(0).shape.elements()}); },
         {in(0), in(1)},
         {out(0), out(1)}},
        {"mae",
         [](const Site& s, Mode, const Factory& f) { return f.makeMeanAbsoluteError({s.input(0).shape.elements()}); },
         {in(0), in(1)},
         {out(0), out(1)}},
        {"huber",
         [](const Site& s, Mode, const Factory& f) {
             return f.makeHuber({s.input(0).shape.elements(), s->number("delta", 1)});
         },
         {in(0), in(1)},
         {out(0), out(1)}},
        {"kl",
         [](const Site& s, Mode, const Factory& f) { return f.makeKlDivergence(klDivergenceOf(s)); },
         {in(0), in(1)},
         {out(0), out(1)}},
    };
    return rows;
}

} // namespace millrace::execute::families
