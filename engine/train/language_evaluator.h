// Measures a language model on the part of a text that is held out.
#pragma once

#include "engine/execute/executor.h"
#include "engine/train/token_windows.h"
#include "engine/train/training_program.h"

#include <map>
#include <memory>

namespace millrace::train {

class LanguageEvaluator
{
public:
    /// Windows follow each other through `ids`, which outlives this; `weights` may be shared with a trainer. Makes all
    /// memory that it needs. Errors: those of the model.
    static Result<std::unique_ptr<LanguageEvaluator>> create(const TrainingModel& model,
                                                             std::shared_ptr<execute::Weights> weights,
                                                             std::span<const std::int32_t> ids, std::int64_t batchSize,
                                                             int threads);
    /// Mean over all tokens, nats. Errors: Diverged.
    Result<double> loss();

private:
    LanguageEvaluator(std::span<const std::int32_t> ids, std::int64_t context) : m_batch(ids, context) {}

    WindowBatch m_batch;
    std::int64_t m_context = 0, m_windows = 0, m_batchSize = 0;
    std::map<std::int64_t, std::unique_ptr<execute::Executor>> m_executors; // by batch size: the full one and the rest
};

} // namespace millrace::train
