#include "engine/data/data.h"

#include "engine/data/csv.h"
#include "engine/data/idx.h"
#include "engine/data/image_folder.h"
#include "engine/data/path_reference.h"
#include "engine/data/shard_reader.h"
#include "engine/data/text.h"
#include "kernels/base/files.h"
#include "kernels/base/hash.h"
#include "kernels/base/text.h"

#include <map>
#include <memory>
#include <mutex>
#include <sys/stat.h>

namespace millrace::data {

namespace {
using pipeline::Node;
using pipeline::NodeSpec;

constexpr std::uint64_t kPlainInspectBytes = 8u << 20; ///< read whole: some 30 ms
constexpr std::uint64_t kInspectBytes = 1u << 20;      ///< of larger files
constexpr float kDigitsMaximum = 16, kByteMaximum = 255;
constexpr std::size_t kAnswersRemembered = 256;

std::string textParam(const Node& node, const NodeSpec& spec, std::string_view id)
{
    const auto value = pipeline::paramValue(node, spec, id);
    return value.is_string() ? value.get<std::string>() : std::string();
}

Result<std::string> pathParam(const Node& node, const NodeSpec& spec, const std::string& id, const Folders& folders)
{
    auto reference = classifyPath(textParam(node, spec, id), folders.base);
    if (!reference) return std::move(reference).error().atNode(node.id, id);
    return reference->resolved;
}

/// A file of the node and the parameter that names it.
struct NodeFile
{
    std::string parameter, path;
};

/// The files that a data node reads, in a fixed order.
Result<std::vector<NodeFile>> filesOf(const Node& node, const NodeSpec& spec, const Folders& folders)
{
    std::vector<NodeFile> files;
    std::vector<std::string> parameters;
    if (node.type == "data.builtin") {
        const std::string name = textParam(node, spec, "name");
        if (name != "digits")
            return makeError(Code::NotFound,
                             str("There is no built-in data set \"", printable(name), "\"; there is digits."))
                .atNode(node.id, "name");
        const std::string folder = joinPath(folders.resources, "data/digits/");
        return std::vector<NodeFile>{{"name", folder + "images-idx3-ubyte.gz"},
                                     {"name", folder + "labels-idx1-ubyte.gz"}};
    }
    if (node.type == "data.csv")
        parameters = {"path"};
    else if (node.type == "data.idx")
        parameters = {"images", "labels"};
    else if (node.type == "data.shards")
        parameters = {"path"};
    else if (node.type == "data.text" && textParam(node, spec, "tokenizer") == "gpt2")
        parameters = {"path", "vocab", "merges"};
    else if (node.type == "data.text" || node.type == "data.image_folder")
        parameters = {"path"};
    else
        return makeError(Code::Unsupported, str("\"", printable(node.type), "\" is not a source of rows."))
            .atNode(node.id);
    for (const std::string& parameter : parameters) {
        MR_TRY(std::string path, pathParam(node, spec, parameter, folders));
        files.push_back({parameter, std::move(path)});
    }
    return files;
}

/// The result, its error told where it belongs: to the node, and to the parameter that names the file it is about.
template <class T> Result<T> atNode(Result<T> result, const Node& node, const std::vector<NodeFile>& files)
{
    if (result) return result;
    Error error = std::move(result).error();
    std::string parameter = files.front().parameter;
    for (const NodeFile& file : files)
        if (file.path == error.subject.file) parameter = file.parameter;
    if (error.code == Code::NotFound && error.subject.line > 0) parameter = "target"; // a column, not a file
    return std::move(error).atNode(node.id, parameter);
}

CsvOptions csvOptions(const Node& node, const NodeSpec& spec)
{
    CsvOptions options;
    options.target = textParam(node, spec, "target");
    if (const std::string delimiter = textParam(node, spec, "delimiter"); !delimiter.empty())
        options.delimiter = delimiter;
    for (const std::string_view name : split(textParam(node, spec, "ignore"), ','))
        if (!trimmed(name).empty()) options.ignore.emplace_back(trimmed(name));
    return options;
}

Result<IdxArray> readIdxFile(const std::string& path)
{
    MR_TRY(const ContentSize size, contentSize(path));
    MR_TRY(const OpenBytes open, openFile(path));
    MR_TRY(const ReadBytes read, open());
    return readIdx(read, size, path);
}

Result<Dataset> loadImages(const std::vector<NodeFile>& files, float maximum, std::stop_token stop)
{
    MR_TRY(const IdxArray images, readIdxFile(files[0].path));
    if (stop.stop_requested())
        return makeError(Code::Cancelled, "Reading the file was cancelled.").atFile(files[0].path);
    MR_TRY(const IdxArray labels, readIdxFile(files[1].path));
    return imagesAndLabels(images, labels, maximum, files[0].path, files[1].path);
}

Result<pipeline::RowsSchema> inspectImages(const std::vector<NodeFile>& files)
{
    MR_TRY(const ContentSize size, contentSize(files[0].path));
    MR_TRY(const OpenBytes open, openFile(files[0].path));
    MR_TRY(const ReadBytes read, open());
    MR_TRY(const Shape images, readIdxHeader(read, size, files[0].path));
    MR_TRY(const IdxArray labels, readIdxFile(files[1].path));
    return imageSchema(images, labels, files[0].path, files[1].path);
}

Result<Dataset> loadCsv(const std::string& path, const CsvOptions& options, const RowsPlace& place,
                        std::stop_token stop)
{
    MR_TRY(const OpenBytes open, openFile(path));
    return readCsv(open, options, path, place, stop);
}

Result<pipeline::RowsSchema> inspectCsvFile(const std::string& path, const CsvOptions& options)
{
    MR_TRY(const ContentSize size, contentSize(path));
    MR_TRY(const OpenBytes open, openFile(path));
    const bool whole = !size.packed && size.fileBytes <= kPlainInspectBytes;
    return inspectCsv(open, options, path, whole ? kPlainInspectBytes + 1 : kInspectBytes);
}

TextOptions textOptions(const Node& node, const NodeSpec& spec, const std::vector<NodeFile>& files)
{
    TextOptions options;
    options.tokenizer = textParam(node, spec, "tokenizer");
    options.vocabulary = pipeline::paramValue(node, spec, "vocabulary").get<std::int64_t>();
    if (files.size() == 3) {
        options.vocabFile = files[1].path;
        options.mergesFile = files[2].path;
    }
    return options;
}

Result<TokenSet> loadText(const std::string& path, const TextOptions& options, std::stop_token stop)
{
    MR_TRY(const OpenBytes open, openFile(path));
    return readText(open, options, path, stop);
}

Result<pipeline::RowsSchema> inspectTextFile(const std::string& path, const TextOptions& options)
{
    MR_TRY(const ContentSize size, contentSize(path));
    MR_TRY(const OpenBytes open, openFile(path));
    return inspectText(open, size, options, path);
}

ImageFolderOptions imageOptions(const Node& node, const NodeSpec& spec)
{
    ImageFolderOptions options;
    options.height = pipeline::paramValue(node, spec, "height").get<std::int64_t>();
    options.width = pipeline::paramValue(node, spec, "width").get<std::int64_t>();
    options.colour = textParam(node, spec, "mode") != "grey";
    options.badPercent = pipeline::paramValue(node, spec, "bad").get<double>();
    return options;
}

/// What shows that a file, or what lies in a folder and its folders, was changed; empty where it is not there.
std::string stampOf(const std::string& path, bool withFolders)
{
    struct stat status
    {
    };
    if (::stat(path.c_str(), &status) != 0) return {};
    std::string stamp = str('\0', path, '\0', status.st_size, '\0', status.st_ino, '\0', status.st_mtim.tv_sec, '\0',
                            status.st_mtim.tv_nsec);
    if (!S_ISDIR(status.st_mode) || !withFolders) return stamp;
    for (const std::string& name : listDirectory(path).value_or(std::vector<std::string>()))
        stamp += stampOf(joinPath(path, name), false);
    return stamp;
}

Result<pipeline::RowsSchema> inspectShards(const std::string& path)
{
    MR_TRY(const auto shards, ShardSet::open(path));
    return shards->description().schema;
}

/// Node parameters and the files' stamps: while it stays the same, so does the answer of `inspect`.
std::string inspectKey(const Node& node, const std::vector<NodeFile>& files)
{
    std::string key =
        str(node.id, '\0', node.type, '\0', node.params.dump(-1, ' ', false, pipeline::Json::error_handler_t::replace));
    for (const NodeFile& file : files) {
        const std::string stamp = stampOf(file.path, true);
        if (stamp.empty()) return {};
        key += stamp;
    }
    return key;
}

class RememberingInspector
{
public:
    explicit RememberingInspector(Folders folders) : m_folders(std::move(folders)) {}

