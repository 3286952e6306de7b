// Losses.
#include "engine/execute/kernels/families.h"

namespace millrace::execute::families {

std::span<const Row> losses()
{
    static const std::vector<Row> rows = {
        {"cross_entropy",
         [](const Site& s, Mode, int threads) {
             return cpu::makeCrossEntropy({s.input(0).shape[0], s.input(0).shape[1]}, threads);
         },
         {in(0), in(1)},
         {out(0), out(1), out(2)}},
        {"mse",
         [](const Site& s, Mode, int threads) {
             return cpu::makeMeanSquaredError({s.input(0).shape.elements()}, threads);
         },
         {in(0), in(1)},
         {out(0), out(1)}},
    };
    return rows;
}

} // namespace millrace::execute::families
