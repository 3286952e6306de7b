#include "engine/data/byte_source.h"

#include "engine/data/gzip.h"
#include "kernels/base/files.h"
#include "kernels/base/text.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <sys/stat.h>

namespace millrace::data {

namespace {
constexpr std::size_t kGzipMagicBytes = 2;

Result<FileHandle> openRegular(const std::string& path)
{
    // O_NONBLOCK so that a FIFO in the file's place is refused instead of waited for
    MR_TRY(FileHandle file, FileHandle::open(path, O_RDONLY | O_NONBLOCK));
    struct stat status
    {
    };
    if (::fstat(file.descriptor(), &status) != 0) return errnoError("inspect", path, errno);
    if (!S_ISREG(status.st_mode))
        return makeError(Code::InvalidFormat, str("\"", printable(path), "\" is not a regular file.")).atFile(path);
    return file;
}

Result<bool> beginsAsGzip(const FileHandle& file)
{
    char start[kGzipMagicBytes];
    MR_TRY(const std::size_t count, file.readAt(start, sizeof start, 0));
    return isGzip({start, count});
}
/// Size and time of the last change: while these stay, so do the bytes.
struct Stamp
{
    std::int64_t sizeBytes = 0, seconds = 0, nanoseconds = 0;
    bool operator==(const Stamp&) const = default;
};
Result<Stamp> stampOf(const FileHandle& file)
{
    struct stat status
    {
    };
    if (::fstat(file.descriptor(), &status) != 0) return errnoError("inspect", file.path(), errno);
    return Stamp{status.st_size, status.st_mtim.tv_sec, status.st_mtim.tv_nsec};
}
} // namespace

Result<OpenBytes> openFile(const std::string& path)
{
    MR_TRY(FileHandle handle, openRegular(path));
    MR_TRY(const bool packed, beginsAsGzip(handle));
    MR_TRY(const Stamp stamp, stampOf(handle));
    // shared by the readers of both passes: whichever is last closes it
    const auto file = std::make_shared<const FileHandle>(std::move(handle));
    return OpenBytes([file, packed, path, stamp]() -> Result<ReadBytes> {
        ReadBytes read = [file, stamp, offset = std::uint64_t{0}](char* buffer,
                                                                  std::size_t size) mutable -> Result<std::size_t> {
            MR_TRY(const std::size_t count, file->readAt(buffer, size, offset));
            offset += count;
            if (count > 0) return count;
            MR_TRY(const Stamp now, stampOf(*file));
            if (now != stamp)
                return makeError(Code::Corrupt, "The dataset changed: the file was written to while it was read.")
                    .atFile(file->path())
                    .advise("Run again when nobody writes to it.");
            return count;
        };
        return packed ? unpackGzip(std::move(read), path) : read;
    });
}

OpenBytes openMemory(std::string_view bytes, const std::string& name)
{
    return [bytes, name]() -> Result<ReadBytes> {
        ReadBytes read = [rest = bytes](char* buffer, std::size_t size) mutable -> Result<std::size_t> {
            const std::size_t count = std::min(size, rest.size());
            if (count > 0) std::memcpy(buffer, rest.data(), count);
            rest.remove_prefix(count);
            return count;
        };
        return isGzip(bytes) ? unpackGzip(std::move(read), name) : read;
    };
}

Result<ContentSize> contentSize(const std::string& path)
{
    MR_TRY(const FileHandle file, openRegular(path));
    MR_TRY(const std::uint64_t size, file.sizeBytes());
    MR_TRY(const bool packed, beginsAsGzip(file));
    return ContentSize{size, packed};
}

Result<std::size_t> readFully(const ReadBytes& read, char* buffer, std::size_t size)
{
    std::size_t done = 0;
    while (done < size) {
        MR_TRY(const std::size_t count, read(buffer + done, size - done));
        if (count == 0) break;
        done += count;
    }
    return done;
}

} // namespace millrace::data