    Result<pipeline::RowsSchema> inspect(const Node& node, const NodeSpec& spec)
    {
        MR_TRY(const auto files, filesOf(node, spec, m_folders));
        const std::string key = inspectKey(node, files);
        {
            const std::lock_guard lock(m_mutex);
            if (const auto found = m_answers.find(key); found != m_answers.end()) return found->second;
        }
        auto answer = data::inspect(node, spec, m_folders);
        if (key.empty()) return answer; // a file is missing, and may come
        const std::lock_guard lock(m_mutex);
        if (m_answers.size() >= kAnswersRemembered) m_answers.clear();
        m_answers.emplace(key, answer);
        return answer;
    }

private:
    Folders m_folders;
    std::mutex m_mutex; ///< guards m_answers
    std::map<std::string, Result<pipeline::RowsSchema>> m_answers;
};
} // namespace

Result<std::string> folderOf(const Node& node, const NodeSpec& spec, const Folders& folders)
{
    return pathParam(node, spec, "path", folders);
}

Result<Dataset> load(const Node& node, const NodeSpec& spec, const Folders& folders, std::stop_token stop)
{
    MR_TRY(const auto files, filesOf(node, spec, folders));
    if (node.type == "data.csv")
        return atNode(loadCsv(files[0].path, csvOptions(node, spec), folders.place, stop), node, files);
    if (node.type == "data.shards")
        return atNode(openShards(files[0].path, folders.place.memoryBytes), node, files);
    if (node.type == "data.image_folder")
        return atNode(readImageFolder(files[0].path, imageOptions(node, spec), folders.place, stop), node, files);
    const float maximum = node.type == "data.builtin" ? kDigitsMaximum : kByteMaximum;
    return atNode(loadImages(files, maximum, stop), node, files);
}

Result<TokenSet> loadTokens(const Node& node, const NodeSpec& spec, const Folders& folders, std::stop_token stop)
{
    MR_TRY(const auto files, filesOf(node, spec, folders));
    return atNode(loadText(files[0].path, textOptions(node, spec, files), stop), node, files);
}

Result<pipeline::RowsSchema> inspect(const Node& node, const NodeSpec& spec, const Folders& folders)
{
    MR_TRY(const auto files, filesOf(node, spec, folders));
    if (node.type == "data.shards") return atNode(inspectShards(files[0].path), node, files);
    if (node.type == "data.text")
        return atNode(inspectTextFile(files[0].path, textOptions(node, spec, files)), node, files);
    if (node.type == "data.image_folder")
        return atNode(inspectImageFolder(files[0].path, imageOptions(node, spec)), node, files);
    if (node.type == "data.csv") return atNode(inspectCsvFile(files[0].path, csvOptions(node, spec)), node, files);
    return atNode(inspectImages(files), node, files);
}

pipeline::InspectData rememberingInspector(Folders folders)
{
    // shared, because std::function must be copyable; all copies remember together
    auto inspector = std::make_shared<RememberingInspector>(std::move(folders));
    return [inspector](const Node& node, const NodeSpec& spec) { return inspector->inspect(node, spec); };
}

Result<std::string> contentHash(const Node& node, const NodeSpec& spec, const Folders& folders)
{
    MR_TRY(const auto files, filesOf(node, spec, folders));
    if (node.type == "data.image_folder") return atNode(hashImageFolder(files[0].path), node, files);
    if (node.type == "data.shards") {
        MR_TRY(const auto shards, atNode(ShardSet::open(files[0].path), node, files));
        return shards->contentHash();
    }
    std::string hashes;
    for (const NodeFile& file : files) {
        MR_TRY(const std::string hash, atNode(sha256OfFile(file.path), node, files));
        hashes += hash + "\n";
    }
    return sha256(hashes);
}

} // namespace millrace::data
