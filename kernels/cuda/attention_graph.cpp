#include "kernels/cuda/attention_graph.h"

#include <array>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

namespace millrace::kernels::cuda {

namespace {

/// Adds operations one after the other, each with its result. The first failure stays, and what follows does nothing.
class Builder
{
public:
    Builder(NetworkGraph& graph, const Attention& a, DType type)
        : m_graph(graph), m_batch(a.batch), m_heads(a.heads), m_steps(a.steps), m_width(a.width),
          m_depth(a.headWidth()), m_type(networkType(type))
    {
    }

    Status status() const
    {
        if (m_error) return Error(*m_error);
        return {};
    }

    std::int64_t add(const GraphTensor& tensor)
    {
        if (m_error) return 0;
        auto id = m_graph.add(tensor);
        if (!id) m_error = id.error();
        return id ? *id : 0;
    }

    /// (B,T,columns) in memory, of which a head has `depth` neighbours.
    GraphTensor rows(std::int64_t columns) const
    {
        return {m_type, {m_batch, m_heads, m_steps, m_depth}, {m_steps * columns, m_depth, columns, 1}};
    }
    GraphTensor packed() const { return rows(3 * m_width); }
    GraphTensor plain() const { return rows(m_width); }
    GraphTensor perRow() const
    {
        return {CUDNN_DATA_FLOAT, {m_batch, m_heads, m_steps, 1}, {m_heads * m_steps, m_steps, 1, 1}};
    }
    static GraphTensor transposed(GraphTensor tensor)
    {
        std::swap(tensor.dimensions[2], tensor.dimensions[3]);
        std::swap(tensor.strides[2], tensor.strides[3]);
        return tensor;
    }
    static GraphTensor virtually(GraphTensor tensor)
    {
        tensor.isVirtual = true;
        return tensor;
    }
    /// A number for each pair of steps.
    GraphTensor scores(cudnnDataType_t type = CUDNN_DATA_FLOAT) const
    {
        return GraphTensor::between(type, {m_batch, m_heads, m_steps, m_steps});
    }

    template <class... Operands>
    std::int64_t pointwise(cudnnPointwiseMode_t mode, const GraphTensor& result, Operands... operands)
    {
        const std::int64_t to = add(result);
        into(mode, to, operands...);
        return to;
    }
    template <class... Operands> void into(cudnnPointwiseMode_t mode, std::int64_t result, Operands... operands)
    {
        const std::array<std::int64_t, sizeof...(operands)> from{operands...};
        keep([&] { return m_graph.pointwise(mode, from, result); });
    }
    std::int64_t reduction(cudnnReduceTensorOp_t mode, std::int64_t x)
    {
        const std::int64_t to = add(virtually(perRow()));
        keep([&] { return m_graph.reduction(mode, x, to); });
        return to;
    }
    void product(std::int64_t a, std::int64_t b, std::int64_t c)
    {
        keep([&] { return m_graph.product(a, b, c); });
    }
    /// The scores' transpose in the type of the operands, as a product needs it.
    std::int64_t transposedScores(std::int64_t x)
    {
        const std::int64_t to = add(transposed(scores(m_type)));
        keep([&] { return m_graph.reshape(x, to); });
        return to;
    }
    std::int64_t reshaped(std::int64_t x, const GraphTensor& result)
    {
        const std::int64_t to = add(result);
        keep([&] { return m_graph.reshape(x, to); });
        return to;
    }

    /// q k^T / sqrt(D)
    std::int64_t scaledScores(std::int64_t queries, std::int64_t keys, std::int64_t factor)
    {
        const std::int64_t products = add(scores());
        product(queries, keys, products);
        return pointwise(CUDNN_POINTWISE_MUL, scores(), products, factor);
    }
    /// -infinity where a key comes after the query.
    std::int64_t masked(std::int64_t values)
    {
        const std::int64_t row = add(scores(CUDNN_DATA_INT32)), column = add(scores(CUDNN_DATA_INT32));
        keep(
            [&] { return m_graph.pointwise(CUDNN_POINTWISE_GEN_INDEX, std::array{values}, row, CUDNN_DATA_INT32, 2); });
        keep([&] {
            return m_graph.pointwise(CUDNN_POINTWISE_GEN_INDEX, std::array{values}, column, CUDNN_DATA_INT32, 3);
        });
        const std::int64_t seen = add(scores(CUDNN_DATA_BOOLEAN));
        keep([&] {
            return m_graph.pointwise(CUDNN_POINTWISE_CMP_GE, std::array{row, column}, seen, CUDNN_DATA_BOOLEAN);
        });
        const std::int64_t never = add(GraphTensor::number(-std::numeric_limits<float>::infinity()));
        return pointwise(CUDNN_POINTWISE_BINARY_SELECT, scores(), values, never, seen);
    }

