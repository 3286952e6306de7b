#include "engine/formats/checkpoint_store.h"

#include "kernels/base/files.h"
#include "kernels/base/text.h"

#include <algorithm>
#include <functional>

namespace millrace::formats {

namespace {
constexpr std::string_view kPrefix = "step-";

std::string folderName(std::int64_t step)
{
    return str(kPrefix, step);
}

/// The step of a committed checkpoint's folder name; nothing for any other name.
std::optional<std::int64_t> stepOf(std::string_view name)
{
    if (!name.starts_with(kPrefix)) return std::nullopt;
    const auto step = parseInteger(name.substr(kPrefix.size()));
    if (!step || *step < 0 || folderName(*step) != name) return std::nullopt;
    return *step;
}
} // namespace

Result<CheckpointStore> CheckpointStore::open(std::string folder, int keep)
{
    MR_CHECK(makeDirectories(folder));
    removeLeftovers(folder, 0);
    return CheckpointStore(std::move(folder), std::max(keep, 2));
}

Result<Checkpoint> CheckpointStore::save(std::int64_t step, const FilesToWrite& files, const nlohmann::json& meta,
                                         const BeforeStep& beforeStep)
{
    Checkpoint checkpoint;
    checkpoint.step = step;
    MR_TRY(checkpoint.folder, commitFolder(m_folder, folderName(step), files, meta, IfCommitted::Replace, beforeStep));
    // What is newer than the checkpoint just made was passed over as damaged when the run resumed: it must neither be
    // found again nor count among those that are kept.
    MR_TRY(const auto all, steps());
    std::size_t position = 0;
    for (const std::int64_t other : all) {
        if (other > step)
            MR_CHECK(discardFolder(joinPath(m_folder, folderName(other))));
        else if (++position > static_cast<std::size_t>(m_keep))
            MR_CHECK(discardFolder(joinPath(m_folder, folderName(other))));
    }
    return checkpoint;
}

Result<std::optional<Checkpoint>> CheckpointStore::loadNewest() const
{
    MR_TRY(const auto all, steps());
    std::vector<std::string> notes;
    for (const std::int64_t step : all) {
        auto folder = loadFolder(joinPath(m_folder, folderName(step)));
        if (folder) return std::optional(Checkpoint{step, std::move(*folder), std::move(notes)});
        notes.push_back(str("Checkpoint ", folderName(step), " is passed over: ", folder.error().toString()));
    }
    if (notes.empty()) return std::optional<Checkpoint>();
    return makeError(Code::Corrupt, str("None of the ", all.size(), " checkpoints is intact. ", joined(notes, " ")))
        .atFile(m_folder)
        .advise("Start the run anew.");
}

Result<std::vector<std::int64_t>> CheckpointStore::steps() const
{
    MR_TRY(const auto names, listDirectory(m_folder));
    std::vector<std::int64_t> steps;
    for (const std::string& name : names)
        if (const auto step = stepOf(name)) steps.push_back(*step);
    std::sort(steps.begin(), steps.end(), std::greater<>());
    return steps;
}

} // namespace millrace::formats
