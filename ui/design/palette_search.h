// How well a node type answers what somebody types into a search for nodes.
#pragma once

#include "engine/pipeline/catalogue.h"

#include <QStringView>
#include <vector>

namespace millrace::ui {

/// The larger the better; 0 where a word of the query is found nowhere in title, type or help. In a title or type the
/// letters of a word may also stand apart: "bnorm" finds "Batch norm".
int searchScore(QStringView query, const pipeline::NodeSpec& spec);

/// The types that answer the query, best first; all of them in the catalogue's order where it is empty. `layers`: those
/// of a nested graph instead of those of the pipeline.
std::vector<const pipeline::NodeSpec*> searchTypes(const pipeline::Catalogue& catalogue, bool layers,
                                                   QStringView query);

} // namespace millrace::ui
