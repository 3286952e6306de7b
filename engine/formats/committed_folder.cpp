#include "engine/formats/committed_folder.h"

#include "kernels/base/files.h"
#include "kernels/base/hash.h"
#include "kernels/base/text.h"
#include "kernels/base/units.h"

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <ctime>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace millrace::formats {

namespace {
constexpr std::string_view kFormat = "millrace-folder/1";
constexpr std::string_view kManifest = "manifest.json";
constexpr std::uint64_t kManifestLimitBytes = 64u << 20;

std::string uniqueSuffix()
{
    static std::atomic<unsigned> counter{0};
    return str(::getpid(), "-", monotonicMicroseconds(), "-", counter++);
}

/// A name that stays inside its folder.
bool isPlainName(std::string_view name)
{
    return !name.empty() && name != "." && name != ".." && name.size() <= 200 &&
           name.find('/') == std::string_view::npos && name.find('\0') == std::string_view::npos;
}

/// The manifest's text: its content and the hash of that, so that damage to the manifest is found as well.
std::string manifestText(const FilesToWrite& files, const nlohmann::json& meta)
{
    nlohmann::json content = {{"format", kFormat}, {"meta", meta}, {"files", nlohmann::json::array()}};
    for (const auto& [name, bytes] : files)
        content["files"].push_back({{"name", name}, {"bytes", bytes.size()}, {"sha256", sha256(bytes)}});
    const auto replace = nlohmann::json::error_handler_t::replace;
    const std::string hash = sha256(content.dump(-1, ' ', false, replace));
    return nlohmann::json{{"content", std::move(content)}, {"sha256", hash}}.dump(2, ' ', false, replace) + "\n";
}

struct ManifestFile
{
    std::string name, sha256;
    std::uint64_t sizeBytes = 0;
};
struct Manifest
{
    nlohmann::json meta;
    std::vector<ManifestFile> files;
};

Error corrupt(const std::string& path, std::string what)
{
    return makeError(Code::Corrupt, std::move(what)).atFile(path);
}

Result<Manifest> parseManifest(const std::string& text, const std::string& path)
{
    try {
        const auto json = nlohmann::json::parse(text);
        const auto& content = json.at("content");
        // the text must be ours to the byte: damage to what means nothing in JSON is damage, too
        if (json.dump(2) + "\n" != text || json.at("sha256") != sha256(content.dump()))
            return corrupt(path, "The manifest's content does not have the hash that it states.");
        if (content.at("format") != kFormat)
            return makeError(Code::NewerFormat, str("The folder has the format ", content.at("format").dump(),
                                                    "; this Millrace reads ", kFormat, "."))
                .atFile(path);
        Manifest manifest{content.at("meta"), {}};
        for (const auto& file : content.at("files")) {
            manifest.files.push_back({file.at("name"), file.at("sha256"), file.at("bytes")});
            if (!isPlainName(manifest.files.back().name))
                return corrupt(path, "The manifest holds a file name with a path.");
        }
        return manifest;
    } catch (const nlohmann::json::exception&) {
        return corrupt(path, "The manifest is damaged: it is no JSON of the expected form.");
    }
}

/// The file's bytes, all read from one descriptor and compared with the manifest.
Result<std::string> readVerified(const std::string& folder, const ManifestFile& expected)
{
    const std::string path = joinPath(folder, expected.name);
    auto file = FileHandle::open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW);
    if (!file) return file.error().code == Code::NotFound ? corrupt(path, "The file is missing.") : file.error();
    MR_TRY(const std::uint64_t size, file->sizeBytes());
    if (size != expected.sizeBytes)
        return corrupt(path, str("The file has ", size, " bytes instead of ", expected.sizeBytes, "."));
    std::string bytes(size, '\0');
    MR_TRY(const std::size_t count, file->readAt(bytes.data(), bytes.size(), 0));
    if (count != bytes.size() || sha256(bytes) != expected.sha256)
        return corrupt(path, "The file's content does not have the hash that the manifest states.");
    return bytes;
}

Status writeFile(const std::string& path, std::string_view bytes)
{
    MR_TRY(const FileHandle file, FileHandle::open(path, O_WRONLY | O_CREAT | O_EXCL));
    MR_CHECK(file.writeAll(bytes));
    return file.sync();
}

/// Moves a folder to a name that is free; AlreadyExists where it is not.
Status renameToFreeName(const std::string& from, const std::string& to)
{
    if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return {};
    // file systems without that flag: there a committed folder is protected by not being empty
    if ((errno == EINVAL || errno == ENOSYS) && ::rename(from.c_str(), to.c_str()) == 0) return {};
    return errnoError("commit the folder", to, errno);
}

/// Puts the folder in the place of another in one step; the other is then under the first one's name.
Status replaceFolder(const std::string& temporary, const std::string& path)
{
    if (::renameat2(AT_FDCWD, temporary.c_str(), AT_FDCWD, path.c_str(), RENAME_EXCHANGE) == 0) return {};
    if (errno != EINVAL && errno != ENOSYS) return errnoError("replace the folder", path, errno);
    MR_CHECK(discardFolder(path));
    return renameToFreeName(temporary, path);
}

Status writeTemporary(const std::string& folder, const FilesToWrite& files, const std::string& manifest,
                      const BeforeStep& before)
{
    MR_CHECK(before("create"));
    MR_CHECK(makeDirectories(folder));
    for (const auto& [name, bytes] : files) {
        MR_CHECK(before(str("write ", name)));
        MR_CHECK(writeFile(joinPath(folder, name), bytes));
    }
    MR_CHECK(before("manifest"));
    MR_CHECK(writeFile(joinPath(folder, kManifest), manifest));
    MR_CHECK(before("sync"));
    return syncDirectory(folder);
}

/// Gives the complete temporary folder its name.
Status publish(const std::string& temporary, const std::string& parent, const std::string& path,
               const BeforeStep& before)
{
    MR_CHECK(before("rename"));
    auto renamed = renameToFreeName(temporary, path);
    if (!renamed && renamed.error().code == Code::AlreadyExists) {
        MR_CHECK(before("replace"));
        renamed = replaceFolder(temporary, path);
    }
    MR_CHECK(std::move(renamed));
    MR_CHECK(before("sync parent"));
    return syncDirectory(parent);
}
} // namespace

