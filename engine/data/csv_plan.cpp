#include "engine/data/csv_plan.h"

#include "engine/data/cell.h"
#include "kernels/base/text.h"
#include "kernels/base/units.h"

#include <algorithm>
#include <array>
#include <set>
#include <unistd.h>

namespace millrace::data {

namespace {
constexpr std::uint64_t kFeatureBytes = 8ull << 30;
constexpr std::size_t kNamesShown = 12;

std::string inQuotes(std::string_view name)
{
    return str("\"", printable(name.substr(0, 80)), "\"");
}

std::string shortList(const std::vector<std::string>& names)
{
    const std::vector<std::string> first(
        names.begin(), names.begin() + static_cast<std::ptrdiff_t>(std::min(names.size(), kNamesShown)));
    return names.size() > kNamesShown ? str(joined(first, ", "), " and ", names.size() - kNamesShown, " more")
                                      : joined(first, ", ");
}

/// Whether a column's texts are few enough to be categories: not (nearly) one for each row.
bool isFew(const ColumnFacts& column, std::size_t distinct, std::size_t limit)
{
    return !column.tooManyValues && distinct <= limit &&
           static_cast<std::int64_t>(distinct) <= std::max<std::int64_t>(2, column.present() / 2);
}
bool isFew(const ColumnFacts& column, std::size_t limit)
{
    return isFew(column, column.values.size(), limit);
}

/// The different values of a column of numbers: "3" and "3.0" are one.
std::set<double> differentNumbers(const ColumnFacts& column)
{
    std::set<double> numbers;
    for (const auto& [value, count] : column.values) numbers.insert(parseNumber(value).value_or(0) + 0.0); // not -0
    return numbers;
}

/// For a column of numbers with something in between that is none.
Status checkNumbers(const ColumnFacts& column, const std::string& fileName)
{
    const bool mostlyNumbers = column.numbers > 0 && column.texts > 0 && column.numbers >= 9 * column.texts;
    const bool manyNumbers = column.numbers >= column.texts && !isFew(column, CsvLimits::kCategories);
    const auto& place = column.firstUnreadNumber ? column.firstUnreadNumber : column.firstText;
    if (!place || !(column.firstUnreadNumber || mostlyNumbers || (column.numbers > 0 && manyNumbers))) return {};
    const std::string_view what = unreadNumber(place->text);
    return makeError(Code::InvalidFormat,
                     str("Column ", inQuotes(column.name), " holds ", inQuotes(place->text), what.empty() ? "" : ", ",
                         what,
                         column.numbers > 0 ? str(", among ", formatCount(column.numbers), " numbers") : std::string(),
                         "; numbers are read as 1234.5 or 1.2e3."))
        .atFile(fileName, place->line, place->column)
        .advise("Write it like that, leave the cell empty, or leave the column out (parameter \"ignore\").");
}

/// A first column that only numbers the rows says nothing about them, and gives the answer away where they are sorted.
bool isRowNumber(const ColumnFacts& column, std::size_t index, bool hasName)
{
    constexpr std::array<std::string_view, 9> kNames{"id", "index", "row", "no", "no.", "nr", "nr.", "#", "unnamed: 0"};
    std::string name = column.name;
    std::transform(name.begin(), name.end(), name.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    // "column 1" is what a header's empty first cell becomes
    const bool named = name == "column 1" || std::find(kNames.begin(), kNames.end(), name) != kNames.end();
    return index == 0 && hasName && named && column.countsRows && column.numbers > 2;
}

class Planner
{
public:
    Planner(const CsvScan& scan, const std::string& fileName, bool anySize)
        : m_scan(scan), m_fileName(fileName), m_anySize(anySize)
    {
    }

    Result<CsvPlan> plan()
    {
        MR_CHECK(checkRows());
        std::vector<TableColumn> columns;
        for (std::size_t i = 0; i < m_scan.columns.size(); ++i) {
            MR_TRY(columns.emplace_back(), planColumn(i));
        }
        MR_CHECK(refuseTexts());
        MR_CHECK(planTarget());
        TableEncoder encoder(m_scan.separator, std::move(columns));
        MR_CHECK(describeFeatures(encoder));
        addNotes();
        return CsvPlan{std::move(encoder), m_scan.target, std::move(m_schema), std::move(m_labels), std::move(m_notes)};
    }

private:
    Error atColumn(Code code, std::string message) const
    {
        return makeError(code, std::move(message)).atFile(m_fileName);
    }

    Status checkRows() const
    {
        if (m_scan.rows == 0 && m_scan.raggedRows == 0)
            return atColumn(Code::InvalidArgument, "The file has names of columns, but no rows.");
        if (m_scan.raggedRows > 1 && m_scan.raggedRows * 100 > m_scan.rows)
            return makeError(Code::InvalidFormat,
                             str(formatCount(m_scan.raggedRows), " of ", formatCount(m_scan.rows + m_scan.raggedRows),
                                 " rows do not have the ", m_scan.columns.size(), " cells of the first line (lines ",
                                 lines(), "); more than 1 % is refused."))
                .atFile(m_fileName, m_scan.raggedLines.front())
                .advise("Mend these lines; a text that holds the separator must stand in quotes.");
        return {};
    }

    Result<TableColumn> planColumn(std::size_t index)
    {
        const ColumnFacts& column = m_scan.columns[index];
        TableColumn planned{column.name, ColumnRole::Ignored, {}};
        if (index == m_scan.target) {
            planned.role = ColumnRole::Target;
        } else if (column.ignored) {
            m_ignored.push_back(inQuotes(column.name));
        } else if (column.present() == 0) {
            m_empty.push_back(inQuotes(column.name));
        } else if (isRowNumber(column, index, m_scan.header)) {
            m_notes.push_back(str("Column ", inQuotes(column.name), " only counts the rows and is left out."));
        } else {
            MR_CHECK(checkNumbers(column, m_fileName));
            if (column.texts == 0) {
                planned.role = ColumnRole::Number;
            } else if (isFew(column, CsvLimits::kCategories)) {
                planned.role = ColumnRole::Category;
                for (const auto& [value, count] : column.values) planned.values.push_back(value);
                m_categories.push_back(str(inQuotes(column.name), " (", planned.values.size(), ")"));
            } else {
                m_unsuited.push_back(column.name);
            }
        }
        return planned;
    }

    Status refuseTexts() const
    {
        if (m_unsuited.empty()) return {};
        const ColumnFacts& first = *std::find_if(m_scan.columns.begin(), m_scan.columns.end(),
                                                 [&](const auto& column) { return column.name == m_unsuited.front(); });
        std::vector<std::string> shown;
        for (const std::string& name : m_unsuited) shown.push_back(inQuotes(name));
        return makeError(Code::InvalidArgument,
                         str(m_unsuited.size() == 1 ? "Column " : "Columns ", shortList(shown),
                             m_unsuited.size() == 1 ? " holds" : " hold", " too many different texts, such as ",
                             inQuotes(first.firstText->text), ", to be categories; at most ", CsvLimits::kCategories,
                             ", each in two rows or more on average, are encoded."))
            .atFile(m_fileName, first.firstText->line, first.firstText->column)
            .advise(str("Leave out what says nothing about the target: set \"ignore\" to ",
                        joined(m_unsuited, ", ").substr(0, 500), "."));
    }

    Status planTarget()
    {
        const ColumnFacts& target = m_scan.columns[m_scan.target];
        m_schema.targetName = target.name;
        m_schema.rows = m_scan.complete ? target.present() : -1;
        if (target.present() == 0)
            return atColumn(Code::InvalidArgument, str("The target column ", inQuotes(target.name), " has no values."));
        MR_CHECK(checkNumbers(target, m_fileName));
        const bool fewWholeNumbers = target.texts == 0 && target.allWhole &&
                                     isFew(target, differentNumbers(target).size(), CsvLimits::kIntegerClasses);
        if (target.texts > 0 || fewWholeNumbers) return planClasses(target);
        m_schema.target = pipeline::TargetKind::Number;
        if (target.allEqual && m_scan.complete)
            return atColumn(Code::InvalidArgument, str("The target column ", inQuotes(target.name), " is ",
                                                       target.minimum, " in every row: there is nothing to learn."));
        return {};
    }

    Status planClasses(const ColumnFacts& target)
    {
        m_schema.target = pipeline::TargetKind::Classes;
        if (target.texts == 0) {
            const std::set<double> numbers = differentNumbers(target);
            for (const double number : numbers) m_schema.classes.push_back(str(number));
            for (const auto& [value, count] : target.values)
                m_labels[value] =
                    static_cast<std::int32_t>(std::distance(numbers.begin(), numbers.find(*parseNumber(value))));
            m_notes.push_back(str("Target ", inQuotes(target.name), " holds ", numbers.size(),
                                  " different whole numbers and is read as classes."));
        } else {
            if (!isFew(target, CsvLimits::kClasses))
                return makeError(Code::InvalidArgument, str("The target column ", inQuotes(target.name),
                                                            " holds too many different texts for classes, such as ",
                                                            inQuotes(target.firstText->text), "."))
                    .atFile(m_fileName, target.firstText->line, target.firstText->column)
                    .advise("Choose another target column.");
            for (const auto& [value, count] : target.values) {
                m_labels[value] = static_cast<std::int32_t>(m_schema.classes.size());
                m_schema.classes.push_back(value);
            }
        }
        if (m_schema.classes.size() < 2 && m_scan.complete)
            return atColumn(Code::InvalidArgument,
                            str("The target column ", inQuotes(target.name), " has only the class ",
                                inQuotes(m_schema.classes[0]), ": there is nothing to tell apart."));
        return {};
    }

    /// The schema's features, one column each with its range.
    Status describeFeatures(const TableEncoder& encoder)
    {
        const std::size_t count = encoder.featureCount();
        if (count == 0) return atColumn(Code::InvalidArgument, "No column is left to learn from beside the target.");
        const auto bytes = static_cast<std::uint64_t>(std::max<std::int64_t>(m_schema.rows, 0)) * count * sizeof(float);
        const auto memory =
            static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES)) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
        if (!m_anySize && bytes > std::min(kFeatureBytes, memory / 2))
            return atColumn(Code::TooLarge,
                            str(formatCount(m_schema.rows), " rows of ", formatCount(static_cast<std::int64_t>(count)),
                                " features need ", formatBytes(static_cast<double>(bytes)),
                                " of memory; at most half of it and ", formatBytes(static_cast<double>(kFeatureBytes)),
                                " are used."));
        m_schema.features = Shape{static_cast<std::int64_t>(count)};
        auto name = encoder.featureNames();
        std::size_t feature = 0;
        for (std::size_t i = 0; i < m_scan.columns.size(); ++i) {
            const TableColumn& column = encoder.columns()[i];
            if (column.role == ColumnRole::Number)
                m_schema.columns.push_back({name[feature++], m_scan.columns[i].minimum, m_scan.columns[i].maximum});
            if (column.role == ColumnRole::Category)
                for (std::size_t value = 0; value < column.values.size(); ++value)
                    m_schema.columns.push_back({name[feature++], 0, 1});
        }
        return {};
    }

