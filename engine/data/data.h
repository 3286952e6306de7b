// The data nodes of a pipeline as the rest of the engine sees them: load, look without loading, hash, split,
// standardise.
#pragma once

#include "engine/data/rows_builder.h"
#include "engine/data/token_set.h"
#include "engine/pipeline/catalogue.h"
#include "engine/pipeline/check.h"
#include "engine/pipeline/document.h"

#include <memory>
#include <stop_token>
#include <string>

namespace millrace::data {

/// Where a data node's files are looked for.
struct Folders
{
    std::string base;      ///< the pipeline file's folder: relative paths start here
    std::string resources; ///< the built-in data sets are in its sub-folder data/ (see findResourceDirectory)
    RowsPlace place = {};  ///< where rows go that do not fit into memory
};

/// The folder that a node's parameter "path" names. Errors: as classifyPath, with node and parameter.
Result<std::string> folderOf(const pipeline::Node& node, const pipeline::NodeSpec& spec, const Folders& folders);

/// The rows of a data node (data.builtin, data.csv, data.idx, data.shards, …). Errors carry the node, its parameter, and file, line
/// and column where known. Errors: NotFound, InvalidFormat, TooLarge, Unsupported, Io, Cancelled.
Result<Dataset> load(const pipeline::Node& node, const pipeline::NodeSpec& spec, const Folders& folders,
                     std::stop_token stop = {});

/// The tokens of a text node (data.text). Errors as `load`.
Result<TokenSet> loadTokens(const pipeline::Node& node, const pipeline::NodeSpec& spec, const Folders& folders,
                            std::stop_token stop = {});

/// What `load` (or `loadTokens`) would give, from headers and a sample: cheap enough to call while somebody edits.
/// `rows` is -1 where counting would take long, and then the classes are those of the sample. Same errors as `load`
/// where they show.
Result<pipeline::RowsSchema> inspect(const pipeline::Node& node, const pipeline::NodeSpec& spec,
                                     const Folders& folders);

/// `inspect` that remembers its answers as long as node and files stay unchanged; for the checks of an open document.
/// Answers may be asked for from several threads.
pipeline::InspectData rememberingInspector(Folders folders);

/// SHA-256 over the contents of the node's files, for the stage's cache key. Errors: NotFound, Io, InvalidArgument.
Result<std::string> contentHash(const pipeline::Node& node, const pipeline::NodeSpec& spec, const Folders& folders);

} // namespace millrace::data
