#include "engine/run/data_stages.h"

#include "engine/data/augment.h"
#include "engine/data/clean.h"
#include "engine/data/recode.h"
#include "engine/data/sample.h"
#include "engine/data/split.h"
#include "engine/data/standardize.h"
#include "engine/data/stored_rows.h"
#include "kernels/base/text.h"
#include "kernels/base/units.h"

namespace millrace::run {

namespace {
std::string textOf(const StageContext& context, std::string_view id)
{
    const auto value = pipeline::paramValue(context.node, context.spec, id);
    return value.is_string() ? value.get<std::string>() : std::string();
}

double numberOf(const StageContext& context, std::string_view id)
{
    const auto value = pipeline::paramValue(context.node, context.spec, id);
    return value.is_number() ? value.get<double>() : 0;
}

/// For a value that the check would have refused.
Error notAChoice(const StageContext& context, std::string_view id)
{
    return makeError(Code::InvalidArgument,
                     str("The value \"", printable(textOf(context, id)), "\" is none of the choices."))
        .atNode(context.node.id, std::string(id));
}

/// The rows of a port that may be linked or not; null where it is not.
const data::Dataset* optionalRows(const StageContext& context, const std::string& port)
{
    const auto found = context.inputs.find(port);
    return found == context.inputs.end() ? nullptr : found->second.rows.get();
}

/// A result of one data set.
StageResult resultOf(const char* port, data::Dataset rows)
{
    StageResult result;
    result.summary = describeRows(rows);
    result.outputs[port].rows = shared(std::move(rows));
    return result;
}

/// A result of two parts, at the ports `first` and test.
StageResult resultOf(StageContext& context, const data::Dataset& before, data::SplitRows parts, const char* first,
                     bool both)
{
    emitNewNotes(context, before, parts.train);
    StageResult result = resultOf(first, std::move(parts.train));
    if (both) result.outputs["test"].rows = shared(std::move(parts.test));
    return result;
}

Result<data::CleanOptions> cleanOptions(const StageContext& context)
{
    data::CleanOptions options;
    const std::string missing = textOf(context, "missing"), outliers = textOf(context, "outliers");
    if (missing == "drop")
        options.fill.reset();
    else if (missing == "mean")
        options.fill = data::FillMethod::Mean;
    else if (missing == "median")
        options.fill = data::FillMethod::Median;
    else if (missing == "mode")
        options.fill = data::FillMethod::Mode;
    else if (missing == "constant")
        options.fill = data::FillMethod::Constant;
    else
        return notAChoice(context, "missing");
    options.constant = static_cast<float>(numberOf(context, "constant"));
    options.dropDuplicates = textOf(context, "duplicates") == "drop";
    options.outliers = outliers == "drop"   ? data::Outliers::Drop
                       : outliers == "clip" ? data::Outliers::Clip
                                            : data::Outliers::Keep;
    options.range = numberOf(context, "range");
    return options;
}
} // namespace

std::string describeRows(const data::Dataset& rows)
{
    std::string text = str(formatCount(rows.rows()), " rows");
    if (rows.schema.target == pipeline::TargetKind::Classes) text += str(" · ", rows.schema.classes.size(), " classes");
    return text;
}

std::shared_ptr<const data::Dataset> shared(data::Dataset rows)
{
    return std::make_shared<const data::Dataset>(std::move(rows));
}

void emitNewNotes(StageContext& context, const data::Dataset& before, const data::Dataset& after)
{
    for (std::size_t i = before.notes.size(); i < after.notes.size(); ++i)
        context.events.note(LogLevel::Info, after.notes[i]);
}

Result<StageResult> loadData(StageContext& context)
{
    MR_TRY(data::Dataset rows, data::load(context.node, context.spec, context.folders, context.stop));
    for (const std::string& note : rows.notes) context.events.note(LogLevel::Info, note);
    if (rows.stored)
        context.events.note(LogLevel::Info,
                            str("The rows take ", formatBytes(static_cast<double>(rows.stored->shards()->sizeBytes())),
                                " and stay on disk; they are read as they are needed."));
    return resultOf("rows", std::move(rows));
}

Result<StageResult> shardData(StageContext& context)
{
    const data::Dataset* rows = optionalRows(context, "rows");
    if (rows == nullptr) return loadData(context);
    MR_TRY(const std::string path, data::folderOf(context.node, context.spec, context.folders));
    data::ShardSizes sizes;
    sizes.shardBytes = static_cast<std::uint64_t>(numberOf(context, "shard_size")) << 20;
    if (auto written = data::writeShards(*rows, path, sizes, context.stop); !written)
        return std::move(written).error().atNode(context.node.id, "path");
    // what is handed on is what was written
    MR_TRY(data::Dataset written, data::load(context.node, context.spec, context.folders, context.stop));
    return resultOf("rows", std::move(written));
}

Result<StageResult> splitData(StageContext& context)
{
    MR_TRY(const Value* rows, context.input("rows"));
    MR_TRY(data::SplitRows parts,
           data::split(*rows->rows, data::splitOptions(context.node, context.spec), context.stop));
    StageResult result;
    result.summary = str(formatCount(parts.train.rows()), " train · ", formatCount(parts.test.rows()), " test");
    result.outputs["train"].rows = shared(std::move(parts.train));
    result.outputs["test"].rows = shared(std::move(parts.test));
    return result;
}

Result<StageResult> augmentData(StageContext& context)
{
    MR_TRY(const Value* rows, context.input("rows"));
    MR_TRY(const auto recipe, data::augmentationRecipe(context.node, context.spec));
    auto changed = data::augmented(*rows->rows, recipe);
    if (!changed) return std::move(changed).error().atNode(context.node.id);
    StageResult result;
    result.summary = describeRows(*changed);
    result.outputs["rows"].rows = shared(std::move(*changed));
    return result;
}

Result<StageResult> sampleData(StageContext& context)
{
    MR_TRY(const Value* rows, context.input("rows"));
    const auto method = data::sampleMethod(textOf(context, "method"));
    if (!method) return notAChoice(context, "method");
    MR_TRY(data::Dataset part, data::sample(*rows->rows, numberOf(context, "fraction"), *method,
                                            static_cast<std::uint64_t>(numberOf(context, "seed")), context.stop));
    return resultOf("rows", std::move(part));
}

Result<StageResult> cleanData(StageContext& context)
{
    MR_TRY(const Value* rows, context.input("rows"));
    const data::Dataset* test = optionalRows(context, "test");
    MR_TRY(const data::CleanOptions options, cleanOptions(context));
    MR_TRY(data::SplitRows parts, data::clean(*rows->rows, test, options, context.stop));
    if (test != nullptr) emitNewNotes(context, *test, parts.test);
    return resultOf(context, *rows->rows, std::move(parts), "rows", test != nullptr);
}

Result<StageResult> encodeData(StageContext& context)
{
    MR_TRY(const Value* rows, context.input("rows"));
    const data::Dataset* test = optionalRows(context, "test");
    const auto code = data::categoryCode(textOf(context, "categories"));
    if (!code) return notAChoice(context, "categories");
    MR_TRY(data::SplitRows parts, data::recode(*rows->rows, test, *code, context.stop));
    return resultOf(context, *rows->rows, std::move(parts), "rows", test != nullptr);
}

Result<StageResult> scaleData(StageContext& context)
{
    MR_TRY(const Value* train, context.input("train"));
    const data::Dataset* test = optionalRows(context, "test");
    const bool chosen = context.spec.param("method") != nullptr; // data.standardize knows but one
    const auto method = chosen ? data::scaleMethod(textOf(context, "method")) : data::ScaleMethod::Standard;
    if (!method) return notAChoice(context, "method");
    MR_TRY(data::SplitRows parts, data::scaled(*train->rows, test, *method, context.stop));
    return resultOf(context, *train->rows, std::move(parts), "train", test != nullptr);
}

} // namespace millrace::run
