// How the categories of a table become numbers.
#pragma once

#include "engine/data/standardize.h"

#include <optional>
#include <stop_token>
#include <string_view>

namespace millrace::data {

enum class CategoryCode
{
    OneHot,   ///< a feature for each text
    Ordinal,  ///< 1, 2, 3, … in the texts' order
    Frequency ///< the share of the rows that have the text
};
std::optional<CategoryCode> categoryCode(std::string_view name);

/// Both parts with one feature for each category instead of one for each text; frequencies are those of `rows` alone.
/// A missing text is 0. Tables come one-hot from their file, which OneHot leaves as it is; so do rows without
/// categories. `test` may be null. Errors: InvalidArgument where they were recoded or scaled before, or the parts do
/// not come from the same source.
Result<SplitRows> recode(const Dataset& rows, const Dataset* test, CategoryCode code, std::stop_token stop = {});

} // namespace millrace::data
