#include "engine/data/csv.h"

#include "engine/data/cell.h"
#include "engine/data/csv_plan.h"
#include "engine/data/csv_records.h"
#include "engine/data/csv_scan.h"
#include "kernels/base/text.h"
#include "kernels/base/units.h"

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
Status readRows(CsvRows& rows, const CsvPlan& plan, RowsBuilder& builder, const std::string& fileName,
                std::stop_token stop)
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
        RowsBuffer& kept = builder.rows();
        if (plan.schema.target == pipeline::TargetKind::Classes) {
            const auto label = plan.labels.find(target);
            if (label == plan.labels.end()) return changed(fileName);
            kept.labels.push_back(label->second);
        } else {
            const auto number = parseNumber(target);
            if (!number) return changed(fileName);
            kept.targets.push_back(static_cast<float>(*number));
        }
        if (!plan.encoder.encode(rows.cells(), kept.features)) return changed(fileName);
        MR_CHECK(builder.keep());
    }
}

/// What is missing stays so until somebody decides what stands for it.
std::vector<std::string> missingNotes(const CsvScan& scan, const TableEncoder& encoder)
{
    std::vector<std::string> notes;
    std::size_t more = 0;
    for (std::size_t i = 0; i < scan.columns.size(); ++i) {
        const TableColumn& column = encoder.columns()[i];
        const bool number = column.role == ColumnRole::Number;
        if (scan.columns[i].missing == 0 || (!number && column.role != ColumnRole::Category)) continue;
        if (notes.size() == kColumnsNoted) {
            ++more;
            continue;
        }
        notes.push_back(str(formatCount(scan.columns[i].missing), " missing values of column \"",
                            printable(column.name),
                            number ? "\" are kept as missing: Clean fills them, or else training does."
                                   : "\" encoded as none of its texts."));
    }
    if (more > 0) notes.push_back(str("Missing values in ", more, " more columns are treated alike."));
    return notes;
}
} // namespace

Result<Dataset> readCsv(const OpenBytes& open, const CsvOptions& options, const std::string& fileName,
                        const RowsPlace& place, std::stop_token stop)
{
    MR_TRY(const Scanned scanned, scanText(open, options, fileName, std::numeric_limits<std::uint64_t>::max(), stop));
    const CsvScan& scan = scanned.scan;
    MR_TRY(const CsvPlan plan, planCsv(scan, fileName, !place.folder.empty()));

    Dataset description;
    description.schema = plan.schema;
    description.notes = plan.notes;
    if (!scanned.encodingNote.empty()) description.notes.push_back(scanned.encodingNote);
    for (std::string& note : missingNotes(scan, plan.encoder)) description.notes.push_back(std::move(note));
    description.preprocessing.steps.push_back(plan.encoder.toStep());
    MR_TRY(RowsBuilder builder, RowsBuilder::create(std::move(description), place));
    MR_TRY(CsvRows rows, CsvRows::open(scanned.text, scan.separator, scan.header, scan.columns.size(), fileName));
    MR_CHECK(readRows(rows, plan, builder, fileName, stop));
    MR_TRY(Dataset dataset, builder.finish());
    if (dataset.rows() != plan.schema.rows) return changed(fileName);
    return dataset;
}

Result<pipeline::RowsSchema> inspectCsv(const OpenBytes& open, const CsvOptions& options, const std::string& fileName,
                                        std::uint64_t limitBytes)
{
    MR_TRY(const Scanned scanned, scanText(open, options, fileName, limitBytes, {}));
    MR_TRY(CsvPlan plan, planCsv(scanned.scan, fileName, true));
    return std::move(plan.schema);
}

} // namespace millrace::data
