// Whether a parameter's value is one that its specification allows.
#include "engine/pipeline/catalogue.h"
#include "kernels/base/text.h"
#include "kernels/base/units.h"

#include <algorithm>
#include <cmath>

namespace millrace::pipeline {

namespace {
constexpr std::size_t kTextLength = 4096;
constexpr std::size_t kNameLength = 128;
constexpr std::size_t kListLength = 64;

std::string shown(const Json& value)
{
    const std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
    return printable(text.size() <= 80 ? text : text.substr(0, 80) + "…");
}

// Numbers as people read them, but exact and without losing a fraction.
std::string number(double value)
{
    if (std::trunc(value) == value && std::abs(value) < 1e16 && std::abs(value) >= 1000)
        return formatCount(static_cast<std::int64_t>(value));
    return str(value);
}

std::string range(const ParamSpec& spec)
{
    std::string text;
    if (spec.minimum && spec.maximum)
        text = str(" from ", number(*spec.minimum), " to ", number(*spec.maximum));
    else if (spec.minimum)
        text = str(" of at least ", number(*spec.minimum));
    else if (spec.maximum)
        text = str(" of at most ", number(*spec.maximum));
    return spec.unit.empty() ? text : str(text, " ", spec.unit);
}

std::string expectation(const ParamSpec& spec)
{
    switch (spec.kind) {
    case ParamKind::Integer:
        return str("a whole number", range(spec));
    case ParamKind::Number:
        return str("a number", range(spec));
    case ParamKind::Boolean:
        return "true or false";
    case ParamKind::Choice:
        return str("one of ", joined(spec.choices, ", "));
    case ParamKind::Text:
        return spec.isName ? str("a name of at most ", kNameLength, " letters (a-z), digits, '.', '_' and '-'")
                           : str("a text of at most ", formatCount(kTextLength), " bytes");
    case ParamKind::Path:
        return spec.isFolder ? "the path of a folder" : "the path of a file";
    case ParamKind::IntegerList:
        return str("a list of at most ", kListLength, " whole numbers", range(spec), "");
    case ParamKind::Layers:
        return "a graph of layers with \"nodes\" and \"links\"";
    }
    return {};
}

bool isWhole(const Json& value)
{
    if (value.is_number_integer()) return true;
    return value.is_number_float() && std::trunc(value.get<double>()) == value.get<double>();
}

bool inRange(const ParamSpec& spec, const Json& value)
{
    if (!value.is_number()) return false;
    const double asNumber = value.get<double>();
    return std::isfinite(asNumber) && (!spec.minimum || asNumber >= *spec.minimum) &&
           (!spec.maximum || asNumber <= *spec.maximum);
}

bool isName(const std::string& text)
{
    return text.size() <= kNameLength && std::all_of(text.begin(), text.end(), [](char c) {
               return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' ||
                      c == '_' || c == '-';
           });
}

// A path that another machine would be asked for, or that no file system call takes.
bool isForeignPath(const std::string& path)
{
    return path.starts_with("\\\\") || path.starts_with("//") || path.find("://") != std::string::npos ||
           path.find('\0') != std::string::npos;
}

bool isAllowedText(const ParamSpec& spec, const std::string& text)
{
    if (text.size() > kTextLength || text.find('\0') != std::string::npos) return false;
    if (spec.kind == ParamKind::Path) return !text.empty() && !isForeignPath(text);
    if (spec.isName) return isName(text) && (!text.empty() || !spec.defaultValue.is_null());
    return true;
}

bool isAllowed(const ParamSpec& spec, const Json& value)
{
    switch (spec.kind) {
    case ParamKind::Integer:
        return inRange(spec, value) && isWhole(value);
    case ParamKind::Number:
        return inRange(spec, value);
    case ParamKind::Boolean:
        return value.is_boolean();
    case ParamKind::Choice:
        return value.is_string() &&
               std::find(spec.choices.begin(), spec.choices.end(), value.get<std::string>()) != spec.choices.end();
    case ParamKind::Text:
    case ParamKind::Path:
        return value.is_string() && isAllowedText(spec, value.get<std::string>());
    case ParamKind::IntegerList:
        return value.is_array() && value.size() <= kListLength &&
               std::all_of(value.begin(), value.end(),
                           [&](const Json& member) { return inRange(spec, member) && isWhole(member); });
    case ParamKind::Layers:
        return value.is_object();
    }
    return false;
}

std::string advice(const ParamSpec& spec, const Json& value)
{
    if (!value.is_string()) return {};
    if (spec.kind == ParamKind::Choice) return didYouMean(value.get<std::string>(), spec.choices);
    if (spec.kind == ParamKind::Path && isForeignPath(value.get<std::string>()))
        return "Addresses of other machines are not opened; copy the file beside the pipeline.";
    return {};
}
} // namespace

Status checkParam(const ParamSpec& spec, const Json& value)
{
    if (isAllowed(spec, value)) return {};
    return makeError(Code::InvalidArgument,
                     str(spec.title, " is ", shown(value), "; ", expectation(spec), " was expected."))
        .atNode({}, spec.id)
        .advise(advice(spec, value));
}

} // namespace millrace::pipeline
