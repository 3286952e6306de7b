#include "kernels/base/result.h"

#include "kernels/base/text.h"

#include <array>

namespace millrace {

namespace {
constexpr std::array<std::pair<Code, std::string_view>, 18> kCodeNames{{
    {Code::InvalidArgument, "invalid_argument"},
    {Code::InvalidFormat, "invalid_format"},
    {Code::NewerFormat, "newer_format"},
    {Code::NotFound, "not_found"},
    {Code::AlreadyExists, "already_exists"},
    {Code::Unsupported, "unsupported"},
    {Code::TooLarge, "too_large"},
    {Code::Corrupt, "corrupt"},
    {Code::Io, "io"},
    {Code::DiskFull, "disk_full"},
    {Code::Permission, "permission"},
    {Code::Busy, "busy"},
    {Code::OutOfMemory, "out_of_memory"},
    {Code::Diverged, "diverged"},
    {Code::Cancelled, "cancelled"},
    {Code::ProcessDied, "process_died"},
    {Code::DeviceLost, "device_lost"},
    {Code::Internal, "internal"},
}};
}

std::string_view codeName(Code code)
{
    for (const auto& [value, name] : kCodeNames)
        if (value == code) return name;
    return "internal";
}

Code codeFromName(std::string_view name)
{
    for (const auto& [value, known] : kCodeNames)
        if (known == name) return value;
    return Code::Internal;
}

bool Subject::empty() const
{
    return file.empty() && node.empty() && parameter.empty() && run.empty() && host.empty() && line == 0 && column == 0;
}

std::string Subject::toString() const
{
    std::string result;
    const auto add = [&](std::string_view label, std::string_view value) {
        if (value.empty()) return;
        if (!result.empty()) result += ", ";
        result += label;
        result += value;
    };
    add("", file);
    if (line > 0) add("line ", str(line));
    if (column > 0) add("column ", str(column));
    add("node ", node);
    add("parameter ", parameter);
    add("run ", run);
    add("host ", host);
    return result;
}

std::string Error::toString() const
{
    const std::string where = subject.toString();
    std::string result = where.empty() ? message : str(where, ": ", message);
    if (!advice.empty()) result += str(" ", advice);
    return result;
}

Error&& Error::at(Subject where) &&
{
    subject = std::move(where);
    return std::move(*this);
}

Error&& Error::atNode(std::string node, std::string parameter) &&
{
    subject.node = std::move(node);
    subject.parameter = std::move(parameter);
    return std::move(*this);
}

Error&& Error::atFile(std::string file, long line, long column) &&
{
    subject.file = std::move(file);
    subject.line = line;
    subject.column = column;
    return std::move(*this);
}

Error&& Error::atRun(std::string run) &&
{
    subject.run = std::move(run);
    return std::move(*this);
}

Error&& Error::advise(std::string what) &&
{
    advice = std::move(what);
    return std::move(*this);
}

} // namespace millrace
