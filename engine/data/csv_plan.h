// What becomes of each column of a scanned CSV file: a feature, several, the target, or nothing. Everything that would
// make training senseless is refused here, before it starts.
#pragma once

#include "engine/data/csv_scan.h"
#include "engine/data/dataset.h"
#include "engine/data/table_encoder.h"

#include <map>
#include <string>
#include <vector>

namespace millrace::data {

struct CsvPlan
{
    TableEncoder encoder;
    std::size_t targetColumn = 0;
    pipeline::RowsSchema schema;                             ///< rows: those with a target; columns with their ranges
    std::map<std::string, std::int32_t, std::less<>> labels; ///< cell text → class
    std::vector<std::string> notes;
};

/// Errors: InvalidArgument and InvalidFormat naming column, line and what to do; TooLarge where the rows must fit into
/// memory (they need not where they can be written to disk) and do not.
Result<CsvPlan> planCsv(const CsvScan& scan, const std::string& fileName, bool anySize);

} // namespace millrace::data
