// When the tracking database is damaged: what there is to go back to, and the going back.
#pragma once

#include "kernels/base/result.h"

#include <string>
#include <vector>

namespace millrace::storage {

/// Backups of the database at `databasePath`, newest first.
std::vector<std::string> backupsOf(const std::string& databasePath);

/// Puts the database aside as millrace.db.damaged-<time>, with its -wal, and `backup` (or nothing, where empty) in
/// its place. Followers then read from the runs' journals what the backup lacks. Returns where the old file lies.
/// Errors: Busy while another process has the write lock; Corrupt where the backup itself is damaged; Io, DiskFull.
Result<std::string> putAside(const std::string& databasePath, const std::string& backup = {});

} // namespace millrace::storage
