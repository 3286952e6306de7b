#include "engine/train/language_evaluator.h"

#include <algorithm>
#include <cmath>

namespace millrace::train {

Result<std::unique_ptr<LanguageEvaluator>> LanguageEvaluator::create(const TrainingModel& model,
                                                                     std::shared_ptr<execute::Weights> weights,
                                                                     std::span<const std::int32_t> ids,
                                                                     std::int64_t batchSize, int threads)
{
    const std::int64_t context = model.schema.features[0];
    std::unique_ptr<LanguageEvaluator> self(new LanguageEvaluator(ids, context));
    self->m_context = context;
    self->m_windows = (static_cast<std::int64_t>(ids.size()) - 1) / context;
    self->m_batchSize = std::min(batchSize, self->m_windows);
    for (const std::int64_t rows : {self->m_batchSize, self->m_windows % self->m_batchSize}) {
        if (rows == 0) continue;
        MR_TRY(graph::Graph graph, pipeline::buildModel(model.layers, model.catalogue, model.schema, rows));
        MR_TRY(graph, compile::withLoss(std::move(graph), model.loss));
        graph.ports().erase("output"); // the loss is all that is read
        MR_TRY(compile::Program program,
               execute::planFor(std::move(graph), compile::Mode::Inference, weights->place()));
        MR_TRY(self->m_executors[rows], execute::Executor::create(std::move(program), weights, threads));
    }
    return self;
}

Result<double> LanguageEvaluator::loss()
{
    double sum = 0;
    for (std::int64_t first = 0; first < m_windows; first += m_batchSize) {
        const std::int64_t rows = std::min(m_batchSize, m_windows - first);
        m_batch.clear();
        for (std::int64_t row = 0; row < rows; ++row) m_batch.add((first + row) * m_context);
        const MicroBatch batch = m_batch.view();
        execute::Executor& executor = *m_executors.at(rows);
        MR_TRY(const auto tokens, executor.integers("features"));
        MR_TRY(const auto labels, executor.integers("labels"));
        std::copy(batch.tokens.begin(), batch.tokens.end(), tokens.begin());
        std::copy(batch.labels.begin(), batch.labels.end(), labels.begin());
        MR_CHECK(executor.run(0, 0));
        MR_TRY(const auto loss, executor.floats("loss"));
        sum += static_cast<double>(loss[0]) * static_cast<double>(rows);
    }
    const double mean = sum / static_cast<double>(m_windows);
    if (!std::isfinite(mean))
        return makeError(Code::Diverged, "The validation loss is not a finite number.")
            .advise("Lower the learning rate, or clip the gradient.");
    return mean;
}

} // namespace millrace::train
