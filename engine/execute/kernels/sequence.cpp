// Embedding, positions and attention.
#include "engine/execute/kernels/families.h"

namespace millrace::execute::families {

namespace {

kernels::Embedding embeddingOf(const graph::Tensor& tokens, const Shape& table)
{
    return {tokens.shape.elements(), table[0], table[1]};
}

kernels::Position positionOf(const Shape& x, const Shape& table)
{
    return {x[0], x[1], x[2], table[0]};
}

/// qkv is (B,T,3C).
kernels::Attention attentionOf(const Site& site)
{
    const Shape& x = site.input(0).shape;
    return {x[0], x[1], x[2] / 3, site->integer("heads", 1), site->integer("causal") != 0, 0};
}

KernelResult makeAttention(const Site& site, Mode, const Factory& f)
{
    kernels::Attention attention = attentionOf(site);
    if (!site.hasInput(1)) return f.makeAttention(attention);
    attention.places = site.input(1).shape[1];
    return f.makeCachedAttention(attention);
}

} // namespace

std::span<const Row> sequence()
{
    static const std::vector<Row> rows = {
        {"embedding",
         [](const Site& s, Mode, const Factory& f) {
             return f.makeEmbedding(embeddingOf(s.input(1), s.input(0).shape));
         },
         {in(0), in(1)},
         {out(0)}},
        {"embedding_backward",
         [](const Site& s, Mode, const Factory& f) {
             return f.makeEmbeddingBackward(embeddingOf(s.input(0), s.output(0).shape));
         },
         {in(0), in(1)},
         {out(0)}},
        {"position",
         [](const Site& s, Mode, const Factory& f) {
             return f.makePosition(positionOf(s.input(0).shape, s.input(1).shape));
         },
         {in(0), in(1), in(2)},
         {out(0)}},
        {"position_backward",
         [](const Site& s, Mode, const Factory& f) {
             return f.makePositionBackward(positionOf(s.input(0).shape, s.output(0).shape));
         },
         {in(0), in(1)},
         {out(0)}},
        {"attention",
         makeAttention,
         {in(0), in(1), in(2), in(3)},
         {out(0), trainingOut(1), in(1), in(2)}}, // the caches are written where they are
        {"attention_backward",
         [](const Site& s, Mode, const Factory& f) { return f.makeAttentionBackward(attentionOf(s)); },
         {in(0), in(1), in(2), in(3)},
         {out(0)}},
    };
    return rows;
}

} // namespace millrace::execute::families
