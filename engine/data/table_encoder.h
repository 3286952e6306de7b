// From a row of text cells to features: the one code for training rows and for rows to be predicted, so that both are
// encoded alike. Its parameters are the preprocessing step of kind "table":
//   {"kind": "table", "separator": ",", "columns": [{"name": "age", "role": "number"},
//    {"name": "colour", "role": "category", "values": ["blue", "red"]}, {"name": "id", "role": "ignored"},
//    {"name": "price", "role": "target"}]}
#pragma once

#include "kernels/base/result.h"

#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::data {

enum class ColumnRole
{
    Number,
    Category,
    Ignored,
    Target
};

struct TableColumn
{
    std::string name;
    ColumnRole role = ColumnRole::Number;
    std::vector<std::string> values; ///< of a category, ascending
};

class TableEncoder
{
public:
    TableEncoder(char separator, std::vector<TableColumn> columns);
    /// Errors: InvalidFormat for a step that is none.
    static Result<TableEncoder> fromStep(const nlohmann::json& step);
    nlohmann::json toStep() const;

    char separator() const { return m_separator; }
    const std::vector<TableColumn>& columns() const { return m_columns; }
    std::size_t featureCount() const { return m_featureCount; }
    /// "age", "colour=blue", "colour=red", …
    std::vector<std::string> featureNames() const;

    /// Appends the features of one row with a cell for each column. A number that is missing is NaN, a category that is
    /// missing all zeros. Errors: InvalidArgument naming the column, the text and what is known; nothing is appended.
    Status encode(std::span<const std::string_view> cells, std::vector<float>& features) const;

private:
    Status encodeCell(const TableColumn& column, std::string_view cell, std::vector<float>& features) const;

    char m_separator;
    std::vector<TableColumn> m_columns;
    std::size_t m_featureCount = 0;
};

} // namespace millrace::data
