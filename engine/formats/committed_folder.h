// Folders that are either wholly there or not at all, whatever is killed or unplugged: checkpoints and stage caches.
//
//   absent ──write files──► NAME.tmp-… ──manifest.json, fsync──► complete ──rename, fsync parent──► committed
//   committed ──rename──► .trash-… ──remove──► absent
//
// A folder under its own name is committed; the manifest holds length and SHA-256 of every file and its own, so that
// damage of any byte is found. What a kill leaves behind under other names is never read and blocks nothing.
#pragma once

#include "kernels/base/result.h"

#include <cstdint>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace millrace::formats {

/// File names and what to write into them; the bytes stay the caller's.
using FilesToWrite = std::map<std::string, std::string_view>;

struct CommittedFolder
{
    std::string path;
    std::string manifestSha256;
    std::uint64_t sizeBytes = 0; ///< of the files
    nlohmann::json meta;
    std::map<std::string, std::string> files; ///< contents by name; empty after `commit`
};

enum class IfCommitted
{
    Keep,    ///< an intact folder of that name stays, and is the answer
    Replace, ///< it is replaced
};

/// Called before each step of a commit with the step's name; an error it returns is treated as that step's failure.
/// For tests of kills and full disks.
using BeforeStep = std::function<Status(std::string_view step)>;

/// Commits parent/name. A damaged folder of that name is always replaced. On failure what is under `name`
/// is whole, the old or (where only the last fsync failed) the new, and no temporary folder is left. Errors: DiskFull,
/// Io, Permission.
Result<CommittedFolder> commitFolder(const std::string& parent, const std::string& name, const FilesToWrite& files,
                                     const nlohmann::json& meta, IfCommitted ifCommitted,
                                     const BeforeStep& beforeStep = {});

/// Reads the folder and checks every byte. Errors: NotFound, Corrupt naming the file and what is wrong, NewerFormat.
Result<CommittedFolder> loadFolder(const std::string& path);

/// Removes the folder: first its name, then its content. Succeeds if it is not there.
Status discardFolder(const std::string& path);

/// Removes what kills left in the parent (NAME.tmp-…, .trash-…) and nobody has touched for so many seconds.
void removeLeftovers(const std::string& parent, std::int64_t olderThanSeconds);

} // namespace millrace::formats
