// Any bytes as a CSV file: an answer or an error, and rows that can be encoded again as they were.
#include "engine/data/csv.h"
#include "engine/data/encode.h"

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string_view>

using namespace millrace;

namespace {
void require(bool holds)
{
    if (!holds) std::abort();
}
} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size)
{
    const std::string_view text(reinterpret_cast<const char*>(bytes), size);
    const auto rows = data::readCsv(data::openMemory(text, "fuzz"), {}, "fuzz");
    const auto schema = data::inspectCsv(data::openMemory(text, "fuzz"), {}, "fuzz", UINT64_MAX);
    if (!rows) {
        require(!rows.error().message.empty());
        return 0;
    }
    require(schema && *schema == rows->schema);
    require(rows->rows() == rows->schema.rows);
    require(rows->labels.size() + rows->targets.size() == static_cast<std::size_t>(rows->rows()));
    for (const float value : rows->features) require(!std::isinf(value)); // NaN: missing
    for (const std::int32_t label : rows->labels)
        require(label >= 0 && static_cast<std::size_t>(label) < rows->schema.classes.size());
    (void)data::encodeLine(rows->schema, rows->preprocessing, text.substr(0, text.find('\n'))).has_value();
    return 0;
}
