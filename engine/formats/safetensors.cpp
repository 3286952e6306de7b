#include "engine/formats/safetensors.h"

#include "engine/formats/safetensors_header.h"
#include "kernels/base/files.h"
#include "kernels/base/text.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>
#include <sys/stat.h>

namespace millrace::formats {

static_assert(std::endian::native == std::endian::little, "tensors are written as they lie in memory");

namespace {
constexpr std::size_t kLengthBytes = 8;

/// What else carries models, by its first bytes, and how to get from it to safetensors.
struct ForeignFormat
{
    std::string_view start, name, advice;
};
constexpr std::array<ForeignFormat, 6> kForeign{{
    {"PK\x03\x04", "a zip archive (a PyTorch .pt, most likely)",
     "Such files can run code when they are read. Convert it where you trust it: "
     "safetensors.torch.save_file(state_dict, …)."},
    {"\x80\x02", "a Python pickle",
     "Such files can run code when they are read. Convert it where you trust it: "
     "safetensors.torch.save_file(state_dict, …)."},
    {"\x80\x04", "a Python pickle",
     "Such files can run code when they are read. Convert it where you trust it: "
     "safetensors.torch.save_file(state_dict, …)."},
    {"\x89HDF", "an HDF5 file", "Convert its weights with safetensors.numpy.save_file."},
    {"\x93NUMPY", "a NumPy file", "Convert it with safetensors.numpy.save_file."},
    {"GGUF", "a GGUF file", "Use the safetensors files it was made from."},
}};

Status refuseForeign(std::string_view start)
{
    for (const ForeignFormat& format : kForeign)
        if (start.starts_with(format.start))
            return makeError(Code::Unsupported, str("This is ", format.name, ", not a safetensors file."))
                .advise(std::string(format.advice));
    return {};
}

/// The header's length, checked against the file's.
Result<std::uint64_t> headerBytes(std::string_view start, std::uint64_t fileBytes)
{
    MR_CHECK(refuseForeign(start));
    if (start.size() < kLengthBytes)
        return makeError(Code::InvalidFormat, str("The file has only ", fileBytes, " bytes: it is cut off."));
    std::uint64_t length = 0;
    for (std::size_t i = 0; i < kLengthBytes; ++i)
        length |= static_cast<std::uint64_t>(static_cast<unsigned char>(start[i])) << (8 * i);
    if (length > fileBytes - kLengthBytes)
        return makeError(Code::InvalidFormat,
                         str("The header claims ", length, " bytes, but only ", fileBytes - kLengthBytes,
                             " follow: the file is cut off or no safetensors file."));
    if (length > kMaximumHeaderBytes)
        return makeError(Code::TooLarge,
                         str("The header has ", length, " bytes; at most ", kMaximumHeaderBytes, " are allowed."));
    return length;
}

std::vector<TensorView> viewsOf(const SafetensorsHeader& header, const std::vector<char>& data)
{
    std::vector<TensorView> views;
    for (const auto& entry : header.entries)
        views.push_back({entry.name,
                         entry.type,
                         entry.shape,
                         {data.data() + entry.begin, static_cast<std::size_t>(entry.end - entry.begin)}});
    return views;
}

template <class Bits> bool anyBits(std::string_view bytes, Bits exponent)
{
    for (std::size_t i = 0; i + sizeof(Bits) <= bytes.size(); i += sizeof(Bits)) {
        Bits bits;
        std::memcpy(&bits, bytes.data() + i, sizeof bits);
        if ((bits & exponent) == exponent) return true;
    }
    return false;
}

/// Whether any element is a NaN or an infinity: all bits of its exponent are set.
bool hasNonFinite(const TensorView& tensor)
{
    switch (tensor.type) {
    case DType::F64:
        return anyBits<std::uint64_t>(tensor.bytes, 0x7FF0000000000000u);
    case DType::F32:
        return anyBits<std::uint32_t>(tensor.bytes, 0x7F800000u);
    case DType::BF16:
        return anyBits<std::uint16_t>(tensor.bytes, 0x7F80u);
    case DType::F16:
        return anyBits<std::uint16_t>(tensor.bytes, 0x7C00u);
    default:
        return false;
    }
}
} // namespace

Result<std::string> writeSafetensors(std::span<const TensorView> tensors,
                                     const std::map<std::string, std::string>& metadata)
{
    std::vector<std::size_t> order(tensors.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        return sizeBytes(tensors[a].type) > sizeBytes(tensors[b].type);
    });

