#include "engine/data/augmented_loader.h"

namespace millrace::data {

AugmentedLoader::AugmentedLoader(std::unique_ptr<Loader> plain, Augmenter augmenter, const LoaderOptions& options)
    : Loader(plain->rows(), options), m_plain(std::move(plain)), m_augmenter(std::move(augmenter))
{
}

Status AugmentedLoader::start(std::int64_t epoch, std::int64_t firstStep)
{
    m_epoch = epoch;
    m_step = firstStep;
    return m_plain->start(epoch, firstStep);
}

Result<const Batch*> AugmentedLoader::next(std::stop_token stop)
{
    MR_TRY(const Batch* plain, m_plain->next(std::move(stop)));
    if (plain == nullptr) return nullptr;
    m_rows.features.assign(plain->features.begin(), plain->features.end());
    m_rows.labels.assign(plain->labels.begin(), plain->labels.end());
    m_rows.targets.assign(plain->targets.begin(), plain->targets.end());
    m_augmenter.augmentBatch(m_options.seed, m_epoch, m_step * m_options.batchSize, m_rows.features, m_rows.labels,
                             m_rows.targets);
    m_step += 1;
    m_batch = m_rows.view(plain->rows);
    return &m_batch;
}

} // namespace millrace::data
