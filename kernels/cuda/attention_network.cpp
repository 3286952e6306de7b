#include "kernels/cuda/attention_network.h"

#include "kernels/base/text.h"
#include "kernels/cuda/attention_graph.h"
#include "kernels/cuda/fastest.h"
#include "kernels/cuda/network.h"

#include <array>

namespace millrace::kernels::cuda {

namespace {

Status requireEngines(const Attention& a, DType type)
{
    const std::int64_t depth = a.headWidth();
    if (type != DType::F32 && depth <= 128 && depth % 8 == 0) return {};
    return makeError(Code::Unsupported, str("cuDNN has no attention for ", name(type), " heads of ", depth,
                                            " columns, only for bf16 and f16, up to 128 columns and in eights."));
}

Result<Network> plan(Context& context, std::string_view direction, const Attention& a, DType type,
                     Status (*build)(NetworkGraph&, const Attention&, DType))
{
    MR_CHECK(requireEngines(a, type));
    const std::string key = str("attention ", direction, ' ', name(type), ' ', a.batch, 'x', a.steps, 'x', a.width,
                                " heads ", a.heads, a.causal ? " causal" : "");
    // its engines are compiled when they are planned, which takes half a second for each; backward, a number for each
    // pair of steps goes through memory
    const EngineRules rules{.most = 2, .mostWorkspaceBytes = 4ULL << 30};
    return Network::create(context, key, rules, [&](NetworkGraph& graph) { return build(graph, a, type); });
}

std::uint64_t rowBytes(const Attention& a)
{
    return static_cast<std::uint64_t>(a.batch * a.heads * a.steps) * sizeof(float);
}

/// The queries', keys' and values' thirds of the columns of a packed tensor.
struct Thirds
{
    const void *queries, *keys, *values;
    Thirds(const void* packed, const Attention& a, DType type)
    {
        const auto* bytes = static_cast<const std::byte*>(packed);
        const std::size_t third = static_cast<std::size_t>(a.width) * sizeBytes(type);
        queries = bytes, keys = bytes + third, values = bytes + 2 * third;
    }
};

class Forward final : public TriableKernel
{
public:
    Forward(Context& context, Network network, const Attention& attention, DType type)
        : TriableKernel(context), m_network(std::move(network)), m_attention(attention), m_type(type)
    {
        Layout scratch;
        m_logsumexp = scratch.add(rowBytes(attention));
        m_shared = scratch.add(m_network.scratchBytes());
        m_scratchBytes = scratch.sizeBytes();
    }
    std::uint64_t scratchBytes() const override { return m_scratchBytes; }
    Status attempt(const Arguments& arguments) const override
    {
        const Thirds qkv(arguments.inputs[0], m_attention, m_type);
        const void* logsumexp = arguments.outputs.size() > 1 ? arguments.outputs[1] : nullptr;
        if (!logsumexp) logsumexp = arguments.scratch + m_logsumexp;
        std::vector<const void*> all(m_network.tensorCount());
        all[attention_operands::kQueries] = qkv.queries;
        all[attention_operands::kKeys] = qkv.keys;
        all[attention_operands::kValues] = qkv.values;
        all[attention_operands::kResult] = arguments.outputs[0];
        all[attention_operands::kLogsumexp] = logsumexp;
        return m_network.run(all, arguments.scratch + m_shared);
    }

private:
    Network m_network;
    Attention m_attention;
    DType m_type;
    std::uint64_t m_logsumexp = 0, m_shared = 0, m_scratchBytes = 0; ///< in the scratch
};

class Backward final : public TriableKernel
{
public:
    Backward(Context& context, Network network, const Attention& attention, DType type)
        : TriableKernel(context), m_network(std::move(network)), m_attention(attention), m_type(type)
    {
        Layout scratch;
        m_delta = scratch.add(rowBytes(attention));
        m_shared = scratch.add(m_network.scratchBytes());
        m_scratchBytes = scratch.sizeBytes();
    }
    std::uint64_t scratchBytes() const override { return m_scratchBytes; }
    Status attempt(const Arguments& arguments) const override
    {
        if (!arguments.outputs[0]) return {};
        const Thirds qkv(arguments.inputs[0], m_attention, m_type), dqkv(arguments.outputs[0], m_attention, m_type);
        std::vector<const void*> all(m_network.tensorCount());
        all[attention_operands::kQueriesB] = qkv.queries;
        all[attention_operands::kKeysB] = qkv.keys;
        all[attention_operands::kValuesB] = qkv.values;
        all[attention_operands::kResultB] = arguments.inputs[1];
        all[attention_operands::kResultGradient] = arguments.inputs[3];
        all[attention_operands::kLogsumexpB] = arguments.inputs[2];
        all[attention_operands::kDelta] = arguments.scratch + m_delta;
        all[attention_operands::kQueriesGradient] = dqkv.queries;
        all[attention_operands::kKeysGradient] = dqkv.keys;
        all[attention_operands::kValuesGradient] = dqkv.values;
        return m_network.run(all, arguments.scratch + m_shared);
    }

private:
    Network m_network;
    Attention m_attention;
    DType m_type;
    std::uint64_t m_delta = 0, m_shared = 0, m_scratchBytes = 0; ///< in the scratch
};

} // namespace

Result<std::unique_ptr<TriableKernel>> makeNetworkAttention(Context& context, const Attention& attention, DType type)
{
    MR_TRY(Network network, plan(context, "forward", attention, type, buildAttention));
    return std::unique_ptr<TriableKernel>(std::make_unique<Forward>(context, std::move(network), attention, type));
}

Result<std::unique_ptr<TriableKernel>> makeNetworkAttentionBackward(Context& context, const Attention& attention,
                                                                    DType type)
{
    MR_TRY(Network network, plan(context, "backward", attention, type, buildAttentionBackward));
    return std::unique_ptr<TriableKernel>(std::make_unique<Backward>(context, std::move(network), attention, type));
}

} // namespace millrace::kernels::cuda
