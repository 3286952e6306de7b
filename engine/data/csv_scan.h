// The first pass over a CSV file: what is in each column.
#pragma once

#include "engine/data/byte_source.h"
#include "engine/data/csv.h"
#include "engine/data/csv_records.h"

#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

namespace millrace::data {

/// A cell that an error or a note will point at.
struct CellPlace
{
    std::string text;
    long line = 0, column = 0;
};

struct ColumnFacts
{
    std::string name;
    bool ignored = false; ///< by the user: nothing is learned about it
    std::int64_t numbers = 0, texts = 0, missing = 0;
    double minimum = 0, maximum = 0;                         ///< of the numbers
    bool allWhole = true;                                    ///< every number is one without fraction
    bool allEqual = true;                                    ///< every number is the same
    bool countsRows = true;                                  ///< the n-th row holds n, or n - 1 in all rows
    std::map<std::string, std::int64_t, std::less<>> values; ///< how often each cell text occurs, numbers included …
    bool tooManyValues = false;                              ///< … unless there are too many or they are too long
    std::optional<CellPlace> firstText;
    std::optional<CellPlace> firstUnreadNumber; ///< see unreadNumber in cell.h

    std::int64_t present() const { return numbers + texts; }
};

struct CsvScan
{
    char separator = ',';
    bool header = false;
    std::vector<ColumnFacts> columns;
    std::size_t target = 0; ///< index of the target's column
    std::int64_t rows = 0;
    std::int64_t raggedRows = 0;   ///< left out, as they have another number of cells
    std::vector<long> raggedLines; ///< of the first few
    std::int64_t blankRows = 0;    ///< left out, as every cell is missing
    std::int64_t trimmedRows = 0;  ///< that ended in superfluous separators
    bool complete = true;          ///< false where the limit ended the scan
};

/// Reads the text once. Stops after `limitBytes`.
Result<CsvScan> scanCsv(const OpenBytes& text, const CsvOptions& options, const std::string& fileName,
                        std::uint64_t limitBytes, std::stop_token stop);

/// The data rows of a scanned file, the same in every pass: header, ragged and blank rows are passed over.
class CsvRows
{
public:
    enum class Kind
    {
        Row,
        Ragged,
        Blank
    };

    static Result<CsvRows> open(const OpenBytes& text, char separator, bool header, std::size_t columns,
                                const std::string& fileName);
    /// The next record of any kind; nothing at the end.
    Result<std::optional<Kind>> next();
    /// As many as there are columns; for a Row.
    std::span<const std::string_view> cells() const { return m_records.cells().first(m_columns); }
    bool endsInSuperfluousSeparators() const { return m_records.cells().size() > m_columns; }
    const CsvRecords& records() const { return m_records; }

private:
    CsvRows(CsvRecords records, std::size_t columns) : m_records(std::move(records)), m_columns(columns) {}

    CsvRecords m_records;
    std::size_t m_columns;
};

} // namespace millrace::data
