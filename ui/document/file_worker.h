// What is done with pipeline files, one blocking call each; run on the worker thread of DocumentFiles.
#pragma once

#include "engine/pipeline/document.h"
#include "kernels/base/result.h"

#include <cstdint>
#include <string>
#include <vector>

namespace millrace::ui {

struct LoadedFile
{
    pipeline::Document pipeline;
    std::string path;
    std::string sha256; ///< of the bytes on disk
};

/// Reads and parses. Errors: those of readFile (limit of the format) and parseDocument.
Result<LoadedFile> loadPipelineFile(const std::string& path);

/// Writes through QSaveFile, never in place. `expected` is the hash of what the file should hold now (empty: it should
/// not exist); anything else gives Busy, which means that somebody else wrote it. With `force` nothing is compared.
/// Returns the new hash. Errors: Busy, Permission, DiskFull, Io; the old file is then as it was.
Result<std::string> savePipelineFile(const std::string& path, const std::string& text, const std::string& expected,
                                     bool force);

/// One autosaved pipeline, named by the hash of its content: <folder>/<sha256>.json.
struct Autosave
{
    std::string session;    ///< the window that wrote it; it holds <folder>/<session>.lock while it lives
    std::string path;       ///< the pipeline's own file; empty: never saved
    std::string fileSha256; ///< that file's hash when it was loaded or saved
    std::string name;
    std::string text;
    std::int64_t timeMs = 0;
    std::string entry; ///< where it lies
};

/// Writes it durably and returns its entry; then removes the one before (`previous`, may be empty).
Result<std::string> writeAutosave(const std::string& folder, const Autosave& autosave, const std::string& previous);
/// Autosaves of windows that no longer live, newest first. Damaged entries are passed over, and left where they are.
std::vector<Autosave> findAutosaves(const std::string& folder, const std::string& ownSession);

} // namespace millrace::ui
