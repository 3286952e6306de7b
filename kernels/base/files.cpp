#include "kernels/base/files.h"

#include "kernels/base/text.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <filesystem>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace millrace {

Error errnoError(std::string_view action, const std::string& path, int number)
{
    Code code = Code::Io;
    std::string advice;
    switch (number) {
    case ENOENT:
    case ENOTDIR:
        code = Code::NotFound;
        break;
    case EACCES:
    case EPERM:
    case EROFS:
        code = Code::Permission;
        advice = "Check the permissions of the file and its folder.";
        break;
    case EEXIST:
    case ENOTEMPTY:
        code = Code::AlreadyExists;
        break;
    case ENOSPC:
    case EDQUOT:
        code = Code::DiskFull;
        advice = "Free some space and try again.";
        break;
    case ENOMEM:
        code = Code::OutOfMemory;
        break;
    case EWOULDBLOCK:
        code = Code::Busy;
        break;
    default:
        break;
    }
    return makeError(code, str("Cannot ", action, " \"", printable(path), "\": ", std::strerror(number), "."))
        .atFile(path)
        .advise(std::move(advice));
}

FileHandle::~FileHandle()
{
    close();
}

FileHandle::FileHandle(FileHandle&& other) noexcept
    : m_descriptor(std::exchange(other.m_descriptor, -1)), m_path(std::move(other.m_path))
{
}

FileHandle& FileHandle::operator=(FileHandle&& other) noexcept
{
    if (this != &other) {
        close();
        m_descriptor = std::exchange(other.m_descriptor, -1);
        m_path = std::move(other.m_path);
    }
    return *this;
}

Result<FileHandle> FileHandle::open(const std::string& path, int flags, unsigned mode)
{
    int descriptor = -1;
    do {
        descriptor = ::open(path.c_str(), flags | O_CLOEXEC, mode);
    } while (descriptor < 0 && errno == EINTR);
    if (descriptor < 0) return errnoError("open", path, errno);
    return FileHandle(descriptor, path);
}

Result<std::size_t> FileHandle::read(char* buffer, std::size_t size) const
{
    for (;;) {
        const ssize_t count = ::read(m_descriptor, buffer, size);
        if (count >= 0) return static_cast<std::size_t>(count);
        if (errno != EINTR) return errnoError("read", m_path, errno);
    }
}

Result<std::size_t> FileHandle::readAt(char* buffer, std::size_t size, std::uint64_t offset) const
{
    std::size_t done = 0;
    while (done < size) {
        const ssize_t count = ::pread(m_descriptor, buffer + done, size - done, static_cast<off_t>(offset + done));
        if (count == 0) break;
        if (count < 0) {
            if (errno == EINTR) continue;
            return errnoError("read", m_path, errno);
        }
        done += static_cast<std::size_t>(count);
    }
    return done;
}

Status FileHandle::writeAll(std::string_view bytes) const
{
    while (!bytes.empty()) {
        const ssize_t count = ::write(m_descriptor, bytes.data(), bytes.size());
        if (count < 0) {
            if (errno == EINTR) continue;
            return errnoError("write", m_path, errno);
        }
        bytes.remove_prefix(static_cast<std::size_t>(count));
    }
    return {};
}

Status FileHandle::sync() const
{
    if (::fsync(m_descriptor) != 0) return errnoError("make durable", m_path, errno);
    return {};
}

Result<std::uint64_t> FileHandle::sizeBytes() const
{
    struct stat status
    {
    };
    if (::fstat(m_descriptor, &status) != 0) return errnoError("inspect", m_path, errno);
    return static_cast<std::uint64_t>(status.st_size);
}

void FileHandle::close()
{
    if (m_descriptor >= 0) ::close(m_descriptor);
    m_descriptor = -1;
}

int FileHandle::release()
{
    return std::exchange(m_descriptor, -1);
}

void openStandardDescriptors()
{
    // open(2) gives the lowest free number
    int descriptor = 0;
    do {
        descriptor = ::open("/dev/null", O_RDWR);
    } while (descriptor >= 0 && descriptor <= 2);
    if (descriptor > 2) ::close(descriptor);
}

Result<std::string> readFile(const std::string& path, std::uint64_t limitBytes)
{
    // O_NONBLOCK so that a FIFO in the file's place is refused instead of waited for
    MR_TRY(const FileHandle file, FileHandle::open(path, O_RDONLY | O_NONBLOCK));
    struct stat status
    {
    };
    if (::fstat(file.descriptor(), &status) != 0) return errnoError("inspect", path, errno);
    if (!S_ISREG(status.st_mode))
        return makeError(Code::InvalidFormat, str("\"", printable(path), "\" is not a regular file.")).atFile(path);
    const auto size = static_cast<std::uint64_t>(status.st_size);
    if (size > limitBytes)
        return makeError(Code::TooLarge, str("The file has ", size, " bytes; at most ", limitBytes, " are read."))
            .atFile(path);
    std::string content(size, '\0');
    MR_TRY(const std::size_t count, file.readAt(content.data(), content.size(), 0));
    content.resize(count);
    return content;
}

