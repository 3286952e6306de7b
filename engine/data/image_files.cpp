#include "engine/data/image_files.h"

#include "engine/data/image.h"
#include "engine/data/text_unicode.h"
#include "kernels/base/text.h"
#include "kernels/base/units.h"

#include <algorithm>
#include <cerrno>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <sys/stat.h>
#include <unistd.h>

namespace millrace::data {

namespace {
constexpr int kMaximumDepth = 8;
constexpr std::size_t kMaximumFiles = 10'000'000;

bool isImageName(std::string_view name)
{
    const auto dot = name.rfind('.');
    if (dot == std::string_view::npos) return false;
    std::string ending(name.substr(dot));
    for (char& c : ending)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return ending == ".png" || ending == ".jpg" || ending == ".jpeg" || ending == ".jpe";
}

/// The name as UTF-8: a byte that is none is written as \xE9.
std::string utf8Name(std::string_view name)
{
    constexpr std::string_view kDigits = "0123456789ABCDEF";
    std::string result;
    while (!name.empty()) {
        const Character character = firstCharacter(name, true);
        const auto byte = static_cast<unsigned char>(name.front());
        result += character.valid ? std::string(name.substr(0, character.bytes))
                                  : str("\\x", kDigits[byte >> 4], kDigits[byte & 15]);
        name.remove_prefix(character.bytes);
    }
    return result;
}

enum class Kind
{
    Folder,
    File,
    Link,
    Other
};

/// O_NOFOLLOW: a link is not what was meant. O_NONBLOCK: a FIFO does not wait.
Result<FileHandle> openWithin(const FileHandle& folder, const std::string& name, int flags)
{
    const std::string path = joinPath(folder.path(), name);
    int descriptor = -1;
    do {
        descriptor = ::openat(folder.descriptor(), name.c_str(), flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    } while (descriptor < 0 && errno == EINTR);
    if (descriptor < 0 && (errno == ELOOP || errno == ENOTDIR || errno == ENXIO))
        return makeError(Code::InvalidFormat, "It is a link or no regular file.").atFile(path);
    if (descriptor < 0) return errnoError("open", path, errno);
    return FileHandle(descriptor, path);
}

struct Entry
{
    std::string name;
    Kind kind = Kind::Other;
};

Kind kindOf(const FileHandle& folder, const dirent& entry)
{
    switch (entry.d_type) {
    case DT_DIR:
        return Kind::Folder;
    case DT_REG:
        return Kind::File;
    case DT_LNK:
        return Kind::Link;
    case DT_UNKNOWN: // some file systems do not say it
        break;
    default:
        return Kind::Other;
    }
    struct stat status
    {
    };
    if (::fstatat(folder.descriptor(), entry.d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) return Kind::Other;
    if (S_ISDIR(status.st_mode)) return Kind::Folder;
    if (S_ISLNK(status.st_mode)) return Kind::Link;
    return S_ISREG(status.st_mode) ? Kind::File : Kind::Other;
}

/// What is in the folder, sorted by name, without hidden entries.
Result<std::vector<Entry>> entriesOf(const FileHandle& folder)
{
    // a descriptor of its own: reading moves its position, and fdopendir takes it
    MR_TRY(FileHandle again, openWithin(folder, ".", O_RDONLY | O_DIRECTORY));
    const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(again.descriptor()), ::closedir);
    if (!stream) return errnoError("list", folder.path(), errno);
    again.release();
    std::vector<Entry> entries;
    errno = 0;
    while (const dirent* entry = ::readdir(stream.get())) {
        if (entry->d_name[0] != '.') entries.push_back({entry->d_name, kindOf(folder, *entry)});
        if (entries.size() > kMaximumFiles) break;
        errno = 0;
    }
    if (errno != 0) return errnoError("list", folder.path(), errno);
    std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.name < b.name; });
    return entries;
}

/// Adds the images in a class's folder and in its folders.
Status listClass(const FileHandle& folder, const std::string& path, int depth, ImageFiles& images, std::stop_token stop)
{
    if (stop.stop_requested())
        return makeError(Code::Cancelled, "Listing the folder was cancelled.").atFile(folder.path());
    if (depth > kMaximumDepth)
        return makeError(Code::TooLarge, str("The folder lies more than ", kMaximumDepth, " folders deep."))
            .atFile(folder.path());
    MR_TRY(const auto entries, entriesOf(folder));
    for (const Entry& entry : entries) {
        const std::string inner = joinPath(path, entry.name);
        if (entry.kind == Kind::Folder) {
            MR_TRY(const FileHandle next, openWithin(folder, entry.name, O_RDONLY | O_DIRECTORY));
            MR_CHECK(listClass(next, inner, depth + 1, images, stop));
        } else if (entry.kind == Kind::Link) {
            ++images.links;
        } else if (entry.kind == Kind::File && isImageName(entry.name)) {
            images.files.push_back({inner, static_cast<std::int32_t>(images.classes.size())});
        } else {
            ++images.others;
        }
    }
    if (images.files.size() > kMaximumFiles)
        return makeError(Code::TooLarge, str("The folder holds more than ", formatCount(kMaximumFiles), " images."))
            .atFile(folder.path());
    return {};
}
} // namespace

