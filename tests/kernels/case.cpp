#include "tests/kernels/case.h"

#include "kernels/base/files.h"
#include "kernels/base/text.h"

namespace millrace::test {

Result<Case> Case::parse(std::string_view line)
{
    Case result;
    result.m_line = line;
    for (const std::string_view word : split(line, ' ')) {
        if (word.empty()) continue;
        if (result.m_operation.empty()) {
            result.m_operation = word;
            continue;
        }
        const std::size_t equals = word.find('=');
        if (equals == std::string_view::npos)
            return makeError(Code::InvalidFormat, str("\"", word, "\" is not of the form key=value."));
        result.m_values[std::string(word.substr(0, equals))] = word.substr(equals + 1);
    }
    return result;
}

const std::string* Case::find(const std::string& key)
{
    if (auto node = m_values.extract(key); !node.empty()) m_read.insert(std::move(node));
    const auto it = m_read.find(key);
    return it == m_read.end() ? nullptr : &it->second;
}

std::int64_t Case::integer(const std::string& key)
{
    if (!find(key)) m_problem = str(key, " is missing.");
    return integer(key, 1);
}

std::int64_t Case::integer(const std::string& key, std::int64_t otherwise)
{
    const std::string* text = find(key);
    if (!text) return otherwise;
    const auto value = parseInteger(*text);
    if (!value) m_problem = str(key, " is \"", *text, "\", expected an integer.");
    return value.value_or(otherwise);
}

double Case::number(const std::string& key, double otherwise)
{
    const std::string* text = find(key);
    if (!text) return otherwise;
    const auto value = parseDouble(*text);
    if (!value) m_problem = str(key, " is \"", *text, "\", expected a number.");
    return value.value_or(otherwise);
}

std::string Case::word(const std::string& key)
{
    const std::string* text = find(key);
    if (!text) m_problem = str(key, " is missing.");
    return text ? *text : std::string();
}

std::string Case::problem() const
{
    if (!m_problem.empty()) return m_problem;
    if (!m_values.empty()) return str(m_operation, " knows no ", m_values.begin()->first, ".");
    return {};
}

Result<std::vector<Case>> readCases(const std::string& path)
{
    MR_TRY(const std::string text, readFile(path, 1 << 20));
    std::vector<Case> cases;
    long number = 0;
    for (std::string_view line : split(text, '\n')) {
        ++number;
        line = trimmed(line.substr(0, line.find('#')));
        if (line.empty()) continue;
        auto parsed = Case::parse(line);
        if (!parsed) return std::move(parsed).error().atFile(path, number);
        cases.push_back(std::move(parsed).value());
    }
    return cases;
}

} // namespace millrace::test
