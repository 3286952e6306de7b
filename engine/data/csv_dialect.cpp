#include "engine/data/csv_dialect.h"

#include "engine/data/cell.h"
#include "engine/data/csv_records.h"
#include "kernels/base/text.h"

#include <algorithm>
#include <map>
#include <set>

namespace millrace::data {

namespace {
constexpr std::size_t kSampleRecords = 200;
constexpr std::uint64_t kSampleBytes = 1u << 20;
constexpr std::size_t kSampleMinimum = 2;

/// Whether an unquoted cell reads like one value: it holds none of the other separators and no quote. A comma is part
/// of many a text.
bool looksWhole(std::string_view cell)
{
    return cell.find_first_of(";\t|\"") == std::string_view::npos;
}

struct Attempt
{
    SampleRecords records;
    std::size_t cells = 0, whole = 0; ///< whole: see looksWhole
    long firstLine = 1;
    std::optional<Error> problem; ///< what ended the reading early
};

Result<Attempt> attempt(const OpenBytes& text, char separator, const std::string& fileName)
{
    MR_TRY(ReadBytes read, text());
    CsvRecords source(std::move(read), separator, fileName);
    Attempt result;
    while (result.records.size() < kSampleRecords &&
           (source.consumedBytes() < kSampleBytes || result.records.size() < kSampleMinimum)) {
        auto found = source.next();
        if (!found) {
            result.problem = std::move(found).error();
            break;
        }
        if (!*found) break;
        if (result.records.empty()) result.firstLine = source.line();
        result.records.emplace_back(source.cells().begin(), source.cells().end());
        result.cells += source.cells().size();
        for (std::size_t i = 0; i < source.cells().size(); ++i)
            if (source.isQuoted(i) || looksWhole(source.cells()[i])) ++result.whole;
    }
    return result;
}

/// The share of records with the most frequent number of cells, times the share of cells that look whole; 0 where that
/// number is 1.
double score(const Attempt& attempt)
{
    std::map<std::size_t, std::size_t> frequency;
    for (const auto& record : attempt.records) ++frequency[record.size()];
    const auto most = std::max_element(frequency.begin(), frequency.end(),
                                       [](const auto& a, const auto& b) { return a.second < b.second; });
    if (most == frequency.end() || most->first < 2) return 0;
    return static_cast<double>(most->second) / static_cast<double>(attempt.records.size()) *
           static_cast<double>(attempt.whole) / static_cast<double>(attempt.cells);
}

/// Evidence of one column for (above 0) or against (below 0) the first cell being its name.
int headerVote(const SampleRecords& records, std::size_t column)
{
    const std::string& first = records.front()[column];
    std::size_t numbers = 0, texts = 0;
    bool comesAgain = false;
    for (std::size_t row = 1; row < records.size(); ++row) {
        if (column >= records[row].size() || isMissing(records[row][column])) continue;
        ++(parseNumber(records[row][column]) ? numbers : texts);
        comesAgain = comesAgain || records[row][column] == first;
    }
    if (isMissing(first) || numbers + texts == 0) return 0;
    // numbers may be names (years), but a text among numbers is rarely a value
    if (texts == 0) return parseNumber(first) ? -2 : 3;
    return comesAgain || parseNumber(first) ? -1 : 0;
}
} // namespace

std::string separatorName(char separator)
{
    return separator == '\t' ? "tab" : std::string(1, separator);
}

char separatorFromName(std::string_view name)
{
    if (name == "tab") return '\t';
    return name.size() == 1 && kSeparators.find(name.front()) != std::string_view::npos ? name.front() : '\0';
}

Result<CsvSample> sampleCsv(const OpenBytes& text, char wanted, const std::string& fileName)
{
    CsvSample best;
    double bestScore = -1;
    std::optional<Error> problem;
    for (const char separator : kSeparators) {
        if (wanted != 0 && separator != wanted) continue;
        MR_TRY(Attempt tried, attempt(text, separator, fileName));
        if (tried.problem && !problem) problem = tried.problem;
        if (tried.records.empty() && tried.problem) continue;
        if (const double its = score(tried); its > bestScore) {
            bestScore = its;
            best = {separator, std::move(tried.records), tried.firstLine};
        }
    }
    if (bestScore <= 0 && problem) return *std::move(problem);
    return best;
}

bool hasHeader(const SampleRecords& records, std::string_view target)
{
    if (records.empty()) return false;
    const auto& first = records.front();
    if (!target.empty() && !parseNumber(target) && std::find(first.begin(), first.end(), target) != first.end())
        return true;
    int votes = 0;
    for (std::size_t column = 0; column < first.size(); ++column) votes += headerVote(records, column);
    if (votes != 0) return votes > 0;
    // all texts, nothing tells: names differ from each other
    const std::set<std::string_view> distinct(first.begin(), first.end());
    const bool anyNumber =
        std::any_of(first.begin(), first.end(), [](const auto& cell) { return parseNumber(cell).has_value(); });
    return distinct.size() == first.size() && !anyNumber;
}

} // namespace millrace::data
