#include "engine/pipeline/json_reader.h"

#include "kernels/base/text.h"
#include "kernels/base/units.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <unordered_set>

namespace millrace::pipeline {

namespace {
// Reads characters and tells how many were read; the library's own count is not shown to a handler.
class CountingIterator
{
public:
    using iterator_category = std::input_iterator_tag;
    using value_type = char;
    using difference_type = std::ptrdiff_t;
    using pointer = const char*;
    using reference = const char&;

    CountingIterator(const char* at, std::size_t* count) : m_at(at), m_count(count) {}
    reference operator*() const { return *m_at; }
    CountingIterator& operator++()
    {
        ++m_at;
        ++*m_count;
        return *this;
    }
    CountingIterator operator++(int)
    {
        CountingIterator before = *this;
        ++*this;
        return before;
    }
    bool operator==(const CountingIterator& other) const { return m_at == other.m_at; }
    bool operator!=(const CountingIterator& other) const { return m_at != other.m_at; }

private:
    const char* m_at;
    std::size_t* m_count;
};

bool isTokenCharacter(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '+' || c == '-' ||
           c == '.';
}

// Builds the value while the library's parser (which does not recurse) reads.
class Builder : public nlohmann::json_sax<Json>
{
public:
    /// `wantedPath`: of the value whose place is asked for; empty where none is.
    Builder(std::string_view text, const std::size_t& read, std::string wantedPath)
        : m_text(text), m_read(read), m_wantedPath(std::move(wantedPath))
    {
    }
    Json& value() { return m_value; }
    std::size_t wantedOffset() const { return m_wantedOffset; }

    struct Failure
    {
        Code code = Code::InvalidFormat;
        std::string message;
        std::size_t offset = 0;
    };
    const std::optional<Failure>& failure() const { return m_failure; }

    bool null() override { return scalar(Json()); }
    bool boolean(bool value) override { return scalar(value); }
    bool number_integer(number_integer_t value) override { return scalar(value); }
    bool number_unsigned(number_unsigned_t value) override { return scalar(value); }
    bool number_float(number_float_t value, const string_t& text) override
    {
        if (text.find_first_of(".eE") == std::string::npos)
            return fail(Code::InvalidFormat, str("The whole number ", text.substr(0, 40), " does not fit 64 bits."),
                        scalarStart());
        return scalar(value);
    }
    bool string(string_t& value) override
    {
        if (value.find('\0') != std::string::npos)
            return fail(Code::InvalidFormat, "A text contains the character NUL (\\u0000), which is not allowed.",
                        stringStart());
        return add(std::move(value), stringStart());
    }
    bool binary(binary_t&) override { return fail(Code::Internal, "JSON has no binary values.", m_read); }

    bool start_object(std::size_t) override { return open(Json::object()); }
    bool start_array(std::size_t) override { return open(Json::array()); }
    bool end_object() override { return close(); }
    bool end_array() override { return close(); }
    bool key(string_t& value) override
    {
        Frame& frame = m_frames.back();
        if (value.find('\0') != std::string::npos)
            return fail(Code::InvalidFormat, "A key contains the character NUL (\\u0000), which is not allowed.",
                        stringStart());
        if (!frame.keys.insert(value).second)
            return fail(Code::InvalidFormat,
                        str("The key \"", printable(value.substr(0, 80)), "\" is there twice in the same object."),
                        stringStart());
        if (frame.keys.size() > JsonLimits::kKeys)
            return fail(
                Code::TooLarge,
                str("An object has more than ", formatCount(JsonLimits::kKeys), " keys, the most that is read."),
                stringStart());
        frame.key = std::move(value);
        return true;
    }
    bool parse_error(std::size_t position, const std::string& token, const nlohmann::detail::exception& error) override
    {
        const std::size_t offset = std::min(position == 0 ? 0 : position - 1, m_text.size());
        if (error.id == 406)
            return fail(Code::InvalidFormat, str("The number ", token.substr(0, 40), " is too large for a number."),
                        scalarStart());
        const std::string_view what = error.what();
        if (what.find("unexpected end of input") != std::string_view::npos)
            return fail(Code::InvalidFormat, "The text ends too early: the rest of it is missing.", m_text.size());
        if (what.find("ill-formed UTF-8") != std::string_view::npos)
            return fail(Code::InvalidFormat, "A text is not UTF-8.", offset);
        if (what.find("invalid string") != std::string_view::npos)
            return fail(Code::InvalidFormat,
                        "A text is not closed, or has a control character or a wrong escape in it.", offset);
        return fail(Code::InvalidFormat, str("This is not JSON: '", printable(wordAt(offset)), "' cannot stand here."),
                    offset);
    }

private:
    struct Frame
    {
        Json value;
        std::string key; ///< of the member that comes next
        std::unordered_set<std::string> keys;
        std::string path;
    };

    bool fail(Code code, std::string message, std::size_t offset)
    {
        m_failure = Failure{code, std::move(message), offset};
        return false;
    }

    // Where the string that was just read begins: its opening quote. Quotes inside it follow an odd number of
    // backslashes.
    std::size_t stringStart() const
    {
        std::size_t at = m_read >= 2 ? m_read - 2 : 0;
        for (; at > 0; --at) {
            if (m_text[at] != '"') continue;
            std::size_t backslashes = 0;
            while (backslashes < at && m_text[at - 1 - backslashes] == '\\') ++backslashes;
            if (backslashes % 2 == 0) break;
        }
        return at;
    }

