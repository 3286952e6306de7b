#include "ui/design/param_editor_frame.h"

#include "ui/theme/theme.h"
#include "ui/widgets/label.h"

#include <QAction>
#include <QContextMenuEvent>
#include <QKeyEvent>
#include <QLineEdit>
#include <QMenu>
#include <QStyle>
#include <QToolButton>
#include <QVBoxLayout>

namespace millrace::ui {

FieldFrame::FieldFrame(const QString& title, const QString& remark, QWidget* parent)
    : QWidget(parent), m_layout(new QVBoxLayout(this)), m_resetButton(new QToolButton),
      m_reset(new QAction(tr("Reset to Default"), this)), m_title(new Label(title, TextStyle::Caption, Role::Muted)),
      m_problem(new Label({}, TextStyle::Caption, Role::Bad))
{
    m_layout->setContentsMargins(0, 0, 0, 0);
    m_layout->setSpacing(4);
    m_resetButton->setIcon(icon(QStringLiteral("undo"), Role::Faint));
    m_resetButton->setIconSize(QSize(11, 11));
    m_resetButton->setFixedSize(16, 16);
    m_resetButton->setStyleSheet(QStringLiteral("padding: 0;")); // the usual 4 px leave nothing of 16
    m_resetButton->hide();
    connect(m_resetButton, &QToolButton::clicked, m_reset, &QAction::trigger);
    m_reset->setEnabled(false);
    auto* head = new QHBoxLayout;
    head->setSpacing(4);
    head->addWidget(m_title);
    head->addWidget(m_resetButton);
    head->addStretch();
    if (!remark.isEmpty()) head->addWidget(new Label(remark, TextStyle::Caption, Role::Faint));
    // with and without the button the row is as high
    head->addStrut(16);
    m_layout->addLayout(head);
    m_problem->setWordWrap(true);
    m_problem->hide();
    m_layout->addWidget(m_problem);
}

void FieldFrame::setField(QWidget* field, QWidget* beside)
{
    m_field = field;
    m_title->setBuddy(field);
    field->setAccessibleName(m_title->text());
    m_resetButton->setAccessibleName(tr("Reset %1 to its default").arg(m_title->text()));
    auto* row = new QHBoxLayout;
    row->setSpacing(6);
    row->addWidget(field, 1);
    if (beside) row->addWidget(beside);
    m_layout->insertLayout(1, row);
    setFocusProxy(field);
}

void FieldFrame::setProblem(const QString& text, bool warning)
{
    m_problem->setRole(warning ? Role::Caution : Role::Bad);
    m_problem->setText(text);
    m_problem->setVisible(!text.isEmpty());
    if (!m_field) return;
    m_field->setAccessibleDescription(text.isEmpty() ? m_field->toolTip() : text);
    const bool red = !text.isEmpty() && !warning;
    if (m_field->property("problem").toBool() == red) return;
    m_field->setProperty("problem", red);
    m_field->style()->unpolish(m_field);
    m_field->style()->polish(m_field);
}

QString FieldFrame::problem() const
{
    return m_problem->text();
}

void FieldFrame::setResettable(bool resettable, const QString& toolTip)
{
    m_reset->setEnabled(resettable);
    m_resetButton->setVisible(resettable);
    m_resetButton->setToolTip(toolTip);
}

namespace {

class LineEditFilter : public QObject
{
public:
    LineEditFilter(QLineEdit* edit, QAction* extra, std::function<void()> revert)
        : QObject(edit), m_edit(edit), m_extra(extra), m_revert(std::move(revert))
    {
        edit->installEventFilter(this);
    }

protected:
    bool eventFilter(QObject* watched, QEvent* event) override
    {
        switch (event->type()) {
        case QEvent::ShortcutOverride:
        case QEvent::KeyPress: {
            auto* key = static_cast<QKeyEvent*>(event);
            if (key->matches(QKeySequence::Undo) || key->matches(QKeySequence::Redo)) {
                key->ignore(); // so that it goes on to the window
                return true;
            }
            if (event->type() == QEvent::KeyPress && key->key() == Qt::Key_Escape && m_revert && m_edit->isModified()) {
                m_revert();
                return true;
            }
            return false;
        }
        case QEvent::ContextMenu:
            showMenu(static_cast<QContextMenuEvent*>(event)->globalPos());
            return true;
        default:
            return QObject::eventFilter(watched, event);
        }
    }

private:
    void showMenu(const QPoint& position)
    {
        QMenu* menu = m_edit->createStandardContextMenu();
        menu->setAttribute(Qt::WA_DeleteOnClose);
        for (const char* name : {"edit-undo", "edit-redo"})
            if (auto* action = menu->findChild<QAction*>(QLatin1String(name))) menu->removeAction(action);
        if (!menu->actions().isEmpty() && menu->actions().constFirst()->isSeparator())
            menu->removeAction(menu->actions().constFirst());
        if (m_extra) {
            menu->addSeparator();
            menu->addAction(m_extra);
        }
        menu->popup(position);
    }

    QLineEdit* m_edit;
    QAction* m_extra;
    std::function<void()> m_revert;
};

} // namespace

void wireLineEdit(QLineEdit* edit, QAction* extra, std::function<void()> revert)
{
    new LineEditFilter(edit, extra, std::move(revert)); // the edit owns it
}

} // namespace millrace::ui
