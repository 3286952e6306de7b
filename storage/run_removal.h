// Removing a run for good: its rows and its folder.
#pragma once

#include "engine/protocol/home.h"
#include "storage/tracking_database.h"

#include <string>

namespace millrace::storage {

/// Renames the folder to runs/.trash-<id>, removes the rows, then the folder: killed in between, nothing half of it
/// is ever shown, and the next call of `emptyTrash` finishes the work.
/// Errors: Busy while a runner works in it; those of TrackingDatabase::deleteRun.
Status removeRun(TrackingDatabase& database, const protocol::Home& home, const std::string& run);
/// Removes what an interrupted removal has left.
Status emptyTrash(const protocol::Home& home);

} // namespace millrace::storage