    // Where the number or word that was just read begins; a number was left one character late.
    std::size_t scalarStart() const
    {
        std::size_t end = m_read;
        if (end > 0 && !isTokenCharacter(m_text[end - 1])) --end;
        while (end > 0 && isTokenCharacter(m_text[end - 1])) --end;
        return end;
    }

    // The word or sign at that byte.
    std::string_view wordAt(std::size_t offset) const
    {
        constexpr std::size_t kLongest = 40;
        std::size_t end = offset;
        while (end < m_text.size() && end < offset + kLongest && isTokenCharacter(m_text[end])) ++end;
        if (end == offset) // a sign, perhaps of several bytes
            do ++end;
            while (end < m_text.size() && (static_cast<unsigned char>(m_text[end]) & 0xC0) == 0x80);
        return m_text.substr(offset, end - offset);
    }

    bool scalar(Json value) { return add(std::move(value), scalarStart()); }

    bool add(Json value, std::size_t offset)
    {
        if (!count(offset)) return false;
        watch(childPath(), offset);
        put(std::move(value));
        return true;
    }

    bool open(Json value)
    {
        const std::size_t offset = m_read - 1;
        if (m_frames.size() >= Limits::kDepth)
            return fail(Code::TooLarge, str("Values are nested more than ", Limits::kDepth, " deep."), offset);
        if (!count(offset)) return false;
        Frame frame;
        frame.value = std::move(value);
        frame.path = childPath();
        watch(frame.path, offset);
        m_frames.push_back(std::move(frame));
        return true;
    }

    bool close()
    {
        Json value = std::move(m_frames.back().value);
        m_frames.pop_back();
        put(std::move(value));
        return true;
    }

    void put(Json value)
    {
        if (m_frames.empty()) {
            m_value = std::move(value);
            return;
        }
        Frame& frame = m_frames.back();
        if (frame.value.is_array())
            frame.value.push_back(std::move(value));
        else // not by operator[], which would look through all keys again
            frame.value.get_ref<Json::object_t&>().emplace_back(std::move(frame.key), std::move(value));
    }

    bool count(std::size_t offset)
    {
        if (++m_values <= JsonLimits::kValues) return true;
        return fail(Code::TooLarge,
                    str("There are more than ", formatCount(JsonLimits::kValues), " values, the most that is read."),
                    offset);
    }

    // The path of the value that comes next, where one is looked for.
    std::string childPath() const
    {
        if (m_wantedPath.empty() || m_frames.empty()) return {};
        const Frame& frame = m_frames.back();
        const std::string name = frame.value.is_array() ? str(frame.value.size()) : frame.key;
        return frame.path.empty() ? name : str(frame.path, "/", name);
    }

    void watch(const std::string& path, std::size_t offset)
    {
        if (!path.empty() && path == m_wantedPath) m_wantedOffset = offset;
    }

    std::string_view m_text;
    const std::size_t& m_read;
    std::string m_wantedPath;
    std::size_t m_wantedOffset = 0;
    Json m_value;
    std::vector<Frame> m_frames;
    std::size_t m_values = 0;
    std::optional<Failure> m_failure;
};

// The error at that byte of the text.
Error errorAt(Error error, const std::string& fileName, std::string_view text, std::size_t offset)
{
    const std::string_view before = text.substr(0, std::min(offset, text.size()));
    const long line = 1 + std::count(before.begin(), before.end(), '\n');
    const std::string_view lastLine = before.substr(before.rfind('\n') + 1);
    // a column is a character, not a byte
    const long column = 1 + std::count_if(lastLine.begin(), lastLine.end(),
                                          [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
    return std::move(error).atFile(fileName, line, column);
}

bool parse(std::string_view text, Builder& builder, std::size_t& read)
{
    return Json::sax_parse(CountingIterator(text.data(), &read), CountingIterator(text.data() + text.size(), &read),
                           &builder);
}
} // namespace

Result<Json> readJson(std::string_view text, const std::string& fileName)
{
    if (text.size() > Limits::kFileBytes)
        return makeError(Code::TooLarge, str("The text has ", formatBytes(static_cast<double>(text.size())),
                                             "; at most ", formatBytes(Limits::kFileBytes), " are read."))
            .atFile(fileName);
    if (trimmed(text).empty()) return errorAt(makeError(Code::InvalidFormat, "The text is empty."), fileName, text, 0);
    if (const auto nul = text.find('\0'); nul != std::string_view::npos)
        return errorAt(makeError(Code::InvalidFormat, "There is a NUL byte, so this is not text."), fileName, text,
                       nul);

    std::size_t read = 0;
    Builder builder(text, read, {});
    try {
        if (parse(text, builder, read)) return std::move(builder.value());
    } catch (const std::exception& exception) { // such as std::bad_alloc; the handler takes the parser's own errors
        return makeError(Code::Internal, str("Reading JSON failed: ", exception.what())).atFile(fileName);
    }
    const Builder::Failure failure =
        builder.failure().value_or(Builder::Failure{Code::Internal, "Reading JSON failed.", 0});
    return errorAt(makeError(failure.code, failure.message), fileName, text, failure.offset);
}

Error errorAtPath(Error error, const std::string& fileName, std::string_view text, const std::string& path)
{
    std::size_t read = 0;
    Builder builder(text, read, path);
    try {
        parse(text, builder, read);
    } catch (const std::exception&) { // out of memory: then the error keeps its first line
    }
    return errorAt(std::move(error), fileName, text, builder.wantedOffset());
}

} // namespace millrace::pipeline
