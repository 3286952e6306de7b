// Between a parameter's value and what stands in its field: text, range, and what was typed, checked.
#pragma once

#include "engine/pipeline/catalogue.h"

#include <QString>
#include <QStringView>

namespace millrace::ui {

/// The value as it stands in a field: "0.001", "512, 256"; empty for null.
QString fieldText(const pipeline::Json& value);

/// What was typed as a value of that kind. Numbers are read in the C locale, "1e-3" too.
/// Errors: InvalidArgument of checkParam, in words for under the field.
Result<pipeline::Json> fieldValue(const pipeline::ParamSpec& spec, const QString& text);

/// "1 – 10,000"; empty where there are no bounds, or the numbers are too long to tell anybody something.
QString rangeText(const pipeline::ParamSpec& spec);

/// What the parameter means, its range, unit and default: for the tooltip.
QString paramToolTip(const pipeline::ParamSpec& spec);

/// The path as the file keeps it: relative where it lies below the folder, with '/' on every system.
QString relativePath(const QString& path, const QString& folder);

} // namespace millrace::ui