    void addNotes()
    {
        const ColumnFacts& target = m_scan.columns[m_scan.target];
        const auto note = [&](bool applies, const std::string& text) {
            if (applies) m_notes.push_back(text);
        };
        note(!m_scan.header,
             str("The first line holds values, not names: the columns are called \"column 1\" to \"column ",
                 m_scan.columns.size(), "\"."));
        note(!m_categories.empty(),
             str("One feature for each text (one-hot) of the columns ", shortList(m_categories), "."));
        note(!m_empty.empty(), str("Left out, as they hold no values: ", shortList(m_empty), "."));
        note(!m_ignored.empty(), str("Left out, as asked for: ", shortList(m_ignored), "."));
        note(target.missing > 0,
             str(formatCount(target.missing), " rows without a value of ", inQuotes(target.name), " are left out."));
        note(m_scan.raggedRows > 0, str(formatCount(m_scan.raggedRows),
                                        " rows with another number of cells are left out (lines ", lines(), ")."));
        note(m_scan.blankRows > 0, str(formatCount(m_scan.blankRows), " rows without any value are left out."));
        note(m_scan.trimmedRows > 0,
             str("Superfluous separators at the end of ", formatCount(m_scan.trimmedRows), " rows are passed over."));
    }

    std::string lines() const
    {
        std::vector<std::string> numbers;
        for (const long line : m_scan.raggedLines) numbers.push_back(str(line));
        return str(joined(numbers, ", "), m_scan.raggedRows > static_cast<std::int64_t>(numbers.size()) ? ", …" : "");
    }

    const CsvScan& m_scan;
    const std::string& m_fileName;
    bool m_anySize;
    pipeline::RowsSchema m_schema;
    std::map<std::string, std::int32_t, std::less<>> m_labels;
    std::vector<std::string> m_notes, m_ignored, m_empty, m_categories, m_unsuited;
};
} // namespace

Result<CsvPlan> planCsv(const CsvScan& scan, const std::string& fileName, bool anySize)
{
    return Planner(scan, fileName, anySize).plan();
}

} // namespace millrace::data
