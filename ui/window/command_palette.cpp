#include "ui/window/command_palette.h"

#include "ui/theme/theme.h"

#include <QKeyEvent>
#include <QLineEdit>
#include <QListWidget>
#include <QPainter>
#include <QPointer>
#include <QStyledItemDelegate>
#include <QTimer>
#include <QVBoxLayout>
#include <algorithm>

namespace millrace::ui {

namespace {

constexpr int kWidth = 520, kRows = 10;
constexpr int kShortcutRole = Qt::UserRole + 1, kActionRole = Qt::UserRole + 2;

QString plainText(const QAction& action)
{
    QString text = action.text();
    return text.remove(QLatin1Char('&'));
}

// How well the name fits what was typed: all its letters in order; smaller is better, negative: not at all.
int misfit(const QString& name, const QString& typed)
{
    const qsizetype at = name.indexOf(typed, 0, Qt::CaseInsensitive);
    if (at >= 0) return static_cast<int>(at);
    qsizetype position = 0;
    int gaps = 100;
    for (const QChar c : typed) {
        const qsizetype next = name.indexOf(c, position, Qt::CaseInsensitive);
        if (next < 0) return -1;
        gaps += static_cast<int>(next - position);
        position = next + 1;
    }
    return gaps;
}

class RowDelegate : public QStyledItemDelegate
{
public:
    using QStyledItemDelegate::QStyledItemDelegate;
    QSize sizeHint(const QStyleOptionViewItem&, const QModelIndex&) const override { return {0, measure::kRow}; }
    void paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const override
    {
        painter->save();
        if (option.state & QStyle::State_Selected) {
            painter->setRenderHint(QPainter::Antialiasing);
            painter->setPen(Qt::NoPen);
            painter->setBrush(theme().color(Role::AccentSoft));
            painter->drawRoundedRect(option.rect, 6, 6);
        }
        const QRect text = option.rect.adjusted(10, 0, -10, 0);
        painter->setFont(theme().font(TextStyle::Body));
        painter->setPen(theme().color(Role::Text));
        painter->drawText(text, Qt::AlignVCenter | Qt::AlignLeft, index.data().toString());
        painter->setFont(theme().font(TextStyle::Caption));
        painter->setPen(theme().color(Role::Muted));
        painter->drawText(text, Qt::AlignVCenter | Qt::AlignRight, index.data(kShortcutRole).toString());
        painter->restore();
    }
};

} // namespace

CommandPalette::CommandPalette(QWidget* window) : QFrame(window, Qt::Popup)
{
    setFixedWidth(kWidth);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(8, 8, 8, 8);
    m_field = new QLineEdit(this);
    m_field->setPlaceholderText(tr("Type a command"));
    m_field->setAccessibleName(tr("Command"));
    m_field->installEventFilter(this);
    m_list = new QListWidget(this);
    m_list->setFrameShape(QFrame::NoFrame);
    m_list->setItemDelegate(new RowDelegate(m_list));
    m_list->setFocusPolicy(Qt::NoFocus);
    m_list->setAccessibleName(tr("Commands"));
    layout->addWidget(m_field);
    layout->addWidget(m_list);
    connect(m_field, &QLineEdit::textChanged, this, &CommandPalette::filter);
    connect(m_field, &QLineEdit::returnPressed, this, &CommandPalette::run);
    connect(m_list, &QListWidget::itemClicked, this, &CommandPalette::run);
}

void CommandPalette::open(const QList<QAction*>& actions)
{
    m_actions = actions;
    m_field->clear();
    filter(QString());
    const QWidget* window = parentWidget();
    move(window->mapToGlobal(QPoint((window->width() - kWidth) / 2, window->height() / 8)));
    show();
    m_field->setFocus();
}

void CommandPalette::filter(const QString& text)
{
    std::vector<std::pair<int, QAction*>> fitting;
    for (QAction* action : std::as_const(m_actions)) {
        if (!action->isEnabled() || action->text().isEmpty()) continue;
        const int rank = misfit(plainText(*action), text.trimmed());
        if (rank >= 0) fitting.emplace_back(rank, action);
    }
    std::stable_sort(fitting.begin(), fitting.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    m_list->clear();
    for (const auto& [rank, action] : fitting) {
        auto* item = new QListWidgetItem(plainText(*action), m_list);
        item->setData(kShortcutRole, action->shortcut().toString(QKeySequence::NativeText));
        item->setData(kActionRole, QVariant::fromValue(static_cast<QObject*>(action)));
    }
    m_list->setCurrentRow(0);
    const int rows = std::clamp(m_list->count(), 1, kRows);
    m_list->setFixedHeight(rows * measure::kRow + 4);
    adjustSize();
}

void CommandPalette::run()
{
    const QListWidgetItem* item = m_list->currentItem();
    if (item == nullptr) return;
    const QPointer<QAction> action = qobject_cast<QAction*>(item->data(kActionRole).value<QObject*>());
    hide();
    // after the popup is gone, so that the action finds the focus where it was
    QTimer::singleShot(0, this, [action] {
        if (action) action->trigger();
    });
}

bool CommandPalette::eventFilter(QObject* watched, QEvent* event)
{
    if (watched == m_field && event->type() == QEvent::KeyPress) {
        const int key = static_cast<QKeyEvent*>(event)->key();
        if (key == Qt::Key_Down || key == Qt::Key_Up) {
            const int step = key == Qt::Key_Down ? 1 : -1;
            m_list->setCurrentRow(std::clamp(m_list->currentRow() + step, 0, std::max(0, m_list->count() - 1)));
            return true;
        }
    }
    return QFrame::eventFilter(watched, event);
}

void CommandPalette::paintEvent(QPaintEvent*)
{
    QPainter painter(this);
    painter.fillRect(rect(), theme().color(Role::Raised));
    painter.setPen(theme().color(Role::Line));
    painter.drawRect(rect().adjusted(0, 0, -1, -1));
}

} // namespace millrace::ui
