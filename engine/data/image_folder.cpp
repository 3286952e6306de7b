#include "engine/data/image_folder.h"

#include "engine/data/image.h"
#include "engine/data/image_files.h"
#include "kernels/base/hash.h"
#include "kernels/base/text.h"
#include "kernels/base/units.h"

#include <algorithm>
#include <atomic>
#include <thread>
#include <unordered_map>

namespace millrace::data {

namespace {
constexpr std::size_t kImagesAtOnce = 256; ///< decoded by all threads, then appended in order
constexpr unsigned kMaximumThreads = 16;
constexpr std::size_t kReasonsShown = 20;

struct Picture
{
    Image image;
    std::uint64_t hash = 0; ///< of the file's bytes
    Error error;            ///< where there are no pixels
};

pipeline::RowsSchema schemaOf(const ImageFiles& files, const ImageFolderOptions& options)
{
    pipeline::RowsSchema schema;
    schema.features = Shape{options.height, options.width, options.colour ? 3 : 1};
    schema.rows = static_cast<std::int64_t>(files.files.size());
    schema.target = pipeline::TargetKind::Classes;
    schema.targetName = "class";
    schema.classes = files.classes;
    schema.image = true;
    return schema;
}

std::string count(std::int64_t number, std::string_view one, std::string_view many)
{
    return str(formatCount(number), " ", number == 1 ? one : many);
}

std::uint64_t shortHash(std::string_view bytes)
{
    return std::stoull(sha256(bytes).substr(0, 16), nullptr, 16);
}

Result<Picture> readPicture(const ImageFolder& folder, const std::string& path, const ImageFolderOptions& options)
{
    MR_TRY(const std::string bytes, folder.read(path));
    MR_TRY(const Image image, decodeImage(bytes, options.colour ? 3 : 1));
    Picture picture;
    picture.hash = shortHash(bytes);
    picture.image = resized(image, static_cast<std::size_t>(options.height), static_cast<std::size_t>(options.width));
    return picture;
}

/// What a thread does with an image: nothing may leave it but a value.
Picture pictureOrError(const ImageFolder& folder, const std::string& path, const ImageFolderOptions& options)
{
    Picture bad;
    try {
        auto picture = readPicture(folder, path, options);
        if (picture) return std::move(*picture);
        bad.error = std::move(picture).error();
    } catch (const std::exception& exception) {
        bad.error = makeError(Code::OutOfMemory, str("There is not enough memory for it (", exception.what(), ")."));
    }
    return bad;
}

std::vector<Picture> decodeAll(const ImageFolder& folder, std::span<const ImageFile> files,
                               const ImageFolderOptions& options)
{
    std::vector<Picture> pictures(files.size());
    std::atomic<std::size_t> next = 0;
    const auto work = [&] {
        for (std::size_t i = next++; i < files.size(); i = next++)
            pictures[i] = pictureOrError(folder, files[i].path, options);
    };
    std::vector<std::jthread> threads;
    const unsigned others = std::clamp(std::thread::hardware_concurrency(), 1u, kMaximumThreads) - 1;
    for (unsigned i = 0; i < others; ++i) threads.emplace_back(work);
    work();
    threads.clear(); // joins them
    return pictures;
}

/// Images that cannot be read: how many, and why.
class Quarantine
{
public:
    Quarantine(const ImageFolder& folder, std::size_t images, double percent)
        : m_folder(folder), m_images(images), m_percent(percent),
          m_allowed(static_cast<std::size_t>(static_cast<double>(images) * percent / 100))
    {
    }

    Status add(const std::string& path, const Error& error)
    {
        ++m_count;
        const std::string reason = str(printable(path), ": ", error.message);
        if (m_reasons.size() < kReasonsShown) m_reasons.push_back(reason);
        if (m_count <= m_allowed) return {};
        return makeError(Code::InvalidFormat,
                         str("More than ", m_percent, " % of the ", formatCount(static_cast<std::int64_t>(m_images)),
                             " images cannot be read. The last is ", reason))
            .atFile(joinPath(m_folder.path(), path))
            .advise("Repair or remove these images, or allow more bad ones.");
    }

    void describe(std::vector<std::string>& notes) const
    {
        if (m_count == 0) return;
        notes.push_back(str(count(static_cast<std::int64_t>(m_count), "image", "images"), " cannot be read and ",
                            m_count == 1 ? "is" : "are", " left out:"));
        notes.insert(notes.end(), m_reasons.begin(), m_reasons.end());
        if (m_count > m_reasons.size())
            notes.push_back(
                str("… and ", formatCount(static_cast<std::int64_t>(m_count - m_reasons.size())), " more."));
    }

private:
    const ImageFolder& m_folder;
    std::size_t m_images;
    double m_percent;
    std::size_t m_allowed, m_count = 0;
    std::vector<std::string> m_reasons;
};

/// Images whose files are the same, byte by byte: a split may put one into training and the other into the test.
class Repetitions
{
public:
    void add(std::uint64_t hash, std::size_t index, const std::vector<ImageFile>& files)
    {
        const auto [entry, isNew] = m_first.try_emplace(hash, static_cast<std::uint32_t>(index));
        if (isNew) return;
        const ImageFile &first = files[entry->second], &second = files[index];
        if (first.label != second.label) ++m_acrossClasses;
        if (++m_count == 1) m_example = str(printable(first.path), " and ", printable(second.path));
    }

