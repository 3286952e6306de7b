// One line of a case file, such as `conv2d B=32 H=8 W=8 C=1 O=16 K=3 stride=1 pad=1`.
#pragma once

#include "kernels/base/result.h"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::test {

class Case
{
public:
    /// Errors: InvalidFormat for a word without `=` after the first.
    static Result<Case> parse(std::string_view line);

    const std::string& operation() const { return m_operation; }
    const std::string& line() const { return m_line; }

    // A value that is not there and has no default, or is no number, is noted for problem().
    std::int64_t integer(const std::string& key);
    std::int64_t integer(const std::string& key, std::int64_t otherwise);
    double number(const std::string& key, double otherwise);
    std::string word(const std::string& key);

    /// What is wrong with the line after an operation has read it: a missing value, or one that nobody asked for.
    std::string problem() const;

private:
    std::string m_operation, m_line, m_problem;
    std::map<std::string, std::string> m_values; ///< those not read yet
    std::map<std::string, std::string> m_read;
    const std::string* find(const std::string& key);
};

/// The cases of a file: a line each, `#` starts a comment. Errors: NotFound, InvalidFormat with file and line.
Result<std::vector<Case>> readCases(const std::string& path);

} // namespace millrace::test
