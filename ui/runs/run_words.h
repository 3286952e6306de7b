// How runs are said in words and signs, the same in the table, on a run's page and beside a model.
#pragma once

#include "ui/bridge/values.h"
#include "ui/widgets/sign.h"

#include <QString>

namespace millrace::ui {

QString stateWord(protocol::RunState state);
Sign stateSign(protocol::RunState state);
/// The colour of a state's word; the sign says the same by its shape.
Role stateRole(protocol::RunState state);
/// The sign of a stage by the state's name in the journal.
Sign stageSign(const QString& state);

/// "now", "9 min", "3 h", "yesterday", "14 Mar", "14 Mar 2024"; empty for 0.
QString whenWords(qint64 timeMs, qint64 nowMs);
/// "9 s", "2 min 5 s"; "—" for NaN.
QString durationWords(double seconds);
/// A metric's or parameter's value; "—" where there is none.
QString metricText(double value);
QString bytesText(double bytes);

/// "validation.loss" as "validation loss", "fit.learning_rate" as "learning rate".
QString metricTitle(const QString& name);
QString parameterTitle(const QString& name);
/// The metrics that say how good a run is: not what was measured within an epoch, nor what was set.
std::vector<Metric> resultsOf(const std::vector<Metric>& metrics);
/// What a metric is counted by: "epoch", or "step" for what is measured within one.
QString metricAxis(const QString& name);

/// For a tooltip of text that somebody else wrote: shown as it is, never taken for markup.
QString plainToolTip(const QString& text);

} // namespace millrace::ui
