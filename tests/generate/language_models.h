// Small language models for tests: with the weights they start with, or with such that their answers are known.
#pragma once

#include "engine/execute/executor.h"
#include "engine/formats/model_file.h"
#include "engine/pipeline/catalogue.h"

#include <string>
#include <vector>

namespace millrace::tests {

const pipeline::Catalogue& catalogue();

/// A model node with these parameters for a text of so many different tokens, with the weights it starts with.
formats::Model languageModel(const std::string& type, const std::string& params, std::int64_t vocabulary,
                             std::int64_t context);
/// The same from its layers (JSON).
formats::Model modelOfLayers(const std::string& layers, std::int64_t vocabulary, std::int64_t context);
/// A model of bytes that gives each byte of the text the one that follows it there; the last is followed by the first.
formats::Model reciter(const std::string& text);
/// The logits after each token, (tokens, vocabulary), computed from the whole text at once.
std::vector<float> wholeLogits(const formats::Model& model, const std::vector<std::int32_t>& tokens);

} // namespace millrace::tests
