// A loader whose images are changed anew each time, see augment.h.
#pragma once

#include "engine/data/augment.h"
#include "engine/data/loader.h"

namespace millrace::data {

/// The batches of another loader, changed by the augmenter. The same seed, epoch and step give the same images.
class AugmentedLoader : public Loader
{
public:
    AugmentedLoader(std::unique_ptr<Loader> plain, Augmenter augmenter, const LoaderOptions& options);
    Status start(std::int64_t epoch, std::int64_t firstStep) override;
    Result<const Batch*> next(std::stop_token stop) override;

private:
    std::unique_ptr<Loader> m_plain;
    Augmenter m_augmenter;
    std::int64_t m_epoch = 0, m_step = 0;
    RowsBuffer m_rows;
    Batch m_batch;
};

} // namespace millrace::data
