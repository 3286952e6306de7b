// CSV files: streamed twice, once to learn what the columns are and once to read them, so that memory is bounded.
// Numbers are read in the C locale whatever the user's is.
#pragma once

#include "engine/data/byte_source.h"
#include "engine/data/rows_builder.h"

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::data {

struct CsvOptions
{
    std::string target;              ///< column name (or number from 1); empty: the last column
    std::string delimiter = "auto";  ///< "auto", or one of , ; tab |
    std::vector<std::string> ignore; ///< columns to leave out
};

struct CsvLimits
{
    static constexpr std::size_t kLineBytes = 8'000'000;
    static constexpr std::size_t kColumns = 65536;
    static constexpr std::size_t kCategories = 64;     ///< different texts in a column that is one-hot encoded
    static constexpr std::size_t kCategoryBytes = 256; ///< a longer text is no category
    static constexpr std::size_t kClasses = 1000;
    static constexpr std::size_t kIntegerClasses = 20;     ///< more different whole numbers are a number to predict
    static constexpr std::size_t kValueBytes = 256u << 20; ///< what may be kept of all columns' different values
};

/// Reads the rows. `open` is called twice and must give the same bytes both times; `fileName` is for messages. A missing
/// number is NaN in the rows. Rows that are more than `place` allows in memory are written there as shards.
/// Errors: InvalidFormat and InvalidArgument with line and column, TooLarge, NotFound (target), Cancelled, and those
/// of writing.
Result<Dataset> readCsv(const OpenBytes& open, const CsvOptions& options, const std::string& fileName,
                        const RowsPlace& place = {}, std::stop_token stop = {});

/// What readCsv would say of the rows' schema; reads at most `limitBytes` and then leaves `rows` at -1.
Result<pipeline::RowsSchema> inspectCsv(const OpenBytes& open, const CsvOptions& options, const std::string& fileName,
                                        std::uint64_t limitBytes);

/// The text as one cell of a CSV file that Millrace writes: quoted where needed, and what a spreadsheet would take for
/// a formula (leading = + - @ tab or carriage return) neutralised by a leading apostrophe, unless it is a number.
std::string csvField(std::string_view text);

} // namespace millrace::data
