// Nodes as text on the clipboard: a small pipeline file, so that they also paste into an editor and come back.
#pragma once

#include "engine/pipeline/document.h"

#include <QPointF>
#include <QString>
#include <set>
#include <string>

namespace millrace::ui {

/// The nodes and the links between them.
QString copied(const pipeline::Document& graph, const std::set<std::string>& nodes);

/// What the text holds, with ids that are free in the graph and moved so that its first corner is at `position`.
/// Errors: InvalidFormat where the text is no pipeline.
Result<pipeline::Document> pasted(const pipeline::Document& graph, const QString& text, const QPointF& position);

} // namespace millrace::ui