Result<ImageFolder> ImageFolder::open(const std::string& path)
{
    auto handle = FileHandle::open(path, O_RDONLY | O_DIRECTORY | O_NONBLOCK);
    if (!handle && exists(path))
        return makeError(Code::InvalidFormat, str("\"", printable(path), "\" is not a folder."))
            .atFile(path)
            .advise("Choose the folder that holds one sub-folder for each class.");
    if (!handle) return std::move(handle).error();
    return ImageFolder(std::move(*handle));
}

Result<ImageFiles> ImageFolder::list(std::stop_token stop) const
{
    ImageFiles images;
    MR_TRY(const auto entries, entriesOf(m_handle));
    for (const Entry& entry : entries) {
        if (entry.kind == Kind::Link) ++images.links;
        if (entry.kind == Kind::File) ++(isImageName(entry.name) ? images.outside : images.others);
        if (entry.kind != Kind::Folder) continue;
        const std::size_t before = images.files.size();
        MR_TRY(const FileHandle folder, openWithin(m_handle, entry.name, O_RDONLY | O_DIRECTORY));
        MR_CHECK(listClass(folder, entry.name, 1, images, stop));
        auto& names = images.files.size() > before ? images.classes : images.emptyOnes;
        names.push_back(utf8Name(entry.name));
    }
    if (images.classes.size() >= 2) return images;
    return makeError(Code::InvalidArgument,
                     images.classes.empty() ? "There is no sub-folder with PNG or JPEG files."
                                            : str("There is only one sub-folder with images, \"",
                                                  printable(images.classes[0]), "\": there is nothing to tell apart."))
        .atFile(path())
        .advise("Each class needs a sub-folder of its own, whose name is the class's.");
}

Result<std::string> ImageFolder::read(const std::string& path) const
{
    // each folder on the way is opened in turn, because O_NOFOLLOW speaks of the last name alone
    MR_TRY(FileHandle folder, openWithin(m_handle, ".", O_RDONLY | O_DIRECTORY));
    const auto names = split(path, '/');
    for (std::size_t i = 0; i + 1 < names.size(); ++i) {
        MR_TRY(folder, openWithin(folder, std::string(names[i]), O_RDONLY | O_DIRECTORY));
    }
    MR_TRY(const FileHandle file, openWithin(folder, std::string(names.back()), O_RDONLY));
    struct stat status
    {
    };
    if (::fstat(file.descriptor(), &status) != 0) return errnoError("inspect", file.path(), errno);
    if (!S_ISREG(status.st_mode))
        return makeError(Code::InvalidFormat, "It is a link or no regular file.").atFile(file.path());
    const auto size = static_cast<std::uint64_t>(status.st_size);
    if (size > kImageBytes)
        return makeError(Code::TooLarge, str("The file has ", formatBytes(static_cast<double>(size)), "; at most ",
                                             formatBytes(static_cast<double>(kImageBytes)), " are read."))
            .atFile(file.path());
    std::string bytes(size, '\0');
    MR_TRY(const std::size_t count, file.readAt(bytes.data(), bytes.size(), 0));
    bytes.resize(count);
    return bytes;
}

} // namespace millrace::data
