// Saves what a training needs to go on later to the same bits, and brings it back.
#pragma once

#include "engine/formats/checkpoint_store.h"
#include "engine/train/observer.h"

#include <map>
#include <optional>
#include <span>
#include <string>

namespace millrace::train {

/// The tensors and other values of a training, by their names in a checkpoint.
using NamedBytes = std::map<std::string, std::span<std::byte>>;

class Checkpoints
{
public:
    Checkpoints(formats::CheckpointStore& store, Observer& observer);

    /// The newest valid checkpoint; what was damaged is told to the observer.
    Result<std::optional<formats::Checkpoint>> load();
    /// Copies the checkpoint's files into the buffers. Errors: Corrupt for one that is missing or of another size.
    static Status restore(const formats::Checkpoint& checkpoint, const NamedBytes& buffers);
    /// Commits buffers and position, after all metrics so far are recorded.
    Status save(std::int64_t step, std::int64_t epoch, const NamedBytes& buffers, const nlohmann::json& position);
    double secondsSinceLast() const;

private:
    formats::CheckpointStore& m_store;
    Observer& m_observer;
    std::int64_t m_lastUs;
};

constexpr double kCheckpointSeconds = 1.0;        ///< at least, between checkpoints where the training pauses anyway
constexpr double kCheckpointWithinSeconds = 20.0; ///< between checkpoints within a long epoch

} // namespace millrace::train
