// Runs a model over rows without training it, and counts what it gets right.
#pragma once

#include "engine/compile/program.h"
#include "engine/data/dataset.h"
#include "engine/execute/executor.h"
#include "engine/formats/model_file.h"
#include "engine/pipeline/catalogue.h"

#include <cstdint>
#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

namespace millrace::train {

/// How a model's number relates to the target's unit: target = offset + factor × output. Fitted on the training rows,
/// so that a network learns numbers of size one whatever the unit.
struct TargetScale
{
    double offset = 0, factor = 1;
};

struct Evaluation
{
    std::int64_t rows = 0;
    double loss = 0; ///< mean over rows: cross-entropy in nats, or an error in units of the scaled target
    // classes
    double accuracy = 0;
    std::vector<std::vector<std::int64_t>> confusion; ///< [true][predicted]
    // numbers, in the target's unit
    double rmse = 0, mae = 0, r2 = 0;
};

class Evaluator
{
public:
    /// `weights` may be shared with a trainer: each call sees their present values. `loss` is what is measured.
    static Result<Evaluator> create(const pipeline::Document& layers, const pipeline::Catalogue& catalogue,
                                    const pipeline::RowsSchema& schema, std::shared_ptr<execute::Weights> weights,
                                    TargetScale scale, compile::Loss loss, int threads);
    /// With weights of its own, from a model file; measures cross-entropy or the mean squared error.
    static Result<Evaluator> create(const formats::Model& model, const pipeline::Catalogue& catalogue,
                                    const execute::Place& place);

    /// The rows' features must be preprocessed as the model was trained. Errors: InvalidArgument for another schema,
    /// Diverged, those of reading.
    Result<Evaluation> run(const data::Dataset& dataset, std::stop_token stop = {});
    /// The model's outputs for preprocessed rows: rows × outputs, logits or numbers in the target's unit.
    Result<std::vector<float>> outputs(std::span<const float> features, std::int64_t rows);

private:
    Evaluator() = default;
    Result<execute::Executor*> executorFor(std::int64_t batch);
    Status checkRows(const data::Dataset& dataset) const;

    pipeline::Document m_layers;
    const pipeline::Catalogue* m_catalogue = nullptr;
    pipeline::RowsSchema m_schema;
    std::shared_ptr<execute::Weights> m_weights;
    TargetScale m_scale;
    compile::Loss m_loss = compile::Loss::CrossEntropy;
    int m_threads = 0;
    std::map<std::int64_t, std::unique_ptr<execute::Executor>> m_executors; // by batch size: the full one and the rest
};

/// The metrics of an evaluation by name: prefix.loss, prefix.accuracy, prefix.precision, .recall, .f1 (means over the
/// classes that occur), or prefix.rmse, .mae, .r2.
std::map<std::string, double> metricsOf(const Evaluation& evaluation, pipeline::TargetKind kind,
                                        const std::string& prefix);

struct ClassFigures
{
    double precision = 0, recall = 0, f1 = 0;
    std::int64_t rows = 0;
};
std::vector<ClassFigures> classFigures(const Evaluation& evaluation);

/// Rows preprocessed further until they are as the model was trained on: rows may have been through none, some or all
/// of the model's preprocessing. Errors: InvalidArgument where theirs is not a beginning of the model's.
Result<std::shared_ptr<const data::Dataset>> asTrained(std::shared_ptr<const data::Dataset> rows,
                                                       const formats::Model& model);

} // namespace millrace::train
