// The undo command of every change: applies it, applies its reverse, and takes in the next keystroke of the same field.
#pragma once

#include "ui/document/change.h"

#include <QUndoCommand>

namespace millrace::ui {

class PipelineDocument;

class ChangeCommand : public QUndoCommand
{
public:
    /// `merge` empty: never merged.
    ChangeCommand(PipelineDocument& document, Change change, const QString& text, QString merge);

    void undo() override;
    void redo() override;
    int id() const override { return m_merge.isEmpty() ? -1 : 1; }
    bool mergeWith(const QUndoCommand* other) override;

private:
    PipelineDocument& m_document;
    Change m_change;
    QString m_merge;
};

} // namespace millrace::ui
