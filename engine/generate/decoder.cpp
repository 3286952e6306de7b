#include "engine/generate/decoder.h"

#include "engine/pipeline/model_builder.h"
#include "kernels/base/text.h"

#include <algorithm>
#include <array>

namespace millrace::generate {

namespace {

/// How many tokens are read at once: a program each. Long pieces make a prompt's products matrices instead of vectors.
constexpr std::array<std::int64_t, 3> kPieces{64, 8, 1};

const formats::ModelTensor* find(const formats::Model& model, const std::string& name)
{
    const auto found = std::find_if(model.tensors.begin(), model.tensors.end(),
                                    [&](const formats::ModelTensor& tensor) { return tensor.name == name; });
    return found == model.tensors.end() ? nullptr : &*found;
}

Status copy(const formats::ModelTensor& from, const execute::Weights::Named& to)
{
    if (from.shape != to.shape)
        return makeError(Code::InvalidFormat, str("Tensor \"", printable(to.name), "\" is ", from.shape.toString(),
                                                  " but its layer takes ", to.shape.toString(), "."));
    std::copy(from.values.begin(), from.values.end(), to.values.begin());
    return {};
}

} // namespace

Result<Decoder> Decoder::create(const formats::Model& model, const pipeline::Catalogue& catalogue,
                                const execute::Place& place)
{
    Decoder decoder;
    MR_TRY(decoder.m_layers, pipeline::layersFromJson(model.layers));
    decoder.m_catalogue = &catalogue;
    decoder.m_schema = model.schema;
    decoder.m_places = model.schema.features.rank() == 1 ? model.schema.features[0] : 0;
    decoder.m_place = place;
    MR_TRY(const execute::Executor* executor, decoder.executorFor(1));
    decoder.m_limited = executor->program().graph.ports().contains("offset");
    for (const auto& parameter : decoder.m_weights->namedParameters()) {
        const formats::ModelTensor* tensor = find(model, parameter.name);
        if (!tensor)
            return makeError(Code::InvalidFormat, str("The model has no tensor \"", printable(parameter.name), "\"."));
        MR_CHECK(copy(*tensor, parameter));
    }
    for (const auto& state : decoder.m_weights->namedStates()) {
        if (const formats::ModelTensor* tensor = find(model, state.name))
            MR_CHECK(copy(*tensor, state));
        else
            decoder.m_memory.push_back(state.bytes);
    }
    MR_CHECK(decoder.m_weights->publish());
    MR_CHECK(decoder.reset());
    return decoder;
}

Result<execute::Executor*> Decoder::executorFor(std::int64_t steps)
{
    auto& executor = m_executors[steps];
    if (!executor) {
        MR_TRY(graph::Graph graph, pipeline::buildDecoder(m_layers, *m_catalogue, m_schema, steps, m_places));
        MR_TRY(compile::Program program, execute::planFor(std::move(graph), compile::Mode::Inference, m_place));
        if (!m_weights) {
            MR_TRY(m_weights, execute::Weights::create(program, 0, m_place));
        }
        MR_TRY(executor, execute::Executor::create(std::move(program), m_weights, m_place.threads));
    }
    return executor.get();
}

Status Decoder::reset()
{
    for (const auto bytes : m_memory) std::fill(bytes.begin(), bytes.end(), std::byte{0});
    m_length = 0;
    return m_weights->publishStates();
}

Result<std::span<const std::int32_t>> Decoder::follow(std::int32_t token, std::int64_t count)
{
    if (m_limited && count > m_places - m_length)
        return makeError(Code::InvalidArgument, str(count, " tokens do not fit into the ", m_places - m_length,
                                                    " places that are left of ", m_places, "."));
    if (token < 0 || token >= vocabulary())
        return makeError(Code::InvalidArgument,
                         str("The token ", token, " is outside the vocabulary of ", vocabulary(), "."));
    if (!m_greedy) {
        MR_TRY(execute::Executor * executor, executorFor(1));
        MR_TRY(Greedy greedy, Greedy::create(*executor, m_place));
        m_greedy = std::make_unique<Greedy>(std::move(greedy));
    }
    MR_TRY(const auto tokens, m_greedy->write(std::span(&token, 1), m_length, count));
    m_length += count;
    return tokens;
}

Result<std::span<const float>> Decoder::read(std::span<const std::int32_t> tokens, std::stop_token stop)
{
    const auto count = static_cast<std::int64_t>(tokens.size());
    if (count == 0) return makeError(Code::InvalidArgument, "There is no token to read.");
    if (m_limited && count > m_places - m_length)
        return makeError(Code::InvalidArgument, str(count, " tokens do not fit into the ", m_places - m_length,
                                                    " places that are left of ", m_places, "."));
    for (const std::int32_t token : tokens)
        if (token < 0 || token >= vocabulary())
            return makeError(Code::InvalidArgument,
                             str("The token ", token, " is outside the vocabulary of ", vocabulary(), "."));
    std::span<const float> logits;
    while (!tokens.empty()) {
        if (stop.stop_requested()) return makeError(Code::Cancelled, "Reading the text was stopped.");
        const auto left = static_cast<std::int64_t>(tokens.size());
        const std::int64_t steps = *std::find_if(kPieces.begin(), kPieces.end(), [&](std::int64_t piece) {
            return piece == 1 || (piece <= left && piece <= m_places);
        });
        MR_TRY(execute::Executor * executor, executorFor(steps));
        MR_TRY(const auto features, executor->integers("features"));
        std::copy_n(tokens.begin(), steps, features.begin());
        if (m_limited) {
            MR_TRY(const auto offset, executor->integers("offset"));
            offset[0] = static_cast<std::int32_t>(m_length);
        }
        MR_CHECK(executor->run(0, 0));
        MR_TRY(const auto output, executor->floats("output"));
        logits = output.last(static_cast<std::size_t>(vocabulary()));
        tokens = tokens.subspan(static_cast<std::size_t>(steps));
        m_length += steps;
    }
    return logits;
}

} // namespace millrace::generate
