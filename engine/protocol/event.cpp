#include "engine/protocol/event.h"

#include "kernels/base/text.h"

#include <cmath>
#include <limits>

namespace millrace::protocol {

namespace {
constexpr int kDepthLimit = 64;
/// What the envelope of an event is made of; a kind's own fields never have these names.
constexpr const char* kEnvelope[] = {"seq", "t", "m", "kind"};

/// Whether brackets nest deeper than the limit. Looked at before parsing: what takes a deep value apart is recursive.
bool isTooDeep(std::string_view text)
{
    int depth = 0;
    bool inString = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (inString) {
            if (c == '\\')
                ++i;
            else if (c == '"')
                inString = false;
        } else if (c == '"') {
            inString = true;
        } else if (c == '{' || c == '[') {
            if (++depth > kDepthLimit) return true;
        } else if (c == '}' || c == ']') {
            --depth;
        }
    }
    return false;
}

Result<std::int64_t> integerField(const nlohmann::json& json, const char* name, std::int64_t smallest)
{
    const auto found = json.find(name);
    if (found == json.end()) return makeError(Code::InvalidFormat, str("The event has no \"", name, "\"."));
    const bool fits = found->is_number_integer() &&
                      (!found->is_number_unsigned() ||
                       found->get<std::uint64_t>() <= std::uint64_t{std::numeric_limits<std::int64_t>::max()});
    if (!fits || found->get<std::int64_t>() < smallest)
        return makeError(Code::InvalidFormat, str("The event's \"", name, "\" is ", found->dump().substr(0, 40),
                                                  "; an integer of at least ", smallest, " is expected."));
    return found->get<std::int64_t>();
}
} // namespace

std::string toLine(const Event& event)
{
    nlohmann::ordered_json json;
    json["seq"] = event.seq;
    json["t"] = event.timeMs;
    json["m"] = event.monotonicMs;
    json["kind"] = event.kind;
    for (const auto& [key, value] : event.fields.items())
        if (!json.contains(key)) json[key] = value;
    // a text that is no UTF-8, such as part of another program's message, must not stop a run
    return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

Result<Event> parseEvent(std::string_view line)
{
    if (isTooDeep(line))
        return makeError(Code::InvalidFormat, str("The event nests deeper than ", kDepthLimit, " levels."));
    nlohmann::json json = nlohmann::json::parse(line, nullptr, false);
    if (json.is_discarded() || !json.is_object())
        return makeError(Code::InvalidFormat,
                         str("The line is no JSON object: \"", printable(line.substr(0, 60)), "\"."));
    Event event;
    MR_TRY(event.seq, integerField(json, "seq", 1));
    MR_TRY(event.timeMs, integerField(json, "t", std::numeric_limits<std::int64_t>::min()));
    if (json.contains("m")) {
        MR_TRY(event.monotonicMs, integerField(json, "m", 0));
    }
    const auto kind = json.find("kind");
    if (kind == json.end() || !kind->is_string() || kind->get_ref<const std::string&>().empty())
        return makeError(Code::InvalidFormat, "The event has no \"kind\".");
    event.kind = kind->get<std::string>();
    for (const char* name : kEnvelope) json.erase(name);
    event.fields = std::move(json);
    return event;
}

nlohmann::json errorToJson(const Error& error)
{
    nlohmann::json json{{"code", codeName(error.code)}, {"message", error.message}};
    if (!error.advice.empty()) json["advice"] = error.advice;
    const Subject& subject = error.subject;
    nlohmann::json where = nlohmann::json::object();
    const auto put = [&](const char* name, const std::string& value) {
        if (!value.empty()) where[name] = value;
    };
    put("file", subject.file);
    if (subject.line > 0) where["line"] = subject.line;
    if (subject.column > 0) where["column"] = subject.column;
    put("node", subject.node);
    put("parameter", subject.parameter);
    put("run", subject.run);
    put("host", subject.host);
    if (!where.empty()) json["subject"] = std::move(where);
    return json;
}

Error errorFromJson(const nlohmann::json& json)
{
    const auto text = [](const nlohmann::json& from, const char* name) {
        const auto found = from.is_object() ? from.find(name) : from.end();
        return found != from.end() && found->is_string() ? found->get<std::string>() : std::string();
    };
    const auto number = [](const nlohmann::json& from, const char* name) -> long {
        const auto found = from.is_object() ? from.find(name) : from.end();
        return found != from.end() && found->is_number_integer() ? found->get<long>() : 0;
    };
    Error error{codeFromName(text(json, "code")), text(json, "message"), {}, text(json, "advice")};
    if (json.is_object() && json.contains("subject")) {
        const nlohmann::json& where = json["subject"];
        error.subject = {text(where, "file"),      number(where, "line"), number(where, "column"), text(where, "node"),
                         text(where, "parameter"), text(where, "run"),    text(where, "host")};
    }
    return error;
}

nlohmann::json metricValue(double value)
{
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
    return value;
}

std::optional<double> metricValueFrom(const nlohmann::json& json)
{
    if (json.is_number()) return json.get<double>();
    if (!json.is_string()) return std::nullopt;
    const auto& text = json.get_ref<const std::string&>();
    if (text == "NaN") return std::numeric_limits<double>::quiet_NaN();
    if (text == "Infinity") return std::numeric_limits<double>::infinity();
    if (text == "-Infinity") return -std::numeric_limits<double>::infinity();
    return std::nullopt;
}

} // namespace millrace::protocol
