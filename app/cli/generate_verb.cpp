// millrace generate: text from a trained language model, as it comes.
#include "app/cli/ask_runner.h"
#include "app/cli/verb.h"
#include "kernels/base/files.h"
#include "kernels/base/text.h"
#include "kernels/base/units.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <unistd.h>

namespace millrace::cli {

namespace {

struct Options
{
    std::string model;
    std::string prompt = "\n";
    std::string device = "cpu";
    std::int64_t tokens = 200, topK = 0;
    double temperature = 0.8, topP = 1;
    std::uint64_t seed = 0;
    bool json = false;
};

/// The folder or file of a model: a path, or a registered name.
Result<std::string> locate(const std::string& model)
{
    if (exists(model)) return absolutePath(model);
    if (model.find('/') != std::string::npos)
        return makeError(Code::NotFound, str("There is no model at ", printable(model), "."))
            .advise("Give the folder of a model or its .safetensors file, or the name of a registered one.");
    MR_TRY(const Record record, Record::open());
    MR_TRY(const storage::ModelVersion version, record.database->resolveModel(model));
    return version.path;
}

/// What a model writes is as untrusted as what it was trained on: a terminal gets no control characters of it.
void show(const std::string& text)
{
    static const bool terminal = ::isatty(STDOUT_FILENO) != 0;
    if (!terminal) {
        std::fwrite(text.data(), 1, text.size(), stdout);
    } else {
        for (std::size_t at = 0; at < text.size();) {
            const std::size_t end = std::min(text.find_first_of("\n\t", at), text.size());
            std::fputs(printable(std::string_view(text).substr(at, end - at)).c_str(), stdout);
            if (end < text.size()) std::fputc(text[end], stdout);
            at = end + 1;
        }
    }
    std::fflush(stdout);
}

Result<int> execute(const Options& options)
{
    MR_TRY(const std::string path, locate(options.model));
    std::string text;
    const auto piece = [&](const nlohmann::json& part) {
        const auto more = part.value("text", "");
        if (options.json)
            text += more;
        else
            show(more);
    };
    MR_TRY(const auto answer, askRunner({{"generate",
                                          {{"model", path},
                                           {"device", options.device},
                                           {"prompt", options.prompt},
                                           {"tokens", options.tokens},
                                           {"temperature", options.temperature},
                                           {"top_k", options.topK},
                                           {"top_p", options.topP},
                                           {"seed", options.seed}}}},
                                        piece));
    const auto& done = answer.at("generated");
    const double tokens = done.at("tokens"), seconds = done.at("seconds");
    const double rate = seconds > 0 ? tokens / seconds : 0;
    if (options.json) {
        printJson({{"model", path},
                   {"prompt", options.prompt},
                   {"text", text},
                   {"prompt_tokens", done.at("prompt_tokens")},
                   {"prompt_seconds", done.at("prompt_seconds")},
                   {"tokens", done.at("tokens")},
                   {"seconds", seconds},
                   {"tokens_per_second", rate}});
        return Done;
    }
    if (::isatty(STDOUT_FILENO)) std::fputc('\n', stdout);
    std::fprintf(stderr, "%s tokens in %s · %s tokens/s\n", formatCount(done.at("tokens")).c_str(),
                 formatDuration(seconds).c_str(), formatShort(rate).c_str());
    return Done;
}

} // namespace

void addGenerate(CLI::App& command, Outcome& outcome)
{
    const auto options = std::make_shared<Options>(); // lives as long as the command's parser
    CLI::App* verb = command.add_subcommand("generate", "Text from a trained language model");
    verb->add_option("model", options->model,
                     "A registered model (name, name@alias or name:version), a model's folder or its file")
        ->required();
    verb->add_option("--prompt", options->prompt, "The text to go on from (default: a new line)");
    verb->add_option("--device", options->device, "cpu (default), cuda, or cuda: and the index or UUID of a GPU");
    verb->add_option("--tokens", options->tokens, "How many tokens are generated (default: 200)")
        ->check(CLI::Range(std::int64_t{1}, std::int64_t{1'000'000}));
    verb->add_option("--temperature", options->temperature,
                     "Above 1: more surprising, below: less; 0: always the likeliest token (default: 0.8)")
        ->check(CLI::Range(0.0, 100.0));
    verb->add_option("--top-k", options->topK, "Only the likeliest so many tokens; 0: all (default)")
        ->check(CLI::Range(std::int64_t{0}, std::int64_t{1} << 40));
    verb->add_option("--top-p", options->topP,
                     "Only the likeliest tokens that together have this probability (default: 1)")
        ->check(CLI::Range(0.0, 1.0));
    verb->add_option("--seed", options->seed, "The same seed gives the same text (default: 0)");
    verb->add_flag("--json", options->json, "One JSON document on standard output, when all is there");
    verb->callback([options, &outcome] {
        const auto status = execute(*options);
        outcome.status = status ? *status : report(status.error(), options->json);
    });
}

} // namespace millrace::cli
