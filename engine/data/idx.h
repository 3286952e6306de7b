// IDX files (MNIST's format), plain or gzip: a big-endian header with the sizes, then the bytes.
// Source: Y. LeCun, "The MNIST database of handwritten digits", section "File formats".
#pragma once

#include "engine/data/byte_source.h"
#include "engine/data/dataset.h"

#include <string>
#include <vector>

namespace millrace::data {

/// The shape that the header states, its bytes compared with the content's before anything is allocated.
/// Errors: InvalidFormat (magic, sizes that do not fit the file), Unsupported (elements other than bytes), TooLarge.
Result<Shape> readIdxHeader(const ReadBytes& read, const ContentSize& size, const std::string& fileName);

struct IdxArray
{
    Shape shape;
    std::vector<std::uint8_t> values;
};

/// The whole file; its size must be exactly what the header says.
Result<IdxArray> readIdx(const ReadBytes& read, const ContentSize& size, const std::string& fileName);

/// Rows from images (N,H,W) or (N,H,W,C) and labels (N). Pixels are scaled from 0 … maximum to 0 … 1 as fitted
/// preprocessing; classes are the labels that occur. Errors: InvalidFormat, InvalidArgument.
Result<Dataset> imagesAndLabels(const IdxArray& images, const IdxArray& labels, float maximum,
                                const std::string& imagesFile, const std::string& labelsFile);

/// The schema of the same, from the images' shape and the labels.
Result<pipeline::RowsSchema> imageSchema(const Shape& images, const IdxArray& labels, const std::string& imagesFile,
                                         const std::string& labelsFile);

} // namespace millrace::data
