// What stands around every field of the property panel: label at the left above it, a remark at the right, a way back
// to the default, and under it what is wrong.
#pragma once

#include <QWidget>
#include <functional>

class QAction;
class QLineEdit;
class QToolButton;
class QVBoxLayout;

namespace millrace::ui {

class Label;

class FieldFrame : public QWidget
{
    Q_OBJECT

public:
    FieldFrame(const QString& title, const QString& remark, QWidget* parent = nullptr);

    /// The field; it gets the title as its name for screen readers.
    void setField(QWidget* field, QWidget* beside = nullptr);
    /// Red with a reason, or (a warning) amber; an empty text takes it away.
    void setProblem(const QString& text, bool warning = false);
    QString problem() const;
    /// The small button, and the action of the field's menu.
    void setResettable(bool resettable, const QString& toolTip);
    QAction* resetAction() const { return m_reset; }

private:
    QVBoxLayout* m_layout;
    QToolButton* m_resetButton;
    QAction* m_reset;
    Label* m_title;
    Label* m_problem;
    QWidget* m_field = nullptr;
};

/// Gives undo and redo in the field to the window, whose history knows every change and not only this field's letters;
/// Escape to `revert`, where there is one; and a menu with `extra` at its end.
void wireLineEdit(QLineEdit* edit, QAction* extra, std::function<void()> revert);

} // namespace millrace::ui
