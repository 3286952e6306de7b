#include "engine/data/idx.h"

#include "kernels/base/text.h"
#include "kernels/base/units.h"

#include <algorithm>
#include <array>
#include <set>

namespace millrace::data {

namespace {
constexpr unsigned kUnsignedByte = 0x08;
constexpr std::uint64_t kMaximumBytes = 8ull << 30;
constexpr std::int64_t kMaximumChannels = 4;

Error refuse(const std::string& fileName, std::string what)
{
    return makeError(Code::InvalidFormat, std::move(what)).atFile(fileName);
}

Status checkMagic(const std::array<unsigned char, 4>& magic, const std::string& fileName)
{
    constexpr std::array<unsigned, 6> kTypes{0x08, 0x09, 0x0B, 0x0C, 0x0D, 0x0E};
    const bool known = std::find(kTypes.begin(), kTypes.end(), magic[2]) != kTypes.end();
    if (magic[0] != 0 || magic[1] != 0 || !known || magic[3] == 0)
        return refuse(fileName, str("The file begins with the bytes ", magic[0], " ", magic[1], " ", magic[2], " ",
                                    magic[3], "; an IDX file begins with 0 0, a type and a rank."));
    if (magic[2] != kUnsignedByte)
        return makeError(Code::Unsupported, "The IDX file holds numbers of another type than unsigned bytes.")
            .atFile(fileName);
    if (magic[3] > Shape::kMaxRank)
        return refuse(fileName, str("The IDX file has ", magic[3], " dimensions; at most 8 are read."));
    return {};
}

Status checkSize(const Shape& shape, const ContentSize& size, const std::string& fileName)
{
    const std::uint64_t header = 4 + 4 * shape.rank();
    const auto expected = header + static_cast<std::uint64_t>(shape.elements());
    if (expected > kMaximumBytes)
        return makeError(Code::TooLarge, str("The IDX file states ", shape.toString(), " bytes; at most ",
                                             formatBytes(static_cast<double>(kMaximumBytes)), " are read."))
            .atFile(fileName);
    // what is packed can only be bounded yet; when it is read its size must be exact, too
    if (size.packed ? expected > size.atMost() : expected != size.fileBytes)
        return refuse(fileName, str("The IDX header states ", shape.toString(), " values, which is ", expected,
                                    " bytes with the header, but the file has ", size.fileBytes,
                                    size.packed ? " packed bytes." : " bytes."))
            .advise("The file is cut off or damaged; get it again.");
    return {};
}

Error countMismatch(std::int64_t images, std::int64_t labels, const std::string& imagesFile,
                    const std::string& labelsFile)
{
    return refuse(labelsFile, str("There are ", formatCount(labels), " labels for the ", formatCount(images),
                                  " images of \"", printable(imagesFile), "\"."))
        .advise("Give the two files that belong together.");
}

/// The labels that occur, ascending.
std::vector<std::uint8_t> distinctLabels(const IdxArray& labels)
{
    const std::set<std::uint8_t> distinct(labels.values.begin(), labels.values.end());
    return {distinct.begin(), distinct.end()};
}
} // namespace

Result<Shape> readIdxHeader(const ReadBytes& read, const ContentSize& size, const std::string& fileName)
{
    std::array<unsigned char, 4> magic{};
    MR_TRY(const std::size_t start, readFully(read, reinterpret_cast<char*>(magic.data()), magic.size()));
    if (start < magic.size()) return refuse(fileName, str("The file has only ", start, " bytes; it is cut off."));
    MR_CHECK(checkMagic(magic, fileName));

    std::array<unsigned char, 4 * Shape::kMaxRank> bytes{};
    const std::size_t wanted = 4u * magic[3];
    MR_TRY(const std::size_t got, readFully(read, reinterpret_cast<char*>(bytes.data()), wanted));
    if (got < wanted) return refuse(fileName, "The IDX header is cut off.");
    std::vector<std::int64_t> dimensions;
    for (std::size_t i = 0; i < wanted; i += 4)
        dimensions.push_back(static_cast<std::int64_t>(bytes[i]) << 24 | bytes[i + 1] << 16 | bytes[i + 2] << 8 |
                             bytes[i + 3]);
    auto shape = Shape::create(dimensions);
    if (!shape) return refuse(fileName, str("The sizes in the IDX header are too large: ", shape.error().message));
    MR_CHECK(checkSize(*shape, size, fileName));
    return *shape;
}

Result<IdxArray> readIdx(const ReadBytes& read, const ContentSize& size, const std::string& fileName)
{
    IdxArray array;
    MR_TRY(array.shape, readIdxHeader(read, size, fileName));
    array.values.resize(static_cast<std::size_t>(array.shape.elements()));
    MR_TRY(const std::size_t got, readFully(read, reinterpret_cast<char*>(array.values.data()), array.values.size()));
    char extra = 0;
    MR_TRY(const std::size_t more, readFully(read, &extra, 1));
    if (got < array.values.size() || more > 0)
        return refuse(fileName, str("The IDX header states ", array.shape.toString(), " values, but the file holds ",
                                    more > 0 ? "more." : str("only ", got, ".")))
            .advise("The file is damaged; get it again.");
    return array;
}

Result<pipeline::RowsSchema> imageSchema(const Shape& images, const IdxArray& labels, const std::string& imagesFile,
                                         const std::string& labelsFile)
{
    if (images.rank() != 3 && images.rank() != 4)
        return refuse(imagesFile,
                      str("The images are ", images.toString(), "; images × height × width (× channels) is expected."))
            .advise(images.rank() == 1 ? "This looks like the file of labels: are the two exchanged?" : "");
    if (labels.shape.rank() != 1)
        return refuse(labelsFile, str("The labels are ", labels.shape.toString(), "; one number an image is expected."))
            .advise("This looks like a file of images: are the two exchanged?");
    if (images[0] != labels.shape[0]) return countMismatch(images[0], labels.shape[0], imagesFile, labelsFile);
    if (images[0] == 0) return refuse(imagesFile, "There are no images in the file.");
    const std::int64_t channels = images.rank() == 4 ? images[3] : 1;
    if (images[1] < 1 || images[2] < 1 || channels < 1 || channels > kMaximumChannels)
        return refuse(imagesFile,
                      str("The images are ", images.toString(), ": height and width of at least 1 and 1 to ",
                          kMaximumChannels, " channels, which come last, are expected."));

    const auto distinct = distinctLabels(labels);
    if (distinct.size() < 2)
        return makeError(Code::InvalidArgument, str("All ", formatCount(images[0]), " labels are ", distinct[0],
                                                    ": there is nothing to tell apart."))
            .atFile(labelsFile);
    pipeline::RowsSchema schema;
    schema.features = Shape{images[1], images[2], channels};
    schema.rows = images[0];
    schema.target = pipeline::TargetKind::Classes;
    schema.targetName = "label";
    for (const std::uint8_t label : distinct) schema.classes.push_back(str(label));
    schema.image = true;
    return schema;
}

Result<Dataset> imagesAndLabels(const IdxArray& images, const IdxArray& labels, float maximum,
                                const std::string& imagesFile, const std::string& labelsFile)
{
    Dataset rows;
    MR_TRY(rows.schema, imageSchema(images.shape, labels, imagesFile, labelsFile));
    if (*std::max_element(images.values.begin(), images.values.end()) > maximum)
        return refuse(imagesFile, str("The images hold values over ", maximum, "."));
    rows.features.assign(images.values.begin(), images.values.end());
    rows.preprocessing.steps.push_back({{"kind", "scale"},
                                        {"offset", nlohmann::json::array({0.0F})},
                                        {"factor", nlohmann::json::array({1.0F / maximum})},
                                        {"from", nlohmann::json::array({0.0F, maximum})}});
    MR_CHECK(apply(rows.preprocessing, rows.schema.features.elements(), rows.features));

    const auto distinct = distinctLabels(labels);
    std::array<std::int32_t, 256> indexOf{};
    for (std::size_t i = 0; i < distinct.size(); ++i) indexOf[distinct[i]] = static_cast<std::int32_t>(i);
    rows.labels.reserve(labels.values.size());
    for (const std::uint8_t label : labels.values) rows.labels.push_back(indexOf[label]);
    return rows;
}

} // namespace millrace::data
