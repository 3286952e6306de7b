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
             .makeKernel = [e](const Factory& f) { return f.makeEmbedding(e); },
             .reference = [e](Inputs in, Outputs out) { reference::embedding(e, in, out); },
             .flops = asDouble(y.elements)},
            Function{.inputs = {token, {"dy", y.elements}},
                     .outputs = {f32("dtable", table.elements)},
                     .makeKernel = [e](const Factory& f) { return f.makeEmbeddingBackward(e); },
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
             .makeKernel = [p](const Factory& f) { return f.makePosition(p); },
             .reference = [p](Inputs in, Outputs out) { reference::position(p, in, out); },
             .flops = asDouble(x.elements),
             .aliases = {{0, 0}}},
            Function{.inputs = {{"dy", x.elements}, offset},
                     .outputs = {f32("dtable", table.elements)},
                     .makeKernel = [p](const Factory& f) { return f.makePositionBackward(p); },
                     .reference = [p](Inputs in, Outputs out) { reference::positionBackward(p, in, out); },
                     .flops = asDouble(x.elements)}};
}

Attention readAttention(Case& line)
{
    return {.batch = line.integer("B"),
            .steps = line.integer("T"),
            .width = line.integer("C"),
            .heads = line.integer("heads", 1),
            .causal = line.integer("causal", 0) != 0};
}

/// Each of the T queries multiplies `keys` keys and values.
double attentionFlops(const Attention& a, std::int64_t keys)
{
    return 4 * asDouble(a.batch * a.steps * a.width) * asDouble(keys) / (a.causal ? 2 : 1);
}

Problem attention(Case& line)
{
    const Attention a = readAttention(line);
    const std::int64_t elements = a.batch * a.steps * a.width;
    const Operand qkv{"qkv", 3 * elements}, y{"y", elements};
    const Operand logsumexp = f32("logsumexp", a.batch * a.heads * a.steps);
    return {{.inputs = {qkv},
             .outputs = {y, logsumexp},
             .makeKernel = [a](const Factory& f) { return f.makeAttention(a); },
             .reference = [a](Inputs in, Outputs out) { reference::attention(a, in, out); },
             .flops = attentionFlops(a, a.steps)},
            Function{.inputs = {qkv, y, logsumexp, {"dy", elements}},
                     .outputs = {{"dqkv", qkv.elements}},
                     .makeKernel = [a](const Factory& f) { return f.makeAttentionBackward(a); },
                     .reference = [a](Inputs in, Outputs out) { reference::attentionBackward(a, in, out); },
                     .flops = 2.5 * attentionFlops(a, a.steps)}};
}

Problem cachedAttention(Case& line)
{
    Attention a = readAttention(line);
    a.places = line.integer("L");
    const std::int64_t elements = a.batch * a.steps * a.width, cache = a.batch * a.places * a.width;
    const Operand offset{"offset", 1, Operand::Content::Label, a.places - a.steps + 1};
    return {{.inputs = {{"qkv", 3 * elements}, {"keys", cache}, {"values", cache}, offset},
             .outputs = {{"y", elements},
                         f32("logsumexp", a.batch * a.heads * a.steps),
                         {"newKeys", cache},
                         {"newValues", cache}},
             .makeKernel = [a](const Factory& f) { return f.makeCachedAttention(a); },
             .reference = [a](Inputs in, Outputs out) { reference::cachedAttention(a, in, out); },
             .flops = attentionFlops(a, a.places),
             .aliases = {{2, 1}, {3, 2}}}};
}

Problem sample(Case& line)
{
    const Sample s{line.integer("B"), line.integer("T", 1), line.integer("V")};
    return {{.inputs = {{"logits", s.batch * s.steps * s.classes}},
             .outputs = {{"token", s.batch, Operand::Content::Label, s.classes}},
             .makeKernel = [s](const Factory& f) { return f.makeSample(s); },
             .reference = [s](Inputs in, Outputs out) { reference::sample(s, in, out); },
             .flops = asDouble(s.batch * s.classes)}};
}

constexpr OperationRow kOperations[] = {
    {"embedding", embedding}, {"position", position}, {"attention", attention}, {"cached_attention", cachedAttention},
    {"sample", sample},
};

} // namespace

std::span<const OperationRow> sequenceOperations()
{
    return kOperations;
}

} // namespace millrace::test
