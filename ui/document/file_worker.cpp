#include "ui/document/file_worker.h"

#include "kernels/base/files.h"
#include "kernels/base/hash.h"
#include "kernels/base/text.h"

#include <QSaveFile>
#include <QString>
#include <algorithm>
#include <nlohmann/json.hpp>

namespace millrace::ui {

namespace {

constexpr std::uint64_t kAutosaveBytes = 2 * pipeline::Limits::kFileBytes;

Error saveError(const QSaveFile& file, const std::string& path, int number)
{
    const bool full = number == ENOSPC || number == EDQUOT;
    const bool forbidden = number == EACCES || number == EROFS || number == EPERM;
    const Code code = full ? Code::DiskFull : forbidden ? Code::Permission : Code::Io;
    return makeError(code, str("Cannot save '", fileName(path), "': ", file.errorString().toStdString(), "."))
        .atFile(path)
        .advise("The file on disk is as it was, and your work stays open here. Save it elsewhere, or make room.");
}

} // namespace

Result<LoadedFile> loadPipelineFile(const std::string& path)
{
    const std::string absolute = absolutePath(path);
    MR_TRY(const std::string text, readFile(absolute, pipeline::Limits::kFileBytes));
    MR_TRY(pipeline::Document document, pipeline::parseDocument(text, fileName(absolute)));
    return LoadedFile{std::move(document), absolute, sha256(text)};
}

Result<std::string> savePipelineFile(const std::string& path, const std::string& text, const std::string& expected,
                                     bool force)
{
    if (!force) {
        const auto present = sha256OfFile(path);
        const bool absent = !present && present.error().code == Code::NotFound;
        const bool asExpected = present ? *present == expected : absent;
        // a file that vanished is written again: nothing of anybody's is lost by that
        if (!asExpected)
            return makeError(Code::Busy, str("'", fileName(path), "' was changed on disk since it was opened."))
                .atFile(path);
    }
    QSaveFile file(QString::fromStdString(path));
    file.setDirectWriteFallback(false);
    errno = 0;
    const bool opened = file.open(QIODevice::WriteOnly);
    const bool written =
        opened && file.write(text.data(), static_cast<qint64>(text.size())) == static_cast<qint64>(text.size()) &&
        file.commit();
    if (!written) return saveError(file, path, errno);
    MR_CHECK(syncDirectory(parentPath(path)));
    return sha256(text);
}

Result<std::string> writeAutosave(const std::string& folder, const Autosave& autosave, const std::string& previous)
{
    MR_CHECK(makeDirectories(folder));
    const nlohmann::json json{{"format", "millrace-autosave/1"}, {"session", autosave.session},
                              {"path", autosave.path},           {"file_sha256", autosave.fileSha256},
                              {"name", autosave.name},           {"time", autosave.timeMs},
                              {"pipeline", autosave.text}};
    const std::string bytes = json.dump(1, ' ', false, nlohmann::json::error_handler_t::replace);
    const std::string entry = joinPath(folder, sha256(bytes) + ".json");
    MR_CHECK(durableReplace(entry, bytes));
    if (!previous.empty() && previous != entry) MR_CHECK(removeAll(previous));
    return entry;
}

namespace {

Result<Autosave> readAutosave(const std::string& entry)
{
    MR_TRY(const std::string bytes, readFile(entry, kAutosaveBytes));
    // the name says what the content must be
    if (fileName(entry) != sha256(bytes) + ".json") return makeError(Code::Corrupt, "The autosave is damaged.");
    const auto json = nlohmann::json::parse(bytes, nullptr, false);
    if (!json.is_object()) return makeError(Code::Corrupt, "The autosave is no JSON object.");
    try {
        return Autosave{json.at("session"),
                        json.at("path"),
                        json.at("file_sha256"),
                        json.at("name"),
                        json.at("pipeline"),
                        json.at("time"),
                        entry};
    } catch (const nlohmann::json::exception& exception) {
        return makeError(Code::Corrupt, exception.what());
    }
}

// Ids go into a file name.
bool isSession(const std::string& session)
{
    return !session.empty() && std::all_of(session.begin(), session.end(), [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '-';
    });
}

} // namespace

std::vector<Autosave> findAutosaves(const std::string& folder, const std::string& ownSession)
{
    std::vector<Autosave> found;
    const auto names = listDirectory(folder);
    if (!names) return found;
    for (const std::string& name : *names) {
        if (!name.ends_with(".json")) continue;
        auto autosave = readAutosave(joinPath(folder, name));
        if (!autosave || !isSession(autosave->session) || autosave->session == ownSession) continue;
        // who can take the lock knows that the window is gone
        if (!FileLock::tryAcquire(joinPath(folder, autosave->session + ".lock"))) continue;
        found.push_back(std::move(*autosave));
    }
    std::sort(found.begin(), found.end(), [](const Autosave& a, const Autosave& b) { return a.timeMs > b.timeMs; });
    return found;
}

} // namespace millrace::ui
