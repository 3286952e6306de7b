#include "engine/generate/generator.h"

#include "kernels/base/text.h"

#include <algorithm>
#include <chrono>

namespace millrace::generate {

namespace {

constexpr std::int64_t kTokens = 1'000'000;
constexpr std::int64_t kTogetherOnGpu = 8; // tokens that are written before somebody sees them, where they are certain

double secondsSince(std::chrono::steady_clock::time_point start)
{
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// How many of the bytes end with a whole character: all but a character's first bytes at the end. Bytes that are no
/// UTF-8 are not waited for.
std::size_t wholeCharacters(std::string_view bytes)
{
    for (std::size_t back = 1; back <= std::min<std::size_t>(3, bytes.size()); ++back) {
        const auto byte = static_cast<unsigned char>(bytes[bytes.size() - back]);
        if ((byte & 0xC0) == 0x80) continue; // one in the middle of a character
        const std::size_t length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1;
        return length > back ? bytes.size() - back : bytes.size();
    }
    return bytes.size();
}

Result<data::Tokenizer> tokenizerOf(const formats::Model& model)
{
    for (const auto& step : model.preprocessing.steps)
        if (step.is_object() && step.value("kind", nlohmann::json()) == "tokenize")
            return data::Tokenizer::fromJson(step);
    return makeError(Code::InvalidArgument, "The model answers rows, not text: it has no tokenizer.")
        .advise("Only a model that was trained on tokens generates text.");
}

} // namespace

Status GenerateOptions::check() const
{
    if (tokens < 1 || tokens > kTokens)
        return makeError(Code::InvalidArgument,
                         str(tokens, " tokens are to be generated, but it must be from 1 to ", kTokens, "."));
    return sample.check();
}

Result<Generator> Generator::create(const formats::Model& model, const pipeline::Catalogue& catalogue,
                                    const execute::Place& place)
{
    MR_TRY(data::Tokenizer tokenizer, tokenizerOf(model));
    if (tokenizer.vocabulary() != model.schema.vocabulary)
        return makeError(Code::InvalidFormat,
                         str("The model takes ", model.schema.vocabulary, " different tokens, but its tokenizer has ",
                             tokenizer.vocabulary(), "."));
    MR_TRY(Decoder decoder, Decoder::create(model, catalogue, place));
    return Generator(std::move(decoder), std::move(tokenizer));
}

Result<Generated> Generator::generate(std::string_view prompt, const GenerateOptions& options,
                                      const std::function<void(std::string_view)>& piece, std::stop_token stop)
{
    MR_CHECK(options.check());
    MR_TRY(std::vector<std::int32_t> text, m_tokenizer.encode(prompt));
    if (text.empty())
        return makeError(Code::InvalidArgument, "The prompt is empty, so there is nothing to go on from.")
            .advise("Give at least one character, such as a new line.");
    Generated done;
    done.promptTokens = static_cast<std::int64_t>(text.size());
    const std::int64_t places = m_decoder.places();
    if (places > 0 && done.promptTokens > places) text.erase(text.begin(), text.end() - places);

    const auto start = std::chrono::steady_clock::now();
    MR_CHECK(m_decoder.reset());
    Status drawn;
    if (const auto logits = m_decoder.read(text, stop)) {
        done.promptSeconds = secondsSince(start);
        drawn = draw(text, *logits, options, piece, stop, done);
        done.seconds = secondsSince(start) - done.promptSeconds;
    } else {
        drawn = logits.error();
    }
    if (drawn) return done;
    if (drawn.error().code != Code::Cancelled) return std::move(drawn).error();
    done.stopped = true;
    return done;
}

Status Generator::draw(std::vector<std::int32_t>& text, std::span<const float> logits, const GenerateOptions& options,
                       const std::function<void(std::string_view)>& piece, std::stop_token stop, Generated& done)
{
    Sampler sampler(options.sample);
    std::string held; // bytes that are not yet a whole character
    const auto give = [&](std::size_t count) {
        if (count > 0) piece(std::string_view(held).substr(0, count));
        held.erase(0, count);
    };
    const auto take = [&](std::int32_t token) -> Status {
        MR_TRY(const std::string bytes, m_tokenizer.decode(std::span(&token, 1)));
        held += bytes;
        give(wholeCharacters(held));
        text.push_back(token);
        ++done.tokens;
        return {};
    };
    // how many tokens follow without asking anybody in between
    const auto together = [&] {
        const std::int64_t most = m_decoder.onGpu() ? kTogetherOnGpu : 1;
        const std::int64_t room = m_decoder.places() > 0 ? m_decoder.places() - m_decoder.length() : most;
        return std::min({room, most, options.tokens - done.tokens});
    };
    for (;;) {
        MR_TRY(const std::int32_t token, sampler.next(logits));
        MR_CHECK(take(token));
        while (options.sample.temperature == 0 && together() > 0) {
            if (stop.stop_requested()) return makeError(Code::Cancelled, "Writing the text was stopped.");
            MR_TRY(const auto likeliest, m_decoder.follow(text.back(), together()));
            for (const std::int32_t next : likeliest) MR_CHECK(take(next));
        }
        if (done.tokens == options.tokens) break;
        if (m_decoder.places() > 0 && m_decoder.length() == m_decoder.places()) {
            const std::int64_t half = std::max<std::int64_t>(1, m_decoder.places() / 2);
            text.erase(text.begin(), text.end() - half);
            MR_CHECK(m_decoder.reset());
            MR_TRY(logits, m_decoder.read(text, stop));
        } else {
            MR_TRY(logits, m_decoder.read(std::span(text).last(1), stop));
        }
    }
    give(held.size());
    return {};
}

} // namespace millrace::generate
