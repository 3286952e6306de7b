// Language training: the model learns to predict each token of a text from those before it, on windows of the text
// drawn at random, and is measured on the end of the text.
#pragma once

#include "engine/data/token_set.h"
#include "engine/formats/checkpoint_store.h"
#include "engine/formats/model_file.h"
#include "engine/pipeline/catalogue.h"
#include "engine/train/observer.h"
#include "engine/train/settings.h"

#include <cstdint>
#include <memory>
#include <stop_token>

namespace millrace::train {

struct LanguageSettings
{
    StepSettings step;
    Schedule schedule;                ///< its totalSteps is set from `steps`
    std::int64_t steps = 2000;        ///< of the optimiser
    std::int64_t context = 256;       ///< tokens that the model sees at once
    std::int64_t batchSize = 16;      ///< windows of a step
    double validation = 0.1;          ///< part of the text, at its end, that is only measured on; 0: none
    std::int64_t evaluateEvery = 200; ///< steps between two measurements
};

/// Reads the parameters of a `train.language` node, defaults filled in. Errors: InvalidArgument at node and parameter.
Result<LanguageSettings> languageSettings(const pipeline::Node& node, const pipeline::NodeSpec& spec, int threads);

/// What one window of the tokens is: features {context}, to predict the next token at each place.
pipeline::RowsSchema windowSchema(const data::TokenSet& tokens, std::int64_t context);

struct LanguageInput
{
    std::shared_ptr<const data::TokenSet> tokens; // shared with the stage that read them
    pipeline::Document layers;                    ///< expanded for windowSchema
    const pipeline::Catalogue& catalogue;
};

/// Trains and returns the model (with averaging, the moving average of its weights), whose preprocessing is the
/// tokenizer. Continues from the store's newest valid checkpoint to the same bits as an undisturbed run.
/// Windows   of context + 1 tokens, whose starts are a pure function of (seed, step); those of the validation follow
///           each other through the whole part held out.
/// Metrics   train.batch_loss by step; at each measurement, by step: train.loss (mean since the last one),
///           train.learning_rate, validation.loss (nats a token), validation.perplexity (its exponential)
/// Errors    InvalidArgument where the text is too short; Cancelled, Diverged as trainSupervised.
Result<formats::Model> trainLanguage(const LanguageSettings& settings, const LanguageInput& input, Observer& observer,
                                     formats::CheckpointStore& checkpoints, std::stop_token stop);

} // namespace millrace::train
