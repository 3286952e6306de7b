// The image files in a folder that somebody else filled: one sub-folder a class. Nothing outside the folder is opened,
// whatever its links say, and nothing but regular files.
#pragma once

#include "kernels/base/files.h"

#include <cstdint>
#include <stop_token>
#include <string>
#include <vector>

namespace millrace::data {

struct ImageFile
{
    std::string path; ///< relative to the folder, bytes as the file system has them
    std::int32_t label = 0;
};

struct ImageFiles
{
    std::vector<std::string> classes;   ///< names of the sub-folders with images; what is not UTF-8 in them is escaped
    std::vector<ImageFile> files;       ///< by class, then by path
    std::int64_t links = 0;             ///< symbolic links, which are not followed
    std::int64_t others = 0;            ///< files whose names do not end as those of images do
    std::int64_t outside = 0;           ///< images that lie beside the classes' folders
    std::vector<std::string> emptyOnes; ///< sub-folders without images
};

/// A folder that was opened once; all paths start there and never leave it.
class ImageFolder
{
public:
    /// Errors: NotFound, Permission, InvalidFormat (not a folder).
    static Result<ImageFolder> open(const std::string& path);

    /// The images: files named .png, .jpg, .jpeg or .jpe, at most 8 folders deep within a class. Hidden files are
    /// passed over. Errors: InvalidArgument (fewer than two classes), TooLarge (over 10,000,000 images), Cancelled, Io.
    Result<ImageFiles> list(std::stop_token stop) const;

    /// The bytes of a file in the list. Errors: InvalidFormat (a link, or no regular file), TooLarge (over 256 MB), Io.
    Result<std::string> read(const std::string& path) const;

    const std::string& path() const { return m_handle.path(); }

private:
    explicit ImageFolder(FileHandle handle) : m_handle(std::move(handle)) {}
    FileHandle m_handle;
};

} // namespace millrace::data
