#include "engine/data/table_encoder.h"

#include "engine/data/cell.h"
#include "engine/data/csv_dialect.h"
#include "kernels/base/text.h"

#include <algorithm>
#include <array>
#include <limits>

namespace millrace::data {

namespace {
constexpr std::array<std::pair<ColumnRole, std::string_view>, 4> kRoles{{{ColumnRole::Number, "number"},
                                                                         {ColumnRole::Category, "category"},
                                                                         {ColumnRole::Ignored, "ignored"},
                                                                         {ColumnRole::Target, "target"}}};

Error badStep(std::string_view what)
{
    return makeError(Code::InvalidFormat, str("The model's preprocessing cannot be applied: ", what, "."));
}

Result<ColumnRole> roleOf(const std::string& text)
{
    for (const auto& [role, known] : kRoles)
        if (known == text) return role;
    return badStep(str("a column has the unknown role \"", printable(text), "\""));
}

Result<TableColumn> columnOf(const nlohmann::json& json)
{
    TableColumn column;
    column.name = json.at("name").get<std::string>();
    MR_TRY(column.role, roleOf(json.at("role").get<std::string>()));
    if (column.role != ColumnRole::Category) return column;
    column.values = json.at("values").get<std::vector<std::string>>();
    if (!std::is_sorted(column.values.begin(), column.values.end())) return badStep("a column's texts are not sorted");
    return column;
}
} // namespace

TableEncoder::TableEncoder(char separator, std::vector<TableColumn> columns)
    : m_separator(separator), m_columns(std::move(columns))
{
    for (const TableColumn& column : m_columns) {
        if (column.role == ColumnRole::Number) ++m_featureCount;
        if (column.role == ColumnRole::Category) m_featureCount += column.values.size();
    }
}

Result<TableEncoder> TableEncoder::fromStep(const nlohmann::json& step)
{
    try {
        const char separator = separatorFromName(step.at("separator").get<std::string>());
        std::vector<TableColumn> columns;
        for (const auto& json : step.at("columns")) {
            MR_TRY(columns.emplace_back(), columnOf(json));
        }
        return TableEncoder(separator, std::move(columns));
    } catch (const nlohmann::json::exception&) {
        return badStep("its table of columns is not of the expected form");
    }
}

nlohmann::json TableEncoder::toStep() const
{
    nlohmann::json columns = nlohmann::json::array();
    for (const TableColumn& column : m_columns) {
        nlohmann::json json = {{"name", column.name}, {"role", kRoles[static_cast<std::size_t>(column.role)].second}};
        if (column.role == ColumnRole::Category) json["values"] = column.values;
        columns.push_back(std::move(json));
    }
    return {{"kind", "table"}, {"separator", separatorName(m_separator)}, {"columns", std::move(columns)}};
}

std::vector<std::string> TableEncoder::featureNames() const
{
    std::vector<std::string> names;
    for (const TableColumn& column : m_columns) {
        if (column.role == ColumnRole::Number) names.push_back(column.name);
        if (column.role == ColumnRole::Category)
            for (const std::string& value : column.values) names.push_back(str(column.name, "=", value));
    }
    return names;
}

Status TableEncoder::encode(std::span<const std::string_view> cells, std::vector<float>& features) const
{
    if (cells.size() != m_columns.size())
        return makeError(Code::InvalidArgument,
                         str("The row has ", cells.size(), " cells; ", m_columns.size(), " are expected."));
    const std::size_t before = features.size();
    for (std::size_t i = 0; i < cells.size(); ++i) {
        if (auto encoded = encodeCell(m_columns[i], cells[i], features); !encoded) {
            features.resize(before);
            return encoded;
        }
    }
    return {};
}

Status TableEncoder::encodeCell(const TableColumn& column, std::string_view cell, std::vector<float>& features) const
{
    if (column.role == ColumnRole::Number) {
        const auto value = isMissing(cell) ? std::numeric_limits<double>::quiet_NaN() : parseNumber(cell);
        if (!value)
            return makeError(Code::InvalidArgument,
                             str("Column \"", printable(column.name), "\" is \"", printable(cell.substr(0, 80)),
                                 "\"; a number with a decimal point is expected."));
        features.push_back(static_cast<float>(*value));
    } else if (column.role == ColumnRole::Category) {
        const auto found = std::lower_bound(column.values.begin(), column.values.end(), cell);
        const bool known = found != column.values.end() && *found == cell;
        if (!known && !isMissing(cell))
            return makeError(Code::InvalidArgument,
                             str("Column \"", printable(column.name), "\" is \"", printable(cell.substr(0, 80)),
                                 "\", which did not occur in training."))
                .advise(str("Known are ", printable(joined(column.values, ", ").substr(0, 500)), ". ",
                            didYouMean(cell, column.values)));
        for (auto value = column.values.begin(); value != column.values.end(); ++value)
            features.push_back(known && value == found ? 1.0F : 0.0F);
    }
    return {};
}

} // namespace millrace::data
