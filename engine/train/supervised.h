// Supervised training: epochs over shuffled rows, validation after each, checkpoints that resume to the same bits.
#pragma once

#include "engine/data/dataset.h"
#include "engine/formats/checkpoint_store.h"
#include "engine/formats/model_file.h"
#include "engine/pipeline/catalogue.h"
#include "engine/train/observer.h"
#include "engine/train/settings.h"

#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>

namespace millrace::train {

struct SupervisedSettings
{
    StepSettings step;
    Schedule schedule; ///< its warmup, totalSteps and length are set from the epochs below
    std::int64_t epochs = 15;
    std::int64_t batchSize = 32;
    double warmupEpochs = 0;
    std::int64_t stepEpochs = 10;   ///< epochs that the schedule's factor counts for
    std::int64_t earlyStopping = 0; ///< epochs without a better validation loss before it stops; 0: never
    std::string loss = "auto";      ///< or cross_entropy, binary_cross_entropy, mse, mae, huber
    bool balancedClasses = false;   ///< rows of rare classes count more, so that every class counts alike
};

/// Reads the parameters of a `train.supervised` node, defaults filled in. Errors: InvalidArgument at node and
/// parameter.
Result<SupervisedSettings> supervisedSettings(const pipeline::Node& node, const pipeline::NodeSpec& spec, int threads);

struct SupervisedInput
{
    std::shared_ptr<const data::Dataset> train;      // shared with the loader
    std::shared_ptr<const data::Dataset> validation; // null: none
    pipeline::Document layers;
    const pipeline::Catalogue& catalogue;
};

/// Trains and returns the model: with early stopping, the weights of the best epoch, else those of the last; with
/// averaging, their moving average, which is also what is validated.
/// Continues from the store's newest valid checkpoint, if there is one, to the same bits as an undisturbed run.
/// Metrics   train.batch_loss by step; train.loss, train.accuracy, train.learning_rate, validation.loss,
///           validation.accuracy by epoch, from 1 (no accuracy where the target is a number or the loss counts none)
/// Rows      in an order drawn anew for each epoch from (seed, epoch); a last batch of a single row is left out
///           (batch statistics of one row are undefined), any other smaller batch is trained on.
/// Steps     of one batch; with gradient accumulation the batch is computed in parts, whose gradients add up to the
///           batch's own (but for batch norm, which sees parts); of an epoch, for optimisers with a line search.
/// Errors    Cancelled after a stop was asked for (a checkpoint is saved first); Diverged naming the layer.
Result<formats::Model> trainSupervised(const SupervisedSettings& settings, const SupervisedInput& input,
                                       Observer& observer, formats::CheckpointStore& checkpoints, std::stop_token stop);

} // namespace millrace::train
