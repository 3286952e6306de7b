// Which separator a CSV file uses, and whether its first line holds names.
#pragma once

#include "engine/data/byte_source.h"

#include <string>
#include <string_view>
#include <vector>

namespace millrace::data {

/// The separators that are tried, in the order in which ties are decided.
inline constexpr std::string_view kSeparators = ",;\t|";

/// "," for ',', "tab" for a tab. The other way: 0 for "auto" or what is no separator.
std::string separatorName(char separator);
char separatorFromName(std::string_view name);

using SampleRecords = std::vector<std::vector<std::string>>;

struct CsvSample
{
    char separator = ',';
    SampleRecords records; ///< the first of the file, read with that separator
    long firstLine = 1;    ///< where the first of them stands
};

/// The separator under which the first records have the same number of cells (more than one) most often and their cells
/// look like values most; `wanted` (0: any) is taken without looking. Errors: those of reading, if no separator works.
Result<CsvSample> sampleCsv(const OpenBytes& text, char wanted, const std::string& fileName);

/// Whether the first record names the columns: it has texts where the others have numbers, or texts that do not come
/// again. A record that holds the name of the target is one.
bool hasHeader(const SampleRecords& records, std::string_view target);

} // namespace millrace::data