    auto header = nlohmann::ordered_json::object();
    if (!metadata.empty()) header["__metadata__"] = metadata;
    std::set<std::string_view> names;
    std::uint64_t position = 0;
    for (const std::size_t index : order) {
        const TensorView& tensor = tensors[index];
        const auto bytes = checkedMultiply(tensor.shape.elements(), static_cast<std::int64_t>(sizeBytes(tensor.type)));
        if (!bytes || static_cast<std::uint64_t>(*bytes) != tensor.bytes.size())
            return makeError(Code::InvalidArgument,
                             str("Tensor \"", tensor.name, "\" of ", tensor.shape.toString(), " ", name(tensor.type),
                                 " has ", tensor.bytes.size(), " bytes."));
        if (tensor.name == "__metadata__" || !isUtf8(tensor.name) || !names.insert(tensor.name).second)
            return makeError(Code::InvalidArgument,
                             str("The tensor name \"", printable(tensor.name), "\" is taken twice or not allowed."));
        header[tensor.name] = {{"dtype", safetensorsName(tensor.type)},
                               {"shape", tensor.shape.dimensions()},
                               {"data_offsets", {position, position + tensor.bytes.size()}}};
        position += tensor.bytes.size();
    }

    std::string text = header.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
    text.resize((text.size() + 7) / 8 * 8, ' ');
    if (text.size() > kMaximumHeaderBytes)
        return makeError(Code::TooLarge, str("The header would have ", text.size(), " bytes; at most ",
                                             kMaximumHeaderBytes, " are allowed."));
    std::string out;
    out.reserve(kLengthBytes + text.size() + position);
    for (std::size_t i = 0; i < kLengthBytes; ++i) out += static_cast<char>(text.size() >> (8 * i) & 0xFF);
    out += text;
    for (const std::size_t index : order) out += tensors[index].bytes;
    return out;
}

Safetensors::Safetensors(Safetensors&&) noexcept = default;
Safetensors& Safetensors::operator=(Safetensors&&) noexcept = default;

Result<Safetensors> Safetensors::parse(std::string_view bytes, const std::string& fileName)
{
    const auto length = headerBytes(bytes.substr(0, kLengthBytes), bytes.size());
    if (!length) return Error(length.error()).atFile(fileName);
    const auto dataStart = kLengthBytes + static_cast<std::size_t>(*length);
    auto header =
        parseSafetensorsHeader(bytes.substr(kLengthBytes, dataStart - kLengthBytes), bytes.size() - dataStart);
    if (!header) return std::move(header).error().atFile(fileName);
    Safetensors file;
    file.m_data.assign(bytes.begin() + static_cast<std::ptrdiff_t>(dataStart), bytes.end());
    file.m_tensors = viewsOf(*header, file.m_data);
    file.m_metadata = std::move(header->metadata);
    return file;
}

