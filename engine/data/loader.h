// Feeds rows to a model in batches: in an order that is a pure function of (seed, epoch), so that any step can be
// returned to, and read ahead by a worker thread where reading takes time.
#pragma once

#include "engine/data/dataset.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>

namespace millrace::data {

struct LoaderOptions
{
    std::int64_t batchSize = 32;
    std::uint64_t seed = 0;
    bool shuffle = true;                  ///< false: the rows' own order in every epoch
    bool dropSingle = false;              ///< a last batch of a single row is left out (it has no batch statistics)
    bool augment = false;                 ///< changes images as the rows' `augmentation` says; for training alone
    int threads = 1;                      ///< that read and decode ahead
    std::int64_t memoryBytes = 128 << 20; ///< for rows that are read ahead from disk
    std::function<void(const std::string&)> note = {}; ///< is told when the disk makes training wait; else the log is
};

class Loader
{
public:
    virtual ~Loader() = default;
    /// Shares the rows: they outlive whoever made them. Errors: InvalidArgument (no rows, batch size below 1).
    static Result<std::unique_ptr<Loader>> create(std::shared_ptr<const Dataset> dataset, const LoaderOptions& options);

    std::int64_t rows() const { return m_rows; }
    /// Whole batches and the smaller one that is left, if it counts.
    std::int64_t stepsPerEpoch() const { return m_steps; }
    /// Rows of the batch of that step of an epoch.
    std::int64_t rowsOfStep(std::int64_t step) const;

    /// Goes to a step of an epoch, both from 0. The order is a pure function of (seed, epoch).
    virtual Status start(std::int64_t epoch, std::int64_t firstStep) = 0;
    /// The next batch, whose spans stay valid until the next call; null after the epoch's last. After an error `start`
    /// must be called again. Errors: Cancelled, and those of reading: Io, Corrupt.
    virtual Result<const Batch*> next(std::stop_token stop) = 0;

protected:
    Loader(std::int64_t rows, const LoaderOptions& options);

    LoaderOptions m_options;

private:
    std::int64_t m_rows = 0, m_steps = 0;
};

} // namespace millrace::data
