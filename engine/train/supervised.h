// Supervised training: epochs over shuffled rows, validation after each, checkpoints that resume to the same bits.
#pragma once

#include "engine/data/dataset.h"
#include "engine/execute/executor.h"
#include "engine/formats/checkpoint_store.h"
#include "engine/formats/model_file.h"
#include "engine/pipeline/catalogue.h"
#include "engine/train/observer.h"

#include <cstdint>
#include <map>
#include <stop_token>
#include <string>

namespace millrace::train {

struct SupervisedSettings
{
    std::int64_t epochs = 15;
    std::int64_t batchSize = 32;
    std::string optimizer = "adamw";
    double learningRate = 1e-3;
    double momentum = 0.9; ///< sgd only
    std::string schedule = "constant";
    double warmupEpochs = 0;
    std::int64_t decayEveryEpochs = 10; ///< step schedule only
    double decayFactor = 0.1;           ///< step schedule only
    double weightDecay = 0;
    std::uint64_t seed = 1;
    std::int64_t earlyStopping = 0; ///< epochs without a better validation loss before it stops; 0: never
    double clipNorm = 0;            ///< largest norm of the whole gradient; 0: not clipped
    int threads = 0;
};

/// Reads the parameters of a `train.supervised` node, defaults filled in. Errors: InvalidArgument at node and
/// parameter.
Result<SupervisedSettings> supervisedSettings(const pipeline::Node& node, const pipeline::NodeSpec& spec, int threads);

struct SupervisedInput
{
    const data::Dataset& train;
    const data::Dataset* validation = nullptr;
    pipeline::Document layers;
    const pipeline::Catalogue& catalogue;
};

/// Trains and returns the model. With early stopping, the weights of the best epoch; else those of the last.
/// Continues from the store's newest valid checkpoint, if there is one, to the same bits as an undisturbed run.
/// Metrics   train.batch_loss by step; train.loss, train.accuracy, train.learning_rate, validation.loss,
///           validation.accuracy by epoch, from 1 (no accuracy where the target is a number)
/// Rows      in an order drawn anew for each epoch from (seed, epoch); a last batch of a single row is left out
///           (batch statistics of one row are undefined), any other smaller batch is trained on.
/// Errors    Cancelled after a stop was asked for (a checkpoint is saved first); Diverged naming the layer.
Result<formats::Model> trainSupervised(const SupervisedSettings& settings, const SupervisedInput& input,
                                       Observer& observer, formats::CheckpointStore& checkpoints, std::stop_token stop);

} // namespace millrace::train
