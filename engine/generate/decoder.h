// A language model that reads a text piece by piece and says what may follow: what came before is kept in its states
// (keys and values of attention, LSTM's and GRU's memory), so that each token is computed once.
#pragma once

#include "engine/execute/executor.h"
#include "engine/formats/model_file.h"
#include "engine/generate/greedy.h"
#include "engine/pipeline/catalogue.h"

#include <map>
#include <memory>
#include <span>
#include <stop_token>

namespace millrace::generate {

class Decoder
{
public:
    /// Copies the model's weights to the place. `catalogue` must live as long.
    /// Errors: InvalidArgument for a model of rows, Unsupported naming a layer that needs the whole text,
    /// InvalidFormat where the weights are not those of the layers, OutOfMemory.
    static Result<Decoder> create(const formats::Model& model, const pipeline::Catalogue& catalogue,
                                  const execute::Place& place);

    /// Reads on and returns the logits (vocabulary) of the token that follows, valid until the next call.
    /// `tokens` is not empty. Errors: InvalidArgument for an id outside the vocabulary or more tokens than there are
    /// places; Cancelled, after which only reset() helps.
    Result<std::span<const float>> read(std::span<const std::int32_t> tokens, std::stop_token stop = {});
    /// The `count` likeliest tokens that follow this one, of which all but the last are read with it; on a GPU without
    /// waiting for each. Errors: as read(), without Cancelled; Diverged.
    Result<std::span<const std::int32_t>> follow(std::int32_t token, std::int64_t count);
    /// Forgets everything that was read. Errors: those of the device.
    Status reset();

    std::int64_t length() const { return m_length; } ///< tokens that it remembers
    /// The most tokens that it can remember; 0: a recurrent model, which has no such limit.
    std::int64_t places() const { return m_limited ? m_places : 0; }
    std::int64_t vocabulary() const { return m_schema.vocabulary; }
    bool onGpu() const { return m_place.device != nullptr; }

private:
    Decoder() = default;
    Result<execute::Executor*> executorFor(std::int64_t steps);

    pipeline::Document m_layers;
    const pipeline::Catalogue* m_catalogue = nullptr;
    pipeline::RowsSchema m_schema;
    std::int64_t m_places = 0, m_length = 0;
    bool m_limited = false;
    execute::Place m_place;                      // its device outlives the weights
    std::shared_ptr<execute::Weights> m_weights; // shared with the executors
    std::vector<std::span<std::byte>> m_memory;  ///< the states that are no part of the model's file
    std::map<std::int64_t, std::unique_ptr<execute::Executor>> m_executors; ///< by the length of the piece
    std::unique_ptr<Greedy> m_greedy;                                       ///< made when it is first asked for
};

} // namespace millrace::generate