    void describe(std::vector<std::string>& notes) const
    {
        if (m_count == 0) return;
        std::string note = str(count(m_count, "image is", "images are"), " the same as another, for example ",
                               m_example, "; a split may put one into training and the other into the test.");
        if (m_acrossClasses > 0) note += str(" ", formatCount(m_acrossClasses), " of them in another class.");
        notes.push_back(std::move(note));
    }

private:
    std::unordered_map<std::uint64_t, std::uint32_t> m_first;
    std::int64_t m_count = 0, m_acrossClasses = 0;
    std::string m_example;
};

void describeLeftOut(const ImageFiles& files, std::vector<std::string>& notes)
{
    const auto note = [&](std::int64_t number, std::string_view one, std::string_view many) {
        if (number > 0) notes.push_back(count(number, one, many));
    };
    note(files.links, "link is not followed.", "links are not followed.");
    note(files.others, "file is left out: its name is not that of a PNG or JPEG file.",
         "files are left out: their names are not those of PNG or JPEG files.");
    note(files.outside, "image beside the classes' folders is left out.",
         "images beside the classes' folders are left out.");
    if (!files.emptyOnes.empty())
        note(static_cast<std::int64_t>(files.emptyOnes.size()), "folder without images is no class.",
             "folders without images are no classes.");
}
} // namespace

Result<Dataset> readImageFolder(const std::string& path, const ImageFolderOptions& options, const RowsPlace& place,
                                std::stop_token stop)
{
    MR_TRY(const ImageFolder folder, ImageFolder::open(path));
    MR_TRY(const ImageFiles files, folder.list(stop));
    constexpr float kWhite = 255;
    Dataset description;
    description.schema = schemaOf(files, options);
    description.preprocessing.steps.push_back({{"kind", "scale"},
                                               {"offset", nlohmann::json::array({0.0F})},
                                               {"factor", nlohmann::json::array({1.0F / kWhite})},
                                               {"from", nlohmann::json::array({0.0F, kWhite})}});
    MR_TRY(RowsBuilder builder, RowsBuilder::create(std::move(description), place));
    Quarantine quarantine(folder, files.files.size(), options.badPercent);
    Repetitions repetitions;
    for (std::size_t begin = 0; begin < files.files.size(); begin += kImagesAtOnce) {
        if (stop.stop_requested()) return makeError(Code::Cancelled, "Reading the images was cancelled.").atFile(path);
        const auto chunk = std::span(files.files).subspan(begin, std::min(kImagesAtOnce, files.files.size() - begin));
        const std::vector<Picture> pictures = decodeAll(folder, chunk, options);
        for (std::size_t i = 0; i < chunk.size(); ++i) {
            if (pictures[i].image.pixels.empty()) {
                MR_CHECK(quarantine.add(chunk[i].path, pictures[i].error));
                continue;
            }
            repetitions.add(pictures[i].hash, begin + i, files.files);
            for (const std::uint8_t value : pictures[i].image.pixels)
                builder.rows().features.push_back(static_cast<float>(value) * (1.0F / kWhite));
            builder.rows().labels.push_back(chunk[i].label);
            MR_CHECK(builder.keep());
        }
    }
    MR_TRY(Dataset rows, builder.finish());
    quarantine.describe(rows.notes);
    repetitions.describe(rows.notes);
    describeLeftOut(files, rows.notes);
    return rows;
}

Result<pipeline::RowsSchema> inspectImageFolder(const std::string& path, const ImageFolderOptions& options)
{
    MR_TRY(const ImageFolder folder, ImageFolder::open(path));
    MR_TRY(const ImageFiles files, folder.list({}));
    return schemaOf(files, options);
}

Result<std::string> hashImageFolder(const std::string& path)
{
    MR_TRY(const ImageFolder folder, ImageFolder::open(path));
    MR_TRY(const ImageFiles files, folder.list({}));
    Sha256 hash;
    for (const ImageFile& file : files.files) {
        auto bytes = folder.read(file.path);
        // one that cannot be read is left out of the rows, or stops them; its absence counts
        hash.add(str(file.path, '\0', bytes ? sha256(*bytes) : std::string(), '\0'));
    }
    return hash.hex();
}

} // namespace millrace::data
