// Text from a language model: reads a prompt, then draws one token after the other.
#pragma once

#include "engine/data/tokenizer.h"
#include "engine/generate/decoder.h"
#include "engine/generate/sampler.h"

#include <functional>
#include <string_view>

namespace millrace::generate {

struct GenerateOptions
{
    std::int64_t tokens = 200; ///< how many are generated
    SampleOptions sample;

    /// Errors: InvalidArgument naming the setting and its range.
    Status check() const;
};

struct Generated
{
    std::int64_t promptTokens = 0, tokens = 0;
    double promptSeconds = 0, seconds = 0; ///< to read the prompt; to generate the tokens after it
    bool stopped = false;                  ///< before all tokens were there
};

class Generator
{
public:
    /// The model's preprocessing must hold its tokenizer. `catalogue` must live as long.
    /// Errors: InvalidArgument for a model that is not of text, and those of Decoder::create.
    static Result<Generator> create(const formats::Model& model, const pipeline::Catalogue& catalogue,
                                    const execute::Place& place);

    /// Gives the text that follows the prompt to `piece`, as it comes: whole characters, where the tokens make any.
    /// Of a text longer than the model can look at, it looks at the end: when its places are full, it reads the last
    /// half of them anew and goes on. The same prompt, options and number of threads give the same text.
    /// Errors: InvalidArgument for an empty prompt, characters that the tokenizer does not know or options out of their
    /// range; Diverged.
    Result<Generated> generate(std::string_view prompt, const GenerateOptions& options,
                               const std::function<void(std::string_view)>& piece, std::stop_token stop = {});

private:
    Generator(Decoder decoder, data::Tokenizer tokenizer)
        : m_decoder(std::move(decoder)), m_tokenizer(std::move(tokenizer))
    {
    }
    Status draw(std::vector<std::int32_t>& text, std::span<const float> logits, const GenerateOptions& options,
                const std::function<void(std::string_view)>& piece, std::stop_token stop, Generated& done);

    Decoder m_decoder;
    data::Tokenizer m_tokenizer;
};

} // namespace millrace::generate
