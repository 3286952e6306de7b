#include "engine/data/cell.h"
#include "engine/data/csv.h"
#include "kernels/base/text.h"

namespace millrace::data {

std::string csvField(std::string_view text)
{
    constexpr std::string_view kFormulaStarts = "=+-@\t\r";
    const bool formula =
        !text.empty() && kFormulaStarts.find(text.front()) != std::string_view::npos && !parseDouble(text);
    const std::string safe = formula ? str("'", text) : std::string(text);
    if (safe.find_first_of(",;\"\t\r\n") == std::string::npos && trimmed(safe) == safe) return safe;
    std::string field = "\"";
    for (const char c : safe) {
        if (c == '"') field += '"';
        field += c;
    }
    return field + "\"";
}

} // namespace millrace::data