namespace {
struct Parts
{
    SafetensorsHeader header;
    std::vector<char> data;
};

Result<Parts> readParts(const FileHandle& handle)
{
    struct stat status
    {
    };
    if (::fstat(handle.descriptor(), &status) != 0) return errnoError("inspect", handle.path(), errno);
    if (!S_ISREG(status.st_mode)) return makeError(Code::InvalidFormat, "This is not a regular file.");
    const auto fileBytes = static_cast<std::uint64_t>(status.st_size);
    std::string start(kLengthBytes, '\0');
    MR_TRY(const std::size_t got, handle.readAt(start.data(), start.size(), 0));
    MR_TRY(const std::uint64_t length, headerBytes(std::string_view(start).substr(0, got), fileBytes));
    std::string json(length, '\0');
    MR_TRY(const std::size_t headerRead, handle.readAt(json.data(), json.size(), kLengthBytes));
    Parts parts;
    MR_TRY(parts.header,
           parseSafetensorsHeader(std::string_view(json).substr(0, headerRead), fileBytes - kLengthBytes - length));
    parts.data.resize(fileBytes - kLengthBytes - length);
    MR_TRY(const std::size_t dataRead, handle.readAt(parts.data.data(), parts.data.size(), kLengthBytes + length));
    if (dataRead != parts.data.size()) return makeError(Code::Corrupt, "The file became shorter while it was read.");
    return parts;
}
} // namespace

Result<Safetensors> Safetensors::read(const std::string& path)
{
    // O_NONBLOCK so that a FIFO in the file's place is refused instead of waited for
    MR_TRY(const FileHandle handle, FileHandle::open(path, O_RDONLY | O_NONBLOCK));
    auto parts = readParts(handle);
    if (!parts) return std::move(parts).error().atFile(path);
    Safetensors file;
    file.m_data = std::move(parts->data);
    file.m_tensors = viewsOf(parts->header, file.m_data);
    file.m_metadata = std::move(parts->header.metadata);
    return file;
}

const TensorView* Safetensors::find(std::string_view name) const
{
    const auto found = std::find_if(m_tensors.begin(), m_tensors.end(), [&](const auto& t) { return t.name == name; });
    return found == m_tensors.end() ? nullptr : &*found;
}

Result<const TensorView*> Safetensors::expect(std::string_view name, DType type, const Shape& shape) const
{
    const TensorView* tensor = find(name);
    if (tensor == nullptr) {
        std::vector<std::string> names;
        for (const auto& known : m_tensors) names.push_back(known.name);
        return makeError(Code::NotFound, str("There is no tensor \"", printable(name), "\" in the file."))
            .advise(didYouMean(name, names));
    }
    if (tensor->type != type || tensor->shape != shape)
        return makeError(Code::InvalidFormat, str("Tensor \"", printable(name), "\" is ", tensor->shape.toString(), " ",
                                                  millrace::name(tensor->type), "; ", shape.toString(), " ",
                                                  millrace::name(type), " is expected."));
    return tensor;
}

template <class T>
Result<std::vector<T>> Safetensors::elements(std::string_view name, DType type, const Shape& shape) const
{
    MR_TRY(const TensorView* tensor, expect(name, type, shape));
    if (sizeof(T) != sizeBytes(type))
        return makeError(Code::Internal,
                         str("Elements of ", millrace::name(type), " have another size than asked for."));
    std::vector<T> values(tensor->bytes.size() / sizeof(T));
    if (!values.empty()) std::memcpy(values.data(), tensor->bytes.data(), tensor->bytes.size());
    return values;
}
template Result<std::vector<float>> Safetensors::elements(std::string_view, DType, const Shape&) const;
template Result<std::vector<double>> Safetensors::elements(std::string_view, DType, const Shape&) const;
template Result<std::vector<std::int32_t>> Safetensors::elements(std::string_view, DType, const Shape&) const;
template Result<std::vector<std::int64_t>> Safetensors::elements(std::string_view, DType, const Shape&) const;
template Result<std::vector<std::uint8_t>> Safetensors::elements(std::string_view, DType, const Shape&) const;

std::vector<std::string> nonFiniteTensors(std::span<const TensorView> tensors)
{
    std::vector<std::string> names;
    for (const TensorView& tensor : tensors)
        if (hasNonFinite(tensor)) names.push_back(tensor.name);
    return names;
}

} // namespace millrace::formats
