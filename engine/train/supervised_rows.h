// Rows of a data set as the ports of a training program take them, step by step.
#pragma once

#include "engine/compile/program.h"
#include "engine/data/loader.h"
#include "engine/train/evaluator.h"
#include "engine/train/step_rows.h"

#include <vector>

namespace millrace::train {

/// The loss of the parameter `loss` for such a target ("auto": by the target). Errors: InvalidArgument at the
/// parameter for one that does not fit it.
Result<compile::Loss> lossFor(const std::string& name, pipeline::TargetKind target);

/// Mean and deviation of a number to predict, over all rows; 0 and 1 for other targets. Errors: those of reading.
Result<TargetScale> fitTargetScale(const data::Dataset& rows, std::stop_token stop);

/// A weight for each class by which all classes count alike: rows / (classes · rows of the class), 0 for a class
/// without rows.  Source: King, Zeng 2001, Logistic Regression in Rare Events Data; as scikit-learn's "balanced".
Result<std::vector<float>> balancedWeights(const data::Dataset& rows, std::stop_token stop);

struct SupervisedRowsOptions
{
    data::LoaderOptions loader; ///< its batch size is the micro-batch
    std::int64_t accumulation = 1;
    bool fullBatch = false; ///< a step is an epoch, which may be gone through several times
    compile::Loss loss = compile::Loss::CrossEntropy;
    std::vector<float> classWeights; ///< empty: rows count alike
    TargetScale scale;
};

class SupervisedRows : public StepRows
{
public:
    static Result<std::unique_ptr<SupervisedRows>> create(std::shared_ptr<const data::Dataset> rows,
                                                          SupervisedRowsOptions options);
    std::int64_t stepsPerEpoch() const;
    /// Sizes of the micro-batches that there are.
    std::vector<std::int64_t> batchSizes() const;
    Status start(std::int64_t epoch, std::int64_t firstStep, std::stop_token stop);
    Status begin() override;
    Result<const MicroBatch*> next() override;

private:
    SupervisedRows(const pipeline::RowsSchema& schema, SupervisedRowsOptions options)
        : m_schema(schema), m_options(std::move(options))
    {
    }
    void fillTargets(const data::Batch& batch);

    pipeline::RowsSchema m_schema;
    SupervisedRowsOptions m_options;
    std::unique_ptr<data::Loader> m_loader;
    std::int64_t m_epoch = 0, m_taken = 0; ///< micro-batches of the present step so far
    std::stop_token m_stop;
    MicroBatch m_batch;
    std::vector<float> m_targets;
};

} // namespace millrace::train
