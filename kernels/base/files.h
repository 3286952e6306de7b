// Files whose content must survive a kill or a power cut, and files that others may have tampered with.
#pragma once

#include "kernels/base/result.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace millrace {

/// An open file descriptor, closed with the object. Every call retries EINTR and reports errno as an Error.
class FileHandle
{
public:
    FileHandle() = default;
    explicit FileHandle(int descriptor, std::string path) : m_descriptor(descriptor), m_path(std::move(path)) {}
    ~FileHandle();
    FileHandle(FileHandle&& other) noexcept;
    FileHandle& operator=(FileHandle&& other) noexcept;
    FileHandle(const FileHandle&) = delete;
    FileHandle& operator=(const FileHandle&) = delete;

    /// open(2) with O_CLOEXEC. Errors: NotFound, Permission, AlreadyExists (O_EXCL), Io.
    static Result<FileHandle> open(const std::string& path, int flags, unsigned mode = 0644);

    bool isOpen() const { return m_descriptor >= 0; }
    int descriptor() const { return m_descriptor; }
    const std::string& path() const { return m_path; }
    /// Up to `size` bytes from the current position; 0 at the end.
    Result<std::size_t> read(char* buffer, std::size_t size) const;
    /// Up to `size` bytes from `offset`; fewer only at the end.
    Result<std::size_t> readAt(char* buffer, std::size_t size, std::uint64_t offset) const;
    Status writeAll(std::string_view bytes) const;
    /// fsync, its result checked; after a failure the file must be treated as lost.
    Status sync() const;
    Result<std::uint64_t> sizeBytes() const;
    void close();
    /// Gives the descriptor up without closing it.
    int release();

private:
    int m_descriptor = -1;
    std::string m_path;
};

/// Opens /dev/null for each of the descriptors 0, 1 and 2 that whoever started this program has left closed, so that no
/// file of ours gets such a number and is written into by a message. The first thing a `main` calls.
void openStandardDescriptors();

/// An Error from errno: the code that fits, "Cannot <action> <path>: <reason>.", the file as subject.
Error errnoError(std::string_view action, const std::string& path, int number);

/// The whole regular file. Errors: NotFound, TooLarge over the limit (checked before reading), InvalidFormat if not a
/// regular file, Io.
Result<std::string> readFile(const std::string& path, std::uint64_t limitBytes);

/// Replaces the file by the bytes so that after a crash at any moment either the old or the new content is there:
/// temporary file beside it, fsync, rename, fsync of the folder. On failure the old file is intact and no temporary is
/// left.
Status durableReplace(const std::string& path, std::string_view bytes);

Status syncDirectory(const std::string& path);
/// mkdir -p. Mode 0700 for what is new.
Status makeDirectories(const std::string& path);
bool exists(const std::string& path);
/// Removes the file or folder with all in it; succeeds if it is not there.
Status removeAll(const std::string& path);
/// Names in the folder (without . and ..), sorted.
Result<std::vector<std::string>> listDirectory(const std::string& path);
/// base/relative, or `path` where it is absolute.
std::string joinPath(std::string_view base, std::string_view path);
std::string fileName(std::string_view path);
std::string parentPath(std::string_view path);
/// The absolute path without symbolic links where it exists; else made absolute and lexically normal.
std::string absolutePath(const std::string& path);

/// An advisory lock (flock) on a file of its own; released with the object or when the process dies.
class FileLock
{
public:
    /// Waits for the lock. Errors: Io, Permission.
    static Result<FileLock> acquire(const std::string& path);
    /// Busy where somebody holds it.
    static Result<FileLock> tryAcquire(const std::string& path);
    /// A lock that a descriptor holds which this process inherited, kept from children again. Errors: InvalidArgument
    /// where the descriptor is not open on that file; Busy, Io.
    static Result<FileLock> adopt(int descriptor, const std::string& path);
    const FileHandle& handle() const { return m_file; }

private:
    explicit FileLock(FileHandle file) : m_file(std::move(file)) {}
    FileHandle m_file;
};

} // namespace millrace
