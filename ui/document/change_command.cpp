#include "ui/document/change_command.h"

#include "ui/document/pipeline_document.h"

#include <algorithm>

namespace millrace::ui {

ChangeCommand::ChangeCommand(PipelineDocument& document, Change change, const QString& text, QString merge)
    : QUndoCommand(text), m_document(document), m_change(std::move(change)), m_merge(std::move(merge))
{
}

void ChangeCommand::undo()
{
    m_document.endMerge(); // typing after an undo is a step of its own
    m_document.applyChange(m_change.reversed());
}

void ChangeCommand::redo()
{
    m_document.applyChange(m_change);
}

// Merges only what edits the same nodes (or the same name): the first's before, the second's after.
bool ChangeCommand::mergeWith(const QUndoCommand* other)
{
    const auto* next = static_cast<const ChangeCommand*>(other);
    if (next->m_merge != m_merge || next->m_change.scope != m_change.scope) return false;
    const auto& mine = m_change.edits;
    const auto& theirs = next->m_change.edits;
    const bool sameNodes = std::equal(mine.begin(), mine.end(), theirs.begin(), theirs.end(),
                                      [](const Change::Edit& a, const Change::Edit& b) { return a.index == b.index; });
    if (!sameNodes || m_change.name.has_value() != next->m_change.name.has_value()) return false;
    for (std::size_t i = 0; i < mine.size(); ++i) m_change.edits[i].after = theirs[i].after;
    if (m_change.name) m_change.name->second = next->m_change.name->second;
    return true;
}

} // namespace millrace::ui
