// The checkpoints of one training stage. It does not know what is in them.
#pragma once

#include "engine/formats/committed_folder.h"

#include <optional>
#include <vector>

namespace millrace::formats {

struct Checkpoint
{
    std::int64_t step = 0;
    CommittedFolder folder;         ///< files, meta, path, manifestSha256
    std::vector<std::string> notes; ///< newer checkpoints that were damaged and why
};

/// One writer at a time (the runner holds its run's lock).
class CheckpointStore
{
public:
    /// Creates the folder if needed and clears what a kill left. The newest `keep` (at least 2) are kept.
    static Result<CheckpointStore> open(std::string folder, int keep = 2);

    /// Commits step-N, then discards what is older than the `keep` newest. An error leaves the older ones as they were.
    Result<Checkpoint> save(std::int64_t step, const FilesToWrite& files, const nlohmann::json& meta,
                            const BeforeStep& beforeStep = {});

    /// The newest checkpoint that verifies; nothing where there is none. `notes` names the damaged ones passed over.
    /// Errors: Corrupt only if there are checkpoints and none verifies.
    Result<std::optional<Checkpoint>> loadNewest() const;

    /// Steps of the committed checkpoints, newest first, unverified.
    Result<std::vector<std::int64_t>> steps() const;

private:
    CheckpointStore(std::string folder, int keep) : m_folder(std::move(folder)), m_keep(keep) {}

    std::string m_folder;
    int m_keep;
};

} // namespace millrace::formats
