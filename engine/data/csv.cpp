#include "engine/data/csv.h"

#include "engine/data/cell.h"
#include "engine/data/csv_plan.h"
#include "engine/data/csv_records.h"
#include "engine/data/csv_scan.h"
#include "kernels/base/text.h"
#include "kernels/base/units.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace millrace::data {

namespace {
constexpr std::int64_t kRowsBetweenStopChecks = 1024;
constexpr std::size_t kColumnsNoted = 20;

struct Scanned
{
    OpenBytes text;
    CsvScan scan;
    std::string encodingNote; ///< empty for UTF-8 and what a byte order mark names
};

/// The first pass. Text without a byte order mark is taken for UTF-8, and where it is none for Windows-1252.
Result<Scanned> scanText(const OpenBytes& open, const CsvOptions& options, const std::string& fileName,
                         std::uint64_t limitBytes, std::stop_token stop)
{
    Scanned scanned;
    MR_TRY(scanned.text, openText(open, Encoding::Utf8, fileName));
    auto scan = scanCsv(scanned.text, options, fileName, limitBytes, stop);
    if (!scan && scan.error().code == Code::Unsupported) {
        const Subject where = scan.error().subject;
        MR_TRY(scanned.text, openText(open, Encoding::Windows1252, fileName));
        scan = scanCsv(scanned.text, options, fileName, limitBytes, stop);
        scanned.encodingNote = str("The text is not UTF-8 (line ", where.line, ", column ", where.column,
                                   ") and is read as Latin-1 (Windows-1252).");
    }
    if (!scan) return std::move(scan).error();
    scanned.scan = std::move(*scan);
    return scanned;
}

Error changed(const std::string& fileName)
{
    return makeError(Code::Corrupt, "The file changed while it was read.")
        .atFile(fileName)
        .advise("Run again when nobody writes to it.");
}

/// The second pass: features with NaN for what is missing, labels or targets.
Status readRows(CsvRows& rows, const CsvPlan& plan, Dataset& dataset, const std::string& fileName, std::stop_token stop)
{
    std::int64_t seen = 0;
    for (;;) {
        if (seen++ % kRowsBetweenStopChecks == 0 && stop.stop_requested())
            return makeError(Code::Cancelled, "Reading the file was cancelled.").atFile(fileName);
        MR_TRY(const auto kind, rows.next());
        if (!kind) return {};
        if (*kind != CsvRows::Kind::Row) continue;
        const std::string_view target = rows.cells()[plan.targetColumn];
        if (isMissing(target)) continue;
        if (dataset.schema.target == pipeline::TargetKind::Classes) {
            const auto label = plan.labels.find(target);
            if (label == plan.labels.end()) return changed(fileName);
            dataset.labels.push_back(label->second);
        } else {
            const auto number = parseNumber(target);
            if (!number) return changed(fileName);
            dataset.targets.push_back(static_cast<float>(*number));
        }
        if (!plan.encoder.encode(rows.cells(), dataset.features)) return changed(fileName);
    }
}

/// The middle one of the feature's values that are there; 0 where none is.
float median(const Dataset& dataset, std::size_t feature, std::size_t count)
{
    std::vector<float> values;
    for (std::size_t i = feature; i < dataset.features.size(); i += count)
        if (!std::isnan(dataset.features[i])) values.push_back(dataset.features[i]);
    if (values.empty()) return 0;
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    if (values.size() % 2 == 1) return *middle;
    const float below = *std::max_element(values.begin(), middle);
    return static_cast<float>((static_cast<double>(below) + static_cast<double>(*middle)) / 2);
}

/// Fills what is missing with the medians, fitted and applied as preprocessing, and says so.
Status fillMissing(Dataset& dataset, const CsvScan& scan, const TableEncoder& encoder)
{
    const std::size_t count = encoder.featureCount();
    nlohmann::json fills = nlohmann::json::array();
    std::vector<std::string> filled;
    std::size_t feature = 0;
    for (std::size_t i = 0; i < scan.columns.size(); ++i) {
        const TableColumn& column = encoder.columns()[i];
        const bool feeds = column.role == ColumnRole::Number || column.role == ColumnRole::Category;
        const std::int64_t missing = feeds ? scan.columns[i].missing : 0;
        if (column.role == ColumnRole::Number) {
            fills.push_back(median(dataset, feature++, count));
            if (missing > 0)
                filled.push_back(str(formatCount(missing), " missing values of column \"", printable(column.name),
                                     "\" filled with its median ", fills.back().get<float>(), "."));
        } else if (column.role == ColumnRole::Category) {
            feature += column.values.size();
            for (std::size_t value = 0; value < column.values.size(); ++value) fills.push_back(0.0F);
            if (missing > 0)
                filled.push_back(str(formatCount(missing), " missing values of column \"", printable(column.name),
                                     "\" encoded as none of its texts."));
        }
    }
    const std::size_t shown = std::min(filled.size(), kColumnsNoted);
    dataset.notes.insert(dataset.notes.end(), filled.begin(), filled.begin() + static_cast<std::ptrdiff_t>(shown));
    if (shown < filled.size())
        dataset.notes.push_back(str("Missing values filled alike in ", filled.size() - shown, " more columns."));
    dataset.preprocessing.steps.push_back({{"kind", "fill"}, {"values", std::move(fills)}});
    return apply(dataset.preprocessing, dataset.schema.features, dataset.features);
}
} // namespace

Result<Dataset> readCsv(const OpenBytes& open, const CsvOptions& options, const std::string& fileName,
                        std::stop_token stop)
{
    MR_TRY(const Scanned scanned, scanText(open, options, fileName, std::numeric_limits<std::uint64_t>::max(), stop));
    const CsvScan& scan = scanned.scan;
    MR_TRY(const CsvPlan plan, planCsv(scan, fileName));

    Dataset dataset;
    dataset.schema = plan.schema;
    dataset.notes = plan.notes;
    if (!scanned.encodingNote.empty()) dataset.notes.push_back(scanned.encodingNote);
    dataset.features.reserve(static_cast<std::size_t>(plan.schema.rows) * plan.encoder.featureCount());
    MR_TRY(CsvRows rows, CsvRows::open(scanned.text, scan.separator, scan.header, scan.columns.size(), fileName));
    MR_CHECK(readRows(rows, plan, dataset, fileName, stop));
    if (dataset.rows() != plan.schema.rows) return changed(fileName);
    dataset.preprocessing.steps.push_back(plan.encoder.toStep());
    MR_CHECK(fillMissing(dataset, scan, plan.encoder));
    return dataset;
}

Result<pipeline::RowsSchema> inspectCsv(const OpenBytes& open, const CsvOptions& options, const std::string& fileName,
                                        std::uint64_t limitBytes)
{
    MR_TRY(const Scanned scanned, scanText(open, options, fileName, limitBytes, {}));
    MR_TRY(CsvPlan plan, planCsv(scanned.scan, fileName));
    return std::move(plan.schema);
}

} // namespace millrace::data
