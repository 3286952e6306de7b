// A training whose losses PyTorch has computed, as training.py writes it, and the formulas that fill its weights and
// batches (networks.py has the same).
#pragma once

#include "engine/execute/executor.h"
#include "engine/train/step_rows.h"
#include "engine/train/training_program.h"

#include <optional>
#include <string>
#include <vector>

namespace millrace::oracle {

struct TrainingCase
{
    std::string title;
    pipeline::Node model;
    pipeline::RowsSchema schema;
    float signal = 0; ///< how much a class's pattern stands out from the noise
    compile::Loss loss = compile::Loss::CrossEntropy;
    compile::LossOptions options;
    train::StepSettings settings;
    double learningRate = 0;
    std::int64_t batch = 0, batches = 0; ///< rows of a step; how many different steps there are, 0: each is another

    double rounding = 0; ///< how far PyTorch's losses in f32 and f64 are apart, relatively
    std::vector<double> losses;
    std::optional<double> inference, averaged; ///< loss of the step after the last, in inference, and with the average
};

/// The cases of one file. Errors: InvalidFormat with file and line; those of reading.
Result<std::vector<TrainingCase>> readTrainingCases(const std::string& path);

void fillWeights(execute::Weights& weights);

/// The rows of each step, whole or in micro-batches.
class FormulaRows : public train::StepRows
{
public:
    explicit FormulaRows(const TrainingCase& training);
    /// Draws the rows of that step.
    void draw(std::int64_t step);
    /// All of them, as one micro-batch.
    const train::MicroBatch& whole() const { return m_whole; }

    Status begin() override;
    Result<const train::MicroBatch*> next() override;

private:
    void drawTokens(std::int64_t step);
    void drawNumbers(std::int64_t step);
    void drawTargets(std::int64_t step);
    train::MicroBatch part(std::int64_t first, std::int64_t rows) const;

    const TrainingCase& m_training;
    std::int64_t m_taken = 0;
    std::vector<float> m_patterns, m_features, m_targets;
    std::vector<std::int32_t> m_tokens, m_labels;
    train::MicroBatch m_whole, m_part;
};

} // namespace millrace::oracle
