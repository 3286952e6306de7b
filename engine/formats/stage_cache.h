// Results of stages under their cache keys: cache/<key>/. Shared by all runs of a machine.
#pragma once

#include "engine/formats/committed_folder.h"

#include <optional>

namespace millrace::formats {

class StageCache
{
public:
    /// Creates the folder if needed and clears what kills left more than a day ago.
    static Result<StageCache> open(std::string folder);

    /// The entry, every byte checked; nothing where there is none. A damaged entry is discarded and counts as none.
    Result<std::optional<CommittedFolder>> load(const std::string& key) const;
    /// Commits the entry; one that is there already (another run was quicker) stays.
    Result<CommittedFolder> store(const std::string& key, const FilesToWrite& files, const nlohmann::json& meta) const;
    /// Discards the entries used longest ago until at most so many bytes are left.
    Status trim(std::uint64_t limitBytes) const;

private:
    explicit StageCache(std::string folder) : m_folder(std::move(folder)) {}

    std::string m_folder;
};

} // namespace millrace::formats
