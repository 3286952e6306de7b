#include "engine/train/supervised_rows.h"

#include "kernels/base/text.h"

#include <algorithm>
#include <cmath>

namespace millrace::train {

using compile::Loss;
using pipeline::TargetKind;

Result<Loss> lossFor(const std::string& name, TargetKind target)
{
    const bool classes = target == TargetKind::Classes;
    if (name == "auto") return classes ? Loss::CrossEntropy : Loss::MeanSquaredError;
    if (name == "mse") return Loss::MeanSquaredError;
    if (name == "mae") return Loss::MeanAbsoluteError;
    if (name == "huber") return Loss::Huber;
    if (!classes)
        return makeError(Code::InvalidArgument,
                         str("The loss ", printable(name), " is for classes, but the target is a number."))
            .advise("Choose mse, mae or huber.");
    if (name == "cross_entropy") return Loss::CrossEntropy;
    if (name == "binary_cross_entropy") return Loss::BinaryCrossEntropy;
    return makeError(Code::NotFound, str("There is no loss \"", printable(name), "\"."))
        .advise(didYouMean(name, {"auto", "cross_entropy", "binary_cross_entropy", "mse", "mae", "huber"}));
}

Result<TargetScale> fitTargetScale(const data::Dataset& dataset, std::stop_token stop)
{
    if (dataset.schema.target != TargetKind::Number) return TargetScale{};
    const auto rows = static_cast<double>(dataset.rows());
    double mean = 0, variance = 0;
    MR_CHECK(data::forEachBlock(dataset, stop, [&](const data::Batch& block) -> Status {
        for (const float value : block.targets) mean += static_cast<double>(value) / rows;
        return {};
    }));
    MR_CHECK(data::forEachBlock(dataset, stop, [&](const data::Batch& block) -> Status {
        for (const float value : block.targets)
            variance += (static_cast<double>(value) - mean) * (static_cast<double>(value) - mean) / rows;
        return {};
    }));
    const double deviation = std::sqrt(variance);
    return TargetScale{mean, deviation > 0 ? deviation : 1};
}

Result<std::vector<float>> balancedWeights(const data::Dataset& dataset, std::stop_token stop)
{
    std::vector<double> counts(dataset.schema.classes.size());
    MR_CHECK(data::forEachBlock(dataset, stop, [&](const data::Batch& block) -> Status {
        for (const std::int32_t label : block.labels) counts[static_cast<std::size_t>(label)] += 1;
        return {};
    }));
    const double share = static_cast<double>(dataset.rows()) / static_cast<double>(counts.size());
    std::vector<float> weights;
    for (const double count : counts) weights.push_back(count > 0 ? static_cast<float>(share / count) : 0.0F);
    return weights;
}

Result<std::unique_ptr<SupervisedRows>> SupervisedRows::create(std::shared_ptr<const data::Dataset> rows,
                                                               SupervisedRowsOptions options)
{
    std::unique_ptr<SupervisedRows> self(new SupervisedRows(rows->schema, std::move(options)));
    MR_TRY(self->m_loader, data::Loader::create(std::move(rows), self->m_options.loader));
    return self;
}

std::int64_t SupervisedRows::stepsPerEpoch() const
{
    const std::int64_t batches = m_loader->stepsPerEpoch();
    if (m_options.fullBatch) return std::min<std::int64_t>(batches, 1);
    return (batches + m_options.accumulation - 1) / m_options.accumulation;
}

std::vector<std::int64_t> SupervisedRows::batchSizes() const
{
    std::vector<std::int64_t> sizes;
    const std::int64_t batches = m_loader->stepsPerEpoch();
    if (batches == 0) return sizes;
    for (const std::int64_t step : {std::int64_t{0}, batches - 1})
        if (const std::int64_t rows = m_loader->rowsOfStep(step); sizes.empty() || sizes[0] != rows)
            sizes.push_back(rows);
    return sizes;
}

Status SupervisedRows::start(std::int64_t epoch, std::int64_t firstStep, std::stop_token stop)
{
    m_epoch = epoch;
    // a step that takes one batch is short: a stop waits for its end, where a checkpoint can be saved
    m_stop = m_options.fullBatch ? std::move(stop) : std::stop_token();
    return m_options.fullBatch ? Status() : m_loader->start(epoch, firstStep * m_options.accumulation);
}

Status SupervisedRows::begin()
{
    m_taken = 0;
    return m_options.fullBatch ? m_loader->start(m_epoch, 0) : Status();
}

Result<const MicroBatch*> SupervisedRows::next()
{
    if (!m_options.fullBatch && m_taken == m_options.accumulation) return nullptr;
    MR_TRY(const data::Batch* batch, m_loader->next(m_stop));
    if (!batch) return nullptr;
    m_taken += 1;
    m_batch.rows = batch->rows;
    m_batch.features = batch->features;
    m_batch.labels = {};
    m_batch.targets = {};
    m_batch.weight = static_cast<double>(batch->rows);
    if (m_options.loss == Loss::CrossEntropy)
        m_batch.labels = batch->labels;
    else
        fillTargets(*batch);
    if (!m_options.classWeights.empty()) {
        m_batch.weight = 0;
        for (const std::int32_t label : batch->labels)
            m_batch.weight += static_cast<double>(m_options.classWeights[static_cast<std::size_t>(label)]);
    }
    return &m_batch;
}

void SupervisedRows::fillTargets(const data::Batch& batch)
{
    const auto rows = static_cast<std::size_t>(batch.rows);
    if (m_schema.target == TargetKind::Number) {
        m_targets.resize(rows);
        for (std::size_t i = 0; i < rows; ++i)
            m_targets[i] = static_cast<float>((static_cast<double>(batch.targets[i]) - m_options.scale.offset) /
                                              m_options.scale.factor);
    } else {
        const std::size_t classes = m_schema.classes.size();
        m_targets.assign(rows * classes, 0.0F);
        for (std::size_t i = 0; i < rows; ++i)
            m_targets[i * classes + static_cast<std::size_t>(batch.labels[i])] = 1.0F;
    }
    m_batch.targets = m_targets;
}

} // namespace millrace::train
