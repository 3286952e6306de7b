// A text as token ids, with the tokenizer that made them: what flows through a tokens port.
#pragma once

#include "engine/pipeline/schema.h"

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace millrace::data {

/// A language model is trained on windows of `ids`; which length they have is decided by whoever trains it.
struct TokenSet
{
    pipeline::RowsSchema schema;    ///< features {1}: a token a row; rows: how many; vocabulary; target NextToken
    nlohmann::json tokenizer;       ///< Tokenizer::toJson: travels with the model as its first preprocessing step
    std::vector<std::int32_t> ids;  ///< the whole text, in order; each in [0, schema.vocabulary)
    std::vector<std::string> notes; ///< what a user should know: "3 bytes are not UTF-8 …"
};

} // namespace millrace::data
