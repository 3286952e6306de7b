#include "engine/train/checkpoint.h"

#include "kernels/base/text.h"
#include "kernels/base/units.h"

#include <cstring>

namespace millrace::train {

Checkpoints::Checkpoints(formats::CheckpointStore& store, Observer& observer)
    : m_store(store), m_observer(observer), m_lastUs(monotonicMicroseconds())
{
}

Result<std::optional<formats::Checkpoint>> Checkpoints::load()
{
    MR_TRY(auto found, m_store.loadNewest());
    if (!found) return found;
    for (const std::string& note : found->notes) m_observer.note(LogLevel::Warning, note);
    m_observer.note(LogLevel::Info, str("Resumed from the checkpoint at step ", found->step, "."));
    return found;
}

Status Checkpoints::restore(const formats::Checkpoint& checkpoint, const NamedBytes& buffers)
{
    for (const auto& [name, bytes] : buffers) {
        const auto file = checkpoint.folder.files.find(name);
        if (file == checkpoint.folder.files.end() || file->second.size() != bytes.size())
            return makeError(Code::Corrupt, str("The checkpoint's \"", name, "\" does not fit this model."))
                .advise("Start the run anew; the pipeline has changed since the checkpoint.");
        std::memcpy(bytes.data(), file->second.data(), bytes.size());
    }
    return {};
}

Status Checkpoints::save(std::int64_t step, std::int64_t epoch, const NamedBytes& buffers,
                         const nlohmann::json& position)
{
    MR_CHECK(m_observer.flush(true));
    formats::FilesToWrite files;
    for (const auto& [name, bytes] : buffers) files[name] = {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
    MR_TRY(const auto saved, m_store.save(step, files, position));
    m_observer.checkpointSaved({step, epoch, saved.folder.path, saved.folder.manifestSha256, saved.folder.sizeBytes});
    m_lastUs = monotonicMicroseconds();
    return {};
}

double Checkpoints::secondsSinceLast() const
{
    return static_cast<double>(monotonicMicroseconds() - m_lastUs) / 1e6;
}

} // namespace millrace::train
