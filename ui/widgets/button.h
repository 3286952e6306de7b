// Push buttons of the window: one primary action per page, the rest secondary, small ones flat.
#pragma once

#include <QPushButton>
#include <QString>

class QAction;

namespace millrace::ui {

enum class ButtonKind
{
    Primary,   ///< the one thing to do here
    Secondary, ///< with a border
    Flat,      ///< no border until the pointer is over it
    Link,      ///< as a link in a text
};

/// A push button 30 px high; `iconName` as for icon(), may be empty.
QPushButton* makeButton(const QString& text, ButtonKind kind = ButtonKind::Secondary, const QString& iconName = {},
                        QWidget* parent = nullptr);

/// A button that triggers the action and follows its text, enabled state and tooltip (with the shortcut in it).
QPushButton* makeActionButton(QAction* action, ButtonKind kind, const QString& iconName = {}, QWidget* parent = nullptr);

/// "Run the pipeline (Ctrl+R)": what a tooltip says for the action.
QString toolTipWithShortcut(const QAction& action);

} // namespace millrace::ui
