#include "ui/runs/facts_view.h"

#include "ui/runs/run_words.h"
#include "ui/theme/theme.h"

#include <QHelpEvent>
#include <QPainter>
#include <QToolTip>

namespace millrace::ui {

using namespace Qt::StringLiterals;

namespace {
constexpr int kTitle = 26, kLine = 22, kNote = 15, kSign = 20;
}

FactsView::FactsView(const QString& title, QWidget* parent) : QWidget(parent), m_title(title)
{
    setAccessibleName(title);
    setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
    hide();
    connect(&theme(), &Theme::changed, this, qOverload<>(&QWidget::update));
}

void FactsView::setFacts(std::vector<Fact> facts)
{
    if (facts == m_facts) return;
    m_facts = std::move(facts);
    QStringList spoken;
    for (const Fact& fact : m_facts) spoken << fact.name + u' ' + fact.value + u' ' + fact.note;
    setAccessibleDescription(spoken.join(u", "_s));
    setVisible(!m_facts.empty());
    updateGeometry();
    update();
}

int FactsView::heightOf(const Fact& fact) const
{
    return kLine + (fact.note.isEmpty() ? 0 : kNote);
}

QSize FactsView::sizeHint() const
{
    int height = kTitle;
    for (const Fact& fact : m_facts) height += heightOf(fact);
    return {240, height};
}

const Fact* FactsView::at(int y) const
{
    int top = kTitle;
    for (const Fact& fact : m_facts) {
        if (y >= top && y < top + heightOf(fact)) return &fact;
        top += heightOf(fact);
    }
    return nullptr;
}

void FactsView::paintFact(QPainter& painter, const Fact& fact, int top) const
{
    int left = 0;
    if (fact.sign != Sign::None) {
        paintSign(painter, QRectF(0, top + (kLine - 13) / 2.0, 13, 13), fact.sign);
        left = kSign;
    }
    const bool named = fact.sign != Sign::None;
    const QFont nameFont = theme().font(named ? TextStyle::Body : TextStyle::Caption);
    const QFont valueFont = theme().font(named ? TextStyle::Caption : TextStyle::Number);
    // the value has what the name leaves, but never less than half
    const int nameWidth = QFontMetrics(nameFont).horizontalAdvance(fact.name) + 2;
    const int valueWidth = QFontMetrics(valueFont).horizontalAdvance(fact.value) + 2; // fractions of pixels

    const int room = width() - left - 12;
    const int valueRoom = nameWidth + valueWidth <= room ? valueWidth : std::max(room / 2, room - nameWidth);
    painter.setFont(nameFont);
    painter.setPen(theme().color(named ? Role::Text : Role::Muted));
    painter.drawText(
        QRect(left, top, room - std::min(valueRoom, valueWidth), kLine), Qt::AlignLeft | Qt::AlignVCenter,
        painter.fontMetrics().elidedText(fact.name, Qt::ElideRight, room - std::min(valueRoom, valueWidth)));
    painter.setFont(valueFont);
    painter.setPen(theme().color(named ? Role::Muted : fact.role));
    painter.drawText(QRect(width() - valueRoom - 1, top, valueRoom + 1, kLine), Qt::AlignRight | Qt::AlignVCenter,
                     painter.fontMetrics().elidedText(fact.value, Qt::ElideRight, valueRoom));
    if (fact.note.isEmpty()) return;
    painter.setFont(theme().font(TextStyle::Caption));
    painter.setPen(theme().color(fact.sign == Sign::Failed ? Role::Bad : Role::Muted));
    painter.drawText(QRect(left, top + kLine - 3, width() - left, kNote), Qt::AlignLeft | Qt::AlignVCenter,
                     painter.fontMetrics().elidedText(fact.note, Qt::ElideRight, width() - left));
}

void FactsView::paintEvent(QPaintEvent*)
{
    QPainter painter(this);
    painter.setFont(theme().font(TextStyle::Strong));
    painter.setPen(theme().color(Role::Text));
    painter.drawText(QRect(0, 0, width(), kTitle - 4), Qt::AlignLeft | Qt::AlignVCenter, m_title);
    int top = kTitle;
    for (const Fact& fact : m_facts) {
        paintFact(painter, fact, top);
        top += heightOf(fact);
    }
}

bool FactsView::event(QEvent* event)
{
    if (event->type() != QEvent::ToolTip) return QWidget::event(event);
    const auto* help = static_cast<QHelpEvent*>(event);
    const Fact* fact = at(help->pos().y());
    const QString text = fact ? QStringList({fact->name, fact->value, fact->note}).join(u' ').trimmed() : QString();
    QToolTip::showText(help->globalPos(), plainToolTip(text), this);
    return true;
}

} // namespace millrace::ui
