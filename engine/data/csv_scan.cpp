#include "engine/data/csv_scan.h"

#include "engine/data/cell.h"
#include "engine/data/csv_dialect.h"
#include "kernels/base/text.h"
#include "kernels/base/units.h"

#include <algorithm>
#include <cmath>

namespace millrace::data {

namespace {
constexpr std::size_t kRaggedLinesKept = 10;
constexpr std::int64_t kRowsBetweenStopChecks = 1024;
constexpr std::size_t kPlaceBytes = 80;
constexpr std::size_t kValueOverheadBytes = 96; ///< of one entry in a column's map of values

Status checkSeparator(const CsvOptions& options)
{
    if (options.delimiter == "auto" || separatorFromName(options.delimiter) != '\0') return {};
    return makeError(Code::InvalidArgument, str("The delimiter is \"", printable(options.delimiter),
                                                "\"; auto, a comma, a semicolon, tab or | is expected."));
}

std::vector<std::string> columnNames(const std::vector<std::string>& first, bool header)
{
    std::vector<std::string> names;
    for (std::size_t i = 0; i < first.size(); ++i)
        names.push_back(header && !first[i].empty() ? first[i] : str("column ", i + 1));
    return names;
}

Status checkNames(const std::vector<std::string>& names, const std::string& fileName, long line)
{
    if (names.size() < 2)
        return makeError(Code::InvalidFormat,
                         "The table has only one column; at least one feature and the target are needed.")
            .atFile(fileName, line)
            .advise("If its columns are separated by something else than , ; tab or |, replace that.");
    std::map<std::string_view, std::size_t> places;
    for (std::size_t i = 0; i < names.size(); ++i)
        if (const auto [place, isNew] = places.emplace(names[i], i); !isNew)
            return makeError(Code::InvalidFormat, str("The columns ", place->second + 1, " and ", i + 1,
                                                      " are both named \"", printable(names[i]), "\"."))
                .atFile(fileName, line)
                .advise("Give every column a name of its own.");
    return {};
}

/// The column of that name; without one of that name, of that number from 1.
Result<std::size_t> findColumn(const std::vector<std::string>& names, const std::string& wanted, std::string_view what)
{
    const auto found = std::find(names.begin(), names.end(), wanted);
    if (found != names.end()) return static_cast<std::size_t>(found - names.begin());
    const auto number = parseInteger(wanted);
    if (number && *number >= 1 && static_cast<std::size_t>(*number) <= names.size())
        return static_cast<std::size_t>(*number - 1);
    const std::string near = didYouMean(wanted, names);
    std::vector<std::string> first(
        names.begin(), names.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(names.size(), 20)));
    return makeError(Code::NotFound, str("There is no column "
                                         ", printable(wanted), "
                                         "",
                                         what, "."))
        .advise(near.empty()
                    ? str("The columns are ", printable(joined(first, ", ")), names.size() > 20 ? ", …" : "", ".")
                    : near);
}

/// Sets the scan's target and ignored columns.
Status findColumns(CsvScan& scan, const std::vector<std::string>& names, const CsvOptions& options)
{
    for (const std::string& name : options.ignore) {
        MR_TRY(const std::size_t index, findColumn(names, name, " to leave out"));
        scan.columns[index].ignored = true;
    }
    scan.target = names.size() - 1;
    while (scan.target > 0 && scan.columns[scan.target].ignored) --scan.target;
    if (!options.target.empty()) {
        MR_TRY(scan.target, findColumn(names, options.target, " to predict"));
    }
    if (scan.columns[scan.target].ignored)
        return makeError(Code::InvalidArgument, str("The target column "
                                                    ", printable(names[scan.target]), "
                                                    " is left out."));
    return {};
}

/// Learns from the rows one after the other.
class Scanner
{
public:
    explicit Scanner(CsvScan& scan) : m_scan(scan) {}

    Status addRow(const CsvRows& rows)
    {
        const auto cells = rows.cells();
        for (std::size_t i = 0; i < cells.size(); ++i) {
            ColumnFacts& column = m_scan.columns[i];
            if (column.ignored) continue;
            if (isMissing(cells[i])) {
                ++column.missing;
                column.countsRows = false;
                continue;
            }
            const auto number = parseNumber(cells[i]);
            if (number)
                addNumber(column, *number);
            else
                addText(column, cells[i], rows.records(), i);
            MR_CHECK(addValue(column, cells[i], rows.records(), i));
        }
        ++m_scan.rows;
        if (rows.endsInSuperfluousSeparators()) ++m_scan.trimmedRows;
        return {};
    }

private:
    void addNumber(ColumnFacts& column, double number) const
    {
        if (column.numbers == 0) column.minimum = column.maximum = number;
        column.allEqual = column.allEqual && number == column.minimum;
        column.minimum = std::min(column.minimum, number);
        column.maximum = std::max(column.maximum, number);
        column.allWhole = column.allWhole && number == std::floor(number);
        const double start = column.minimum;
        column.countsRows =
            column.countsRows && (start == 0 || start == 1) && number == start + static_cast<double>(m_scan.rows);
        ++column.numbers;
    }

