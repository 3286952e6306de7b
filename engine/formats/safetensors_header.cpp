#include "engine/formats/safetensors_header.h"

#include "kernels/base/text.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>

namespace millrace::formats {

namespace {
constexpr std::array<std::pair<std::string_view, DType>, 7> kTypes{{{"F64", DType::F64},
                                                                    {"F32", DType::F32},
                                                                    {"BF16", DType::BF16},
                                                                    {"F16", DType::F16},
                                                                    {"I64", DType::I64},
                                                                    {"I32", DType::I32},
                                                                    {"U8", DType::U8}}};

/// Follows the only structure that a header may have:
///   {name: {"dtype": text, "shape": [whole numbers], "data_offsets": [begin, end]}, "__metadata__": {text: text}}
/// Any other event ends the reading with `problem` set.
class HeaderEvents : public nlohmann::json_sax<nlohmann::json>
{
public:
    SafetensorsHeader header;
    std::optional<Error> problem;

    bool key(string_t& text) override
    {
        m_key = text;
        switch (m_place) {
        case Place::Top:
            return startEntry();
        case Place::Metadata:
            return header.metadata.contains(m_key) ? fail(str("the metadata name \"", shown(m_key), "\" twice")) : true;
        case Place::Entry:
            return startField();
        default:
            return fail("a name out of place");
        }
    }

    bool string(string_t& text) override
    {
        if (m_place == Place::Metadata) {
            header.metadata[m_key] = text;
            return true;
        }
        if (m_place != Place::Entry || m_key != "dtype") return fail("a text out of place");
        const auto type = dtypeFromSafetensors(text);
        if (!type) {
            problem = makeError(Code::Unsupported, str("Tensor \"", shown(m_entry.name), "\" has the type \"",
                                                       shown(text), "\", which this build does not hold."))
                          .advise("Convert it to F32, BF16 or F16 first.");
            return false;
        }
        m_entry.type = *type;
        return true;
    }

    bool number_unsigned(number_unsigned_t value) override
    {
        if (m_place == Place::Shape) {
            if (value > static_cast<std::uint64_t>(INT64_MAX)) return fail("a dimension over 2^63 - 1");
            if (m_shape.size() == Shape::kMaxRank) return fail("a shape of more than 8 dimensions");
            m_shape.push_back(static_cast<std::int64_t>(value));
            return true;
        }
        if (m_place != Place::Offsets) return fail("a number out of place");
        if (m_offsets.size() == 2) return fail("more than two data_offsets");
        m_offsets.push_back(value);
        return true;
    }

    bool start_object(std::size_t) override
    {
        switch (m_place) {
        case Place::Start:
            m_place = Place::Top;
            return true;
        case Place::Top:
            m_place = m_key == "__metadata__" ? Place::Metadata : Place::Entry;
            return true;
        default:
            return fail("an object out of place");
        }
    }

    bool end_object() override
    {
        switch (m_place) {
        case Place::Entry:
            return endEntry();
        case Place::Metadata:
            m_place = Place::Top;
            return true;
        default:
            m_place = Place::Start;
            return true;
        }
    }

    bool start_array(std::size_t) override
    {
        if (m_place == Place::Entry && m_key == "shape")
            m_place = Place::Shape;
        else if (m_place == Place::Entry && m_key == "data_offsets")
            m_place = Place::Offsets;
        else
            return fail("a list out of place");
        return true;
    }

    bool end_array() override
    {
        m_place = Place::Entry;
        return true;
    }

    bool null() override { return fail("null"); }
    bool boolean(bool) override { return fail("true or false"); }
    bool number_integer(number_integer_t value) override { return fail(str("the negative number ", value)); }
    bool number_float(number_float_t, const string_t& text) override { return fail(str("the number ", shown(text))); }
    bool binary(binary_t&) override { return fail("binary data"); }
    bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override
    {
        problem = makeError(Code::InvalidFormat, str("The header is no valid JSON at its byte ", position, "."));
        return false;
    }

private:
    enum class Place
    {
        Start,
        Top,
        Metadata,
        Entry,
        Shape,
        Offsets
    };

    static std::string shown(std::string_view text) { return printable(text.substr(0, 100)); }

    bool fail(std::string_view what)
    {
        const std::string where = m_entry.name.empty() ? "The header" : str("The entry \"", shown(m_entry.name), "\"");
        problem = makeError(Code::InvalidFormat, str(where, " holds ", what, ", which the format does not allow."));
        return false;
    }

