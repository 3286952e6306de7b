// data.image_folder: rows from a folder of pictures, one sub-folder a class.
#pragma once

#include "engine/data/rows_builder.h"

#include <stop_token>

namespace millrace::data {

struct ImageFolderOptions
{
    std::int64_t height = 32, width = 32;
    bool colour = true;    ///< 3 channels; else 1
    double badPercent = 1; ///< of the images, that may be left out because they cannot be read
};

/// All images of the folder, resized, their bytes scaled to 0 … 1 as fitted preprocessing; the classes are the
/// sub-folders by name. Decoded by several threads, in an order that does not depend on them. What is left out (images
/// that cannot be read, each with its reason, links, other files) and images that are there twice stand in the notes.
/// Errors: those of ImageFolder, InvalidFormat (more bad images than allowed), Cancelled.
Result<Dataset> readImageFolder(const std::string& path, const ImageFolderOptions& options, const RowsPlace& place,
                                std::stop_token stop = {});

/// The schema of the same from the names alone: `rows` counts images that may yet turn out to be bad.
Result<pipeline::RowsSchema> inspectImageFolder(const std::string& path, const ImageFolderOptions& options);

/// SHA-256 over the images' names and contents. Errors: those of ImageFolder.
Result<std::string> hashImageFolder(const std::string& path);

} // namespace millrace::data
