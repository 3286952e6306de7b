// What a trainer tells while it works, without knowing who listens.
#pragma once

#include "engine/protocol/progress.h"
#include "kernels/base/log.h"
#include "kernels/base/result.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace millrace::train {

/// A checkpoint that was committed.
struct CheckpointNote
{
    std::int64_t step = 0, epoch = 0;
    std::string path;   ///< of its folder
    std::string sha256; ///< of its manifest
    std::uint64_t sizeBytes = 0;
};

class Observer
{
public:
    virtual ~Observer() = default;
    virtual void metric(std::string_view name, std::int64_t step, double value) = 0;
    /// How far it is; called at every step, thinned out by the observer.
    virtual void advanced(const protocol::Progress& progress) = 0;
    virtual void note(LogLevel level, std::string_view text) = 0;
    virtual void checkpointSaved(const CheckpointNote& checkpoint) = 0;
    /// Everything said so far is recorded when this returns, with `durable` also through a power cut. Called before a
    /// checkpoint is committed, so that no metric from before a checkpoint can be missing after a resume from it.
    virtual Status flush(bool durable) = 0;
};

} // namespace millrace::train