    bool startEntry()
    {
        if (!m_names.insert(m_key).second) return fail(str("the name \"", shown(m_key), "\" twice"));
        m_entry = {};
        m_entry.name = m_key;
        m_shape.clear();
        m_offsets.clear();
        m_fields.clear();
        return true;
    }

    bool startField()
    {
        if (m_key != "dtype" && m_key != "shape" && m_key != "data_offsets")
            return fail(str("the unknown field \"", shown(m_key), "\""));
        return m_fields.insert(m_key).second ? true : fail(str("\"", m_key, "\" twice"));
    }

    bool endEntry()
    {
        if (m_fields.size() != 3) return fail("not all of dtype, shape and data_offsets");
        if (m_offsets.size() != 2) return fail("data_offsets that are no pair");
        auto shape = Shape::create(m_shape);
        if (!shape) return fail(str("a shape that is too large: ", shape.error().message));
        m_entry.shape = *shape;
        m_entry.begin = m_offsets[0];
        m_entry.end = m_offsets[1];
        header.entries.push_back(m_entry);
        m_place = Place::Top;
        return true;
    }

    Place m_place = Place::Start;
    std::string m_key;
    SafetensorsHeader::Entry m_entry;
    std::vector<std::int64_t> m_shape;
    std::vector<std::uint64_t> m_offsets;
    std::set<std::string> m_fields;
    std::set<std::string> m_names;
};

Status checkEntry(const SafetensorsHeader::Entry& entry, std::uint64_t expectedBegin, std::uint64_t dataBytes)
{
    const auto refuse = [&](const std::string& what) {
        return makeError(Code::InvalidFormat, str("Tensor \"", printable(entry.name.substr(0, 100)), "\" ", what));
    };
    if (entry.begin != expectedBegin)
        return refuse(str("begins at byte ", entry.begin, ", but the tensor before it ends at ", expectedBegin,
                          "; tensors must follow each other without holes or overlap."));
    if (entry.end < entry.begin || entry.end > dataBytes)
        return refuse(str("ends at byte ", entry.end, ", which lies outside the ", dataBytes, " bytes of the data."));
    const auto elementBytes = static_cast<std::int64_t>(sizeBytes(entry.type));
    const auto bytes = checkedMultiply(entry.shape.elements(), elementBytes);
    if (!bytes || static_cast<std::uint64_t>(*bytes) != entry.end - entry.begin)
        return refuse(str("has ", entry.end - entry.begin, " bytes, but ", entry.shape.toString(), " of ",
                          safetensorsName(entry.type), " are ", bytes ? str(*bytes) : "more than 2^63", "."));
    if (entry.begin % static_cast<std::uint64_t>(elementBytes) != 0)
        return refuse(
            str("begins at byte ", entry.begin, ", which is no multiple of its element's ", elementBytes, " bytes."));
    return {};
}
} // namespace

std::string_view safetensorsName(DType type)
{
    for (const auto& [name, known] : kTypes)
        if (known == type) return name;
    return "?";
}

std::optional<DType> dtypeFromSafetensors(std::string_view name)
{
    for (const auto& [known, type] : kTypes)
        if (known == name) return type;
    return std::nullopt;
}

Result<SafetensorsHeader> parseSafetensorsHeader(std::string_view json, std::uint64_t dataBytes)
{
    if (json.empty() || json.front() != '{')
        return makeError(Code::InvalidFormat, "The header does not start with '{'.");
    // the JSON reader takes a NUL for the end, so that anything could hide behind it
    if (json.find('\0') != std::string_view::npos)
        return makeError(Code::InvalidFormat, "The header holds a NUL byte.");
    HeaderEvents events;
    nlohmann::json::sax_parse(json.begin(), json.end(), &events);
    if (events.problem) return *events.problem;

    SafetensorsHeader header = std::move(events.header);
    // a tensor without elements begins where the one after it does: it comes first
    std::stable_sort(header.entries.begin(), header.entries.end(), [](const auto& a, const auto& b) {
        return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
    });
    std::uint64_t position = 0;
    for (const auto& entry : header.entries) {
        MR_CHECK(checkEntry(entry, position, dataBytes));
        position = entry.end;
    }
    if (position != dataBytes)
        return makeError(Code::InvalidFormat, str("The tensors end at byte ", position,
                                                  " of the data, but the file has ", dataBytes, " bytes of data."));
    return header;
}

} // namespace millrace::formats
