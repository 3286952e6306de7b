// The rows of operations on sequences: embedding, positions, attention.
#include "tests/kernels/families.h"

namespace millrace::test {

namespace {

using namespace kernels;

double asDouble(std::int64_t value)
{
    return static_cast<double>(value);
}

Problem embedding(Case& line)
{
    const Embedding e{line.integer("N"), line.integer("V"), line.integer("C")};
    const Operand table{"table", e.vocabulary * e.width}, y{"y", e.tokens * e.width};
    const Operand token{"token", e.tokens, Operand::Content::Label, e.vocabulary};
    return {{.inputs = {table, token},
             .outputs = {y},
             .makeKernel = [e](int threads) { return cpu::makeEmbedding(e, threads); },
             .reference = [e](Inputs in, Outputs out) { reference::embedding(e, in, out); },
             .flops = asDouble(y.elements)},
            Function{.inputs = {token, {"dy", y.elements}},
                     .outputs = {{"dtable", table.elements}},
                     .makeKernel = [e](int threads) { return cpu::makeEmbeddingBackward(e, threads); },
                     .reference = [e](Inputs in, Outputs out) { reference::embeddingBackward(e, in, out); },
                     .flops = asDouble(y.elements)}};
}

Problem position(Case& line)
{
    const std::int64_t T = line.integer("T");
    const Position p{line.integer("B"), T, line.integer("C"), line.integer("L", T)};
    const Operand x{"x", p.batch * p.steps * p.width}, table{"table", p.places * p.width};
    const Operand offset{"offset", line.integer("offset", 0), Operand::Content::Label, p.places - p.steps + 1};
    return {{.inputs = {x, table, offset},
             .outputs = {{"y", x.elements}},
             .makeKernel = [p](int threads) { return cpu::makePosition(p, threads); },
             .reference = [p](Inputs in, Outputs out) { reference::position(p, in, out); },
             .flops = asDouble(x.elements),
             .aliases = {{0, 0}}},
            Function{.inputs = {{"dy", x.elements}, offset},
                     .outputs = {{"dtable", table.elements}},
                     .makeKernel = [p](int threads) { return cpu::makePositionBackward(p, threads); },
                     .reference = [p](Inputs in, Outputs out) { reference::positionBackward(p, in, out); },
                     .flops = asDouble(x.elements)}};
}

constexpr OperationRow kOperations[] = {
    {"embedding", embedding},
    {"position", position},
};

} // namespace

std::span<const OperationRow> sequenceOperations()
{
    return kOperations;
}

} // namespace millrace::test
