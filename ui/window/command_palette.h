// Ctrl+K: every action of the window by name, with its shortcut.
#pragma once

#include <QAction>
#include <QFrame>
#include <QList>

class QLineEdit;
class QListWidget;

namespace millrace::ui {

class CommandPalette : public QFrame
{
    Q_OBJECT

public:
    explicit CommandPalette(QWidget* window);

    /// Shows the actions that are enabled now, over the middle of the window.
    void open(const QList<QAction*>& actions);
    QLineEdit* field() const { return m_field; }
    QListWidget* list() const { return m_list; }

protected:
    bool eventFilter(QObject* watched, QEvent* event) override;
    void paintEvent(QPaintEvent* event) override;

private:
    void filter(const QString& text);
    void run();

    QLineEdit* m_field;
    QListWidget* m_list;
    QList<QAction*> m_actions;
};

} // namespace millrace::ui