    std::int64_t scale() { return add(GraphTensor::number(1 / std::sqrt(static_cast<float>(m_depth)))); }
    cudnnDataType_t type() const { return m_type; }

private:
    template <class Work> void keep(const Work& work)
    {
        if (m_error) return;
        const Status status = work();
        if (!status) m_error = status.error();
    }

    NetworkGraph& m_graph;
    std::int64_t m_batch, m_heads, m_steps, m_width, m_depth;
    cudnnDataType_t m_type;
    std::optional<Error> m_error;
};

} // namespace

Status buildAttention(NetworkGraph& graph, const Attention& attention, DType type)
{
    Builder b(graph, attention, type);
    const std::int64_t queries = b.add(b.packed());
    const std::int64_t keys = b.add(Builder::transposed(b.packed()));
    const std::int64_t values = b.add(b.packed());
    const std::int64_t result = b.add(b.plain());
    const std::int64_t logsumexp = b.add(b.perRow());

    std::int64_t scores = b.scaledScores(queries, keys, b.scale());
    if (attention.causal) scores = b.masked(scores);
    const std::int64_t largest = b.reduction(CUDNN_REDUCE_TENSOR_MAX, scores);
    const std::int64_t lowered = b.pointwise(CUDNN_POINTWISE_SUB, b.scores(), scores, largest);
    const std::int64_t powers = b.pointwise(CUDNN_POINTWISE_EXP, b.scores(), lowered);
    const std::int64_t sum = b.reduction(CUDNN_REDUCE_TENSOR_ADD, powers);
    const std::int64_t logarithm = b.pointwise(CUDNN_POINTWISE_LOG, Builder::virtually(b.perRow()), sum);
    b.into(CUDNN_POINTWISE_ADD, logsumexp, largest, logarithm);
    const std::int64_t shares = b.pointwise(CUDNN_POINTWISE_DIV, b.scores(b.type()), powers, sum);
    b.product(shares, values, result);
    return b.status();
}

Status buildAttentionBackward(NetworkGraph& graph, const Attention& attention, DType type)
{
    Builder b(graph, attention, type);
    const std::int64_t queries = b.add(b.packed());
    const std::int64_t keys = b.add(Builder::transposed(b.packed()));
    const std::int64_t values = b.add(Builder::transposed(b.packed()));
    const std::int64_t result = b.add(b.plain());
    const std::int64_t resultGradient = b.add(b.plain());
    const std::int64_t logsumexp = b.add(b.perRow());
    const std::int64_t delta = b.add(b.perRow());
    const std::int64_t queriesGradient = b.add(b.packed());
    const std::int64_t keysGradient = b.add(b.packed());
    const std::int64_t valuesGradient = b.add(b.packed());
    const std::int64_t scale = b.scale(), one = b.add(GraphTensor::number(1));

    // delta[i] = dy[i] y[i]; the product with one is where the engines expect dropout's factor
    GraphTensor ofResult = Builder::virtually(b.plain());
    ofResult.type = CUDNN_DATA_FLOAT;
    const std::int64_t terms = b.pointwise(CUDNN_POINTWISE_MUL, ofResult, resultGradient, result);
    const std::int64_t sums = b.reduction(CUDNN_REDUCE_TENSOR_ADD, terms);
    b.into(CUDNN_POINTWISE_MUL, delta, sums, one);

    // p = exp(s - logsumexp); dv = p^T dy
    const std::int64_t scores = b.scaledScores(queries, keys, scale);
    std::int64_t lowered = b.pointwise(CUDNN_POINTWISE_SUB, b.scores(), scores, logsumexp);
    if (attention.causal) lowered = b.masked(lowered);
    const std::int64_t shares = b.pointwise(CUDNN_POINTWISE_EXP, b.scores(), lowered);
    b.product(b.transposedScores(shares), resultGradient, valuesGradient);

    // ds = p (dy v^T - delta) / sqrt(D); dk = ds^T q; dq = ds k
    const std::int64_t products = b.add(b.scores());
    b.product(resultGradient, values, products);
    const std::int64_t differences = b.pointwise(CUDNN_POINTWISE_SUB, b.scores(), products, delta);
    const std::int64_t unscaled = b.pointwise(CUDNN_POINTWISE_MUL, b.scores(), differences, shares);
    const std::int64_t scoresGradient = b.pointwise(CUDNN_POINTWISE_MUL, b.scores(b.type()), unscaled, scale);
    b.product(b.transposedScores(scoresGradient), queries, keysGradient);
    b.product(scoresGradient, b.reshaped(keys, Builder::virtually(b.packed())), queriesGradient);
    return b.status();
}

} // namespace millrace::kernels::cuda