    static void addText(ColumnFacts& column, std::string_view cell, const CsvRecords& records, std::size_t index)
    {
        ++column.texts;
        column.countsRows = false;
        const bool unread = !column.firstUnreadNumber && !unreadNumber(cell).empty();
        if (column.firstText && !unread) return;
        const Subject where = records.locate(makeError(Code::InvalidFormat, {}), index).subject;
        const CellPlace place{std::string(cell.substr(0, kPlaceBytes)), where.line, where.column};
        if (!column.firstText) column.firstText = place;
        if (unread) column.firstUnreadNumber = place;
    }

    Status addValue(ColumnFacts& column, std::string_view cell, const CsvRecords& records, std::size_t index)
    {
        if (column.tooManyValues) return {};
        if (const auto found = column.values.find(cell); found != column.values.end()) {
            ++found->second;
            return {};
        }
        if (cell.size() > CsvLimits::kCategoryBytes || column.values.size() >= valuesKept(column, index)) {
            column.tooManyValues = true;
            for (const auto& [value, count] : column.values) m_valueBytes -= value.size() + kValueOverheadBytes;
            column.values.clear();
            return {};
        }
        column.values.emplace(cell, 1);
        m_valueBytes += cell.size() + kValueOverheadBytes;
        if (m_valueBytes > CsvLimits::kValueBytes)
            return records.locate(
                makeError(Code::TooLarge, str("The columns hold more different texts than fit into ",
                                              formatBytes(static_cast<double>(CsvLimits::kValueBytes)), ".")),
                index);
        return {};
    }

    /// A feature is either a number, whose values need not be kept, or a category of few.
    std::size_t valuesKept(const ColumnFacts& column, std::size_t index) const
    {
        if (index == m_scan.target) return CsvLimits::kClasses;
        return column.texts == 0 ? CsvLimits::kIntegerClasses : CsvLimits::kCategories;
    }

    CsvScan& m_scan;
    std::size_t m_valueBytes = 0;
};

Result<CsvScan> startScan(const OpenBytes& text, const CsvOptions& options, const std::string& fileName)
{
    MR_CHECK(checkSeparator(options));
    MR_TRY(const CsvSample sample, sampleCsv(text, separatorFromName(options.delimiter), fileName));
    if (sample.records.empty()) return makeError(Code::InvalidFormat, "The file holds no rows.").atFile(fileName);
    CsvScan scan;
    scan.separator = sample.separator;
    scan.header = hasHeader(sample.records, options.target);
    const auto names = columnNames(sample.records.front(), scan.header);
    MR_CHECK(checkNames(names, fileName, sample.firstLine));
    scan.columns.resize(names.size());
    for (std::size_t i = 0; i < names.size(); ++i) scan.columns[i].name = names[i];
    if (auto found = findColumns(scan, names, options); !found)
        return std::move(found).error().atFile(fileName, sample.firstLine);
    return scan;
}
} // namespace

Result<CsvScan> scanCsv(const OpenBytes& text, const CsvOptions& options, const std::string& fileName,
                        std::uint64_t limitBytes, std::stop_token stop)
{
    MR_TRY(CsvScan scan, startScan(text, options, fileName));
    MR_TRY(CsvRows rows, CsvRows::open(text, scan.separator, scan.header, scan.columns.size(), fileName));
    Scanner scanner(scan);
    for (;;) {
        if (scan.rows % kRowsBetweenStopChecks == 0 && stop.stop_requested())
            return makeError(Code::Cancelled, "Reading the file was cancelled.").atFile(fileName);
        MR_TRY(const auto kind, rows.next());
        if (!kind) break;
        if (*kind == CsvRows::Kind::Row) {
            MR_CHECK(scanner.addRow(rows));
        } else if (*kind == CsvRows::Kind::Blank) {
            ++scan.blankRows;
        } else {
            ++scan.raggedRows;
            if (scan.raggedLines.size() < kRaggedLinesKept) scan.raggedLines.push_back(rows.records().line());
        }
        if (rows.records().consumedBytes() >= limitBytes) {
            scan.complete = false;
            break;
        }
    }
    return scan;
}

Result<CsvRows> CsvRows::open(const OpenBytes& text, char separator, bool header, std::size_t columns,
                              const std::string& fileName)
{
    MR_TRY(ReadBytes read, text());
    CsvRecords records(std::move(read), separator, fileName);
    if (header) {
        MR_TRY([[maybe_unused]] const bool found, records.next());
    }
    return CsvRows(std::move(records), columns);
}

Result<std::optional<CsvRows::Kind>> CsvRows::next()
{
    MR_TRY(const bool found, m_records.next());
    if (!found) return std::optional<Kind>();
    const auto all = m_records.cells();
    if (std::all_of(all.begin(), all.end(), [](std::string_view cell) { return cell.empty(); }))
        return std::optional(Kind::Blank);
    if (all.size() < m_columns) return std::optional(Kind::Ragged);
    const auto extra = all.subspan(m_columns);
    if (!std::all_of(extra.begin(), extra.end(), [](std::string_view cell) { return cell.empty(); }))
        return std::optional(Kind::Ragged);
    return std::optional(Kind::Row);
}

} // namespace millrace::data
