#include "engine/data/loader.h"

#include "engine/data/augmented_loader.h"
#include "engine/data/stored_loader.h"
#include "kernels/base/random.h"
#include "kernels/base/text.h"

#include <algorithm>
#include <cstring>

namespace millrace::data {

namespace {

/// Rows in memory: shuffled exactly, copied together batch by batch; in their own order not even copied.
class MemoryLoader : public Loader
{
public:
    MemoryLoader(std::shared_ptr<const Dataset> dataset, const LoaderOptions& options)
        : Loader(dataset->rows(), options), m_dataset(std::move(dataset)),
          m_width(static_cast<std::size_t>(m_dataset->schema.features.elements()))
    {
    }

    Status start(std::int64_t epoch, std::int64_t firstStep) override
    {
        m_step = firstStep;
        if (!m_options.shuffle) return {};
        m_order.resize(static_cast<std::size_t>(rows()));
        permutation(m_options.seed, streamOf(str("order/", epoch)), m_order);
        return {};
    }

    Result<const Batch*> next(std::stop_token stop) override
    {
        if (stop.stop_requested()) return makeError(Code::Cancelled, "Reading rows was cancelled.");
        if (m_step >= stepsPerEpoch()) return nullptr;
        const auto first = static_cast<std::size_t>(m_step * m_options.batchSize);
        const auto count = static_cast<std::size_t>(rowsOfStep(m_step));
        m_step += 1;
        if (m_options.shuffle)
            gather(std::span(m_order).subspan(first, count));
        else
            view(first, count);
        m_batch.rows = static_cast<std::int64_t>(count);
        return &m_batch;
    }

private:
    void view(std::size_t first, std::size_t count)
    {
        m_batch.features = std::span(m_dataset->features).subspan(first * m_width, count * m_width);
        if (!m_dataset->labels.empty()) m_batch.labels = std::span(m_dataset->labels).subspan(first, count);
        if (!m_dataset->targets.empty()) m_batch.targets = std::span(m_dataset->targets).subspan(first, count);
    }

    void gather(std::span<const std::uint32_t> rows)
    {
        m_features.resize(rows.size() * m_width);
        for (std::size_t i = 0; i < rows.size(); ++i)
            std::memcpy(m_features.data() + i * m_width, m_dataset->features.data() + rows[i] * m_width,
                        m_width * sizeof(float));
        m_batch.features = m_features;
        m_batch.labels = gathered(m_dataset->labels, rows, m_labels);
        m_batch.targets = gathered(m_dataset->targets, rows, m_targets);
    }

    template <typename T>
    static std::span<const T> gathered(const std::vector<T>& from, std::span<const std::uint32_t> rows,
                                       std::vector<T>& into)
    {
        into.clear();
        if (!from.empty())
            for (const std::uint32_t row : rows) into.push_back(from[row]);
        return into;
    }

    std::shared_ptr<const Dataset> m_dataset; // shared with whoever else uses the rows
    std::size_t m_width;
    std::vector<std::uint32_t> m_order;
    std::int64_t m_step = 0;
    std::vector<float> m_features, m_targets;
    std::vector<std::int32_t> m_labels;
    Batch m_batch;
};

} // namespace

Loader::Loader(std::int64_t rows, const LoaderOptions& options) : m_options(options), m_rows(rows)
{
    const std::int64_t rest = rows % options.batchSize;
    m_steps = rows / options.batchSize + (rest > (options.dropSingle ? 1 : 0) ? 1 : 0);
}

std::int64_t Loader::rowsOfStep(std::int64_t step) const
{
    return std::min(m_options.batchSize, m_rows - step * m_options.batchSize);
}

Result<std::unique_ptr<Loader>> Loader::create(std::shared_ptr<const Dataset> dataset, const LoaderOptions& options)
{
    if (options.batchSize < 1)
        return makeError(Code::InvalidArgument,
                         str("The batch size is ", options.batchSize, "; at least 1 is needed."));
    if (dataset->rows() < 1) return makeError(Code::InvalidArgument, "There are no rows to read.");
    std::optional<Augmenter> augmenter;
    if (options.augment) {
        MR_TRY(augmenter, Augmenter::create(*dataset));
    }
    std::unique_ptr<Loader> loader;
    if (dataset->stored)
        loader = createStoredLoader(std::move(dataset), options);
    else
        loader = std::make_unique<MemoryLoader>(std::move(dataset), options);
    if (augmenter) loader = std::make_unique<AugmentedLoader>(std::move(loader), std::move(*augmenter), options);
    return loader;
}

} // namespace millrace::data