namespace {
Status writeDurably(const std::string& path, std::string_view bytes)
{
    MR_TRY(const FileHandle file, FileHandle::open(path, O_WRONLY | O_CREAT | O_TRUNC));
    MR_CHECK(file.writeAll(bytes));
    return file.sync();
}
} // namespace

Status durableReplace(const std::string& path, std::string_view bytes)
{
    const std::string temporary = str(path, ".tmp-", ::getpid());
    if (auto written = writeDurably(temporary, bytes); !written) {
        ::unlink(temporary.c_str());
        return std::move(written).error();
    }
    if (::rename(temporary.c_str(), path.c_str()) != 0) {
        const int number = errno;
        ::unlink(temporary.c_str());
        return errnoError("replace", path, number);
    }
    return syncDirectory(parentPath(path));
}

Status syncDirectory(const std::string& path)
{
    MR_TRY(const FileHandle folder, FileHandle::open(path.empty() ? "." : path, O_RDONLY | O_DIRECTORY));
    return folder.sync();
}

Status makeDirectories(const std::string& path)
{
    if (path.empty() || exists(path)) return {};
    MR_CHECK(makeDirectories(parentPath(path) == path ? std::string() : parentPath(path)));
    if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return errnoError("create the folder", path, errno);
    return {};
}

bool exists(const std::string& path)
{
    struct stat status
    {
    };
    return ::stat(path.c_str(), &status) == 0;
}

Status removeAll(const std::string& path)
{
    std::error_code code;
    std::filesystem::remove_all(path, code);
    if (code) return errnoError("remove", path, code.value());
    return {};
}

Result<std::vector<std::string>> listDirectory(const std::string& path)
{
    DIR* folder = ::opendir(path.c_str());
    if (folder == nullptr) return errnoError("list", path, errno);
    std::vector<std::string> names;
    while (const dirent* entry = ::readdir(folder)) {
        const std::string_view name = entry->d_name;
        if (name != "." && name != "..") names.emplace_back(name);
    }
    ::closedir(folder);
    std::sort(names.begin(), names.end());
    return names;
}

std::string joinPath(std::string_view base, std::string_view path)
{
    if (base.empty() || (!path.empty() && path.front() == '/')) return std::string(path);
    return base.back() == '/' ? str(base, path) : str(base, "/", path);
}

std::string fileName(std::string_view path)
{
    const auto slash = path.rfind('/');
    return std::string(slash == std::string_view::npos ? path : path.substr(slash + 1));
}

std::string parentPath(std::string_view path)
{
    const auto slash = path.rfind('/');
    if (slash == std::string_view::npos) return {};
    return std::string(path.substr(0, slash == 0 ? 1 : slash));
}

std::string absolutePath(const std::string& path)
{
    std::error_code code;
    auto result = std::filesystem::weakly_canonical(path, code);
    if (code) result = std::filesystem::absolute(path, code).lexically_normal();
    return result.string();
}

namespace {
Result<FileHandle> lockFile(const std::string& path, int operation)
{
    MR_TRY(FileHandle file, FileHandle::open(path, O_RDWR | O_CREAT));
    while (::flock(file.descriptor(), operation) != 0)
        if (errno != EINTR) return errnoError("lock", path, errno);
    return file;
}
} // namespace

Result<FileLock> FileLock::acquire(const std::string& path)
{
    MR_TRY(FileHandle file, lockFile(path, LOCK_EX));
    return FileLock(std::move(file));
}

Result<FileLock> FileLock::tryAcquire(const std::string& path)
{
    MR_TRY(FileHandle file, lockFile(path, LOCK_EX | LOCK_NB));
    return FileLock(std::move(file));
}

Result<FileLock> FileLock::adopt(int descriptor, const std::string& path)
{
    struct stat held
    {
    };
    struct stat named
    {
    };
    if (::fstat(descriptor, &held) != 0 || ::stat(path.c_str(), &named) != 0 || held.st_dev != named.st_dev ||
        held.st_ino != named.st_ino)
        return makeError(Code::InvalidArgument, str("Descriptor ", descriptor, " is not open on \"", printable(path), "\"."));
    FileHandle file(descriptor, path);
    if (::fcntl(descriptor, F_SETFD, FD_CLOEXEC) != 0 || ::flock(descriptor, LOCK_EX | LOCK_NB) != 0)
        return errnoError("lock", path, errno);
    return FileLock(std::move(file));
}

} // namespace millrace
