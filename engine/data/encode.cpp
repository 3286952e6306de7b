#include "engine/data/encode.h"

#include "engine/data/cell.h"
#include "engine/data/csv_dialect.h"
#include "engine/data/csv_records.h"
#include "engine/data/table_encoder.h"
#include "kernels/base/text.h"

#include <algorithm>
#include <cmath>
#include <optional>

namespace millrace::data {

namespace {
/// The encoder of a table's text cells; nothing where rows are plain numbers.
Result<std::optional<TableEncoder>> tableOf(const Preprocessing& preprocessing)
{
    for (const auto& step : preprocessing.steps) {
        if (!step.is_object() || step.value("kind", nlohmann::json()) != "table") continue;
        MR_TRY(TableEncoder encoder, TableEncoder::fromStep(step));
        return std::optional(std::move(encoder));
    }
    return std::optional<TableEncoder>();
}

bool isUsed(const TableColumn& column)
{
    return column.role == ColumnRole::Number || column.role == ColumnRole::Category;
}

/// Which columns a row of so many cells gives: all of the file, all but the target, or only those that are used.
/// Nothing where none of these has that number.
std::optional<std::vector<bool>> givenColumns(const std::vector<TableColumn>& columns, std::size_t cells)
{
    std::vector<bool> all(columns.size(), true), withoutTarget, used;
    for (const TableColumn& column : columns) {
        withoutTarget.push_back(column.role != ColumnRole::Target);
        used.push_back(isUsed(column));
    }
    for (const auto& given : {all, withoutTarget, used})
        if (static_cast<std::size_t>(std::count(given.begin(), given.end(), true)) == cells) return given;
    return std::nullopt;
}

bool fits(const pipeline::RowsSchema& schema, const Preprocessing& preprocessing,
          const std::optional<TableEncoder>& table, std::size_t cells)
{
    return table ? givenColumns(table->columns(), cells).has_value()
                 : cells == static_cast<std::size_t>(valuesBefore(preprocessing, schema.features.elements()));
}

Error wrongCount(const pipeline::RowsSchema& schema, const Preprocessing& preprocessing, std::size_t cells)
{
    const auto names = rawColumns(schema, preprocessing);
    auto error = makeError(Code::InvalidArgument,
                           str("The row has ", cells, cells == 1 ? " value; " : " values; ",
                               schema.image ? static_cast<std::size_t>(schema.features.elements()) : names.size(),
                               " are expected."));
    if (!schema.image) error.advice = str("They are ", printable(joined(names, ", ").substr(0, 500)), ".");
    return error;
}

std::string valueName(const pipeline::RowsSchema& schema, std::size_t index)
{
    if (index < schema.columns.size()) return str("Column \"", printable(schema.columns[index].name), "\"");
    return str(schema.image ? "Pixel " : "Value ", index + 1);
}

Result<std::vector<float>> encodeTable(const pipeline::RowsSchema& schema, const Preprocessing& preprocessing,
                                       const TableEncoder& table, std::span<const std::string> cells)
{
    const auto given = givenColumns(table.columns(), cells.size());
    if (!given) return wrongCount(schema, preprocessing, cells.size());
    std::vector<std::string_view> row;
    std::size_t next = 0;
    for (const bool isGiven : *given) row.push_back(isGiven ? trimmed(cells[next++]) : std::string_view());
    std::vector<float> features;
    MR_CHECK(table.encode(row, features));
    return encodeNumbers(schema, preprocessing, features);
}
} // namespace

Result<std::vector<float>> encodeRow(const pipeline::RowsSchema& schema, const Preprocessing& preprocessing,
                                     std::span<const std::string> cells)
{
    MR_TRY(const auto table, tableOf(preprocessing));
    if (table) return encodeTable(schema, preprocessing, *table, cells);
    if (!fits(schema, preprocessing, table, cells.size())) return wrongCount(schema, preprocessing, cells.size());
    std::vector<float> values;
    for (const std::string& cell : cells) {
        const auto number = parseNumber(trimmed(cell));
        if (!number)
            return makeError(Code::InvalidArgument,
                             str(valueName(schema, values.size()), " is \"", printable(cell.substr(0, 80)),
                                 "\"; a number with a decimal point is expected."));
        values.push_back(static_cast<float>(*number));
    }
    return encodeNumbers(schema, preprocessing, values);
}

Result<std::vector<float>> encodeLine(const pipeline::RowsSchema& schema, const Preprocessing& preprocessing,
                                      std::string_view line)
{
    MR_TRY(const auto table, tableOf(preprocessing));
    std::string separators(kSeparators);
    if (table && table->separator() != '\0') separators.insert(separators.begin(), table->separator());
    std::size_t mostCells = 0;
    for (const char separator : separators) {
        MR_TRY(ReadBytes read, openMemory(line, "")());
        CsvRecords records(std::move(read), separator, "");
        const auto found = records.next();
        if (!found || !*found) continue;
        mostCells = std::max(mostCells, records.cells().size());
        if (!fits(schema, preprocessing, table, records.cells().size())) continue;
        const std::vector<std::string> cells(records.cells().begin(), records.cells().end());
        if (const auto more = records.next(); !more || *more)
            return makeError(Code::InvalidArgument, "There is more than one row.").advise("Give one row at a time.");
        return encodeRow(schema, preprocessing, cells);
    }
    return wrongCount(schema, preprocessing, mostCells);
}

Result<std::vector<float>> encodeNumbers(const pipeline::RowsSchema& schema, const Preprocessing& preprocessing,
                                         std::span<const float> values)
{
    const auto count = static_cast<std::size_t>(valuesBefore(preprocessing, schema.features.elements()));
    if (values.size() != count)
        return makeError(Code::InvalidArgument,
                         str("The row has ", values.size(), " values; ", count, " are expected."));
    const ValueRange range = rawRange(preprocessing);
    for (std::size_t i = 0; schema.image && i < count; ++i)
        if (!(values[i] >= range.minimum && values[i] <= range.maximum))
            return makeError(Code::InvalidArgument, str(valueName(schema, i), " is ", values[i], "; ", range.minimum,
                                                        " to ", range.maximum, " is expected."));
    std::vector<float> features(values.begin(), values.end());
    MR_CHECK(apply(preprocessing, static_cast<std::int64_t>(count), features));
    for (std::size_t i = 0; i < features.size(); ++i)
        if (!std::isfinite(features[i]))
            return makeError(Code::InvalidArgument,
                             str(valueName(schema, i), " has no value that the model can take."));
    return features;
}

std::vector<std::string> rawColumns(const pipeline::RowsSchema& schema, const Preprocessing& preprocessing)
{
    std::vector<std::string> names;
    if (const auto table = tableOf(preprocessing); table && *table) {
        for (const TableColumn& column : (*table)->columns())
            if (column.role != ColumnRole::Target) names.push_back(column.name);
        return names;
    }
    for (std::size_t i = 0; i < static_cast<std::size_t>(schema.features.elements()); ++i)
        names.push_back(i < schema.columns.size() ? schema.columns[i].name : str("value ", i + 1));
    return names;
}

ValueRange rawRange(const Preprocessing& preprocessing)
{
    for (const auto& step : preprocessing.steps) {
        if (!step.is_object()) continue;
        const auto from = step.find("from");
        if (from != step.end() && from->is_array() && from->size() == 2 && (*from)[0].is_number() &&
            (*from)[1].is_number())
            return {(*from)[0].get<float>(), (*from)[1].get<float>()};
    }
    return {};
}

} // namespace millrace::data
