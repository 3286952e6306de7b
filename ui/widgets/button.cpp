#include "ui/widgets/button.h"

#include "ui/theme/theme.h"

#include <QAction>

namespace millrace::ui {

namespace {
QString kindName(ButtonKind kind)
{
    switch (kind) {
    case ButtonKind::Primary:
        return QStringLiteral("primary");
    case ButtonKind::Secondary:
        return QStringLiteral("secondary");
    case ButtonKind::Flat:
        return QStringLiteral("flat");
    case ButtonKind::Link:
        return QStringLiteral("link");
    }
    return {};
}
} // namespace

QPushButton* makeButton(const QString& text, ButtonKind kind, const QString& iconName, QWidget* parent)
{
    auto* button = new QPushButton(text, parent);
    button->setProperty("kind", kindName(kind));
    button->setCursor(kind == ButtonKind::Link ? Qt::PointingHandCursor : Qt::ArrowCursor);
    if (!iconName.isEmpty()) {
        button->setIcon(icon(iconName, kind == ButtonKind::Primary ? Role::OnAccent : Role::Text));
        button->setIconSize(QSize(14, 14));
    }
    return button;
}

QPushButton* makeActionButton(QAction* action, ButtonKind kind, const QString& iconName, QWidget* parent)
{
    QPushButton* button = makeButton(action->text(), kind, iconName, parent);
    const auto follow = [action, button] {
        button->setText(action->text());
        button->setEnabled(action->isEnabled());
        button->setToolTip(toolTipWithShortcut(*action));
    };
    follow();
    QObject::connect(action, &QAction::changed, button, follow);
    QObject::connect(button, &QPushButton::clicked, action, [action] { action->trigger(); });
    return button;
}

QString toolTipWithShortcut(const QAction& action)
{
    const QString what = action.statusTip().isEmpty() ? action.text() : action.statusTip();
    if (action.shortcut().isEmpty()) return what;
    return QStringLiteral("%1 (%2)").arg(what, action.shortcut().toString(QKeySequence::NativeText));
}

} // namespace millrace::ui