Result<CommittedFolder> commitFolder(const std::string& parent, const std::string& name, const FilesToWrite& files,
                                     const nlohmann::json& meta, IfCommitted ifCommitted, const BeforeStep& beforeStep)
{
    const BeforeStep before = beforeStep ? beforeStep : [](std::string_view) { return Status(); };
    if (!isPlainName(name) || name.starts_with('.'))
        return makeError(Code::InvalidArgument, str("\"", printable(name), "\" is no name for a folder."));
    std::uint64_t bytes = 0;
    for (const auto& [file, content] : files) {
        if (!isPlainName(file) || file == kManifest)
            return makeError(Code::InvalidArgument,
                             str("\"", printable(file), "\" is no name for a file of the folder."));
        bytes += content.size();
    }
    const std::string path = joinPath(parent, name);
    if (ifCommitted == IfCommitted::Keep && exists(path))
        if (auto there = loadFolder(path)) {
            there->files.clear();
            return there;
        }

    MR_CHECK(makeDirectories(parent));
    const std::string manifest = manifestText(files, meta);
    const std::string temporary = joinPath(parent, str(name, ".tmp-", uniqueSuffix()));
    auto done = writeTemporary(temporary, files, manifest, before);
    if (done) done = publish(temporary, parent, path, before);
    // after success this is the folder that was replaced, after a failure what was written so far; where it cannot be
    // removed now it is a leftover like that of a kill
    (void)removeAll(temporary).has_value();
    MR_CHECK(std::move(done));
    return CommittedFolder{path, sha256(manifest), bytes, meta, {}};
}

Result<CommittedFolder> loadFolder(const std::string& path)
{
    const std::string manifestPath = joinPath(path, kManifest);
    auto text = readFile(manifestPath, kManifestLimitBytes);
    if (!text) {
        if (text.error().code == Code::NotFound && exists(path))
            return corrupt(manifestPath, "The manifest is missing.");
        return std::move(text).error();
    }
    MR_TRY(const Manifest manifest, parseManifest(*text, manifestPath));
    CommittedFolder folder{path, sha256(*text), 0, manifest.meta, {}};
    for (const ManifestFile& file : manifest.files) {
        MR_TRY(folder.files[file.name], readVerified(path, file));
        folder.sizeBytes += file.sizeBytes;
    }
    return folder;
}

Status discardFolder(const std::string& path)
{
    // the name goes first: a kill in between leaves data that nobody takes for a whole folder
    const std::string trash = joinPath(parentPath(path), str(".trash-", uniqueSuffix()));
    if (::rename(path.c_str(), trash.c_str()) != 0) {
        if (errno == ENOENT) return {};
        return errnoError("remove the folder", path, errno);
    }
    return removeAll(trash);
}

void removeLeftovers(const std::string& parent, std::int64_t olderThanSeconds)
{
    const auto names = listDirectory(parent);
    if (!names) return;
    for (const std::string& name : *names) {
        if (!name.starts_with(".trash-") && name.find(".tmp-") == std::string::npos) continue;
        const std::string path = joinPath(parent, name);
        struct stat status
        {
        };
        if (::lstat(path.c_str(), &status) != 0 || std::time(nullptr) - status.st_mtime < olderThanSeconds) continue;
        // what cannot be removed now blocks nothing and is tried again at the next start
        (void)removeAll(path).has_value();
    }
}

} // namespace millrace::formats
