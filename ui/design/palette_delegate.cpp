#include "ui/design/palette_delegate.h"

#include "ui/design/palette_model.h"
#include "ui/theme/theme.h"

#include <QFontMetrics>
#include <QPainter>
#include <QPixmap>
#include <algorithm>

namespace millrace::ui {

namespace {

constexpr int kRowHeight = 27;
constexpr int kBarLeft = 14, kTextLeft = 26, kRight = 8;

void paintBar(QPainter& painter, const QRectF& row, qreal left, const QString& port)
{
    painter.setPen(Qt::NoPen);
    painter.setBrush(theme().port(port));
    painter.drawRoundedRect(QRectF(left, row.center().y() - 7, 3, 14), 1.5, 1.5);
}

} // namespace

void PaletteDelegate::paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const
{
    painter->save();
    painter->setRenderHint(QPainter::Antialiasing);
    const QRect row = option.rect;
    const bool heading = index.data(PaletteModel::HeadingRole).toBool();
    if (!heading) {
        const bool selected = option.state & QStyle::State_Selected;
        const bool focused = selected && (option.state & QStyle::State_HasFocus);
        if (selected || (option.state & QStyle::State_MouseOver)) {
            painter->setBrush(theme().color(selected ? Role::AccentSoft : Role::Hairline));
            painter->setPen(focused ? QPen(theme().color(Role::Accent), 1) : QPen(Qt::NoPen));
            painter->drawRoundedRect(QRectF(row).adjusted(6.5, 0.5, -6.5, -0.5), 6, 6);
        }
        paintBar(*painter, row, row.left() + kBarLeft, index.data(PaletteModel::PortRole).toString());
    }
    const QFont font = theme().font(heading ? TextStyle::CaptionStrong : TextStyle::Body);
    painter->setFont(font);
    painter->setPen(theme().color(heading ? Role::Muted : Role::Text));
    const QRect text = row.adjusted(heading ? kBarLeft : kTextLeft, 0, -kRight, 0);
    painter->drawText(text, Qt::AlignVCenter | Qt::AlignLeft | Qt::TextSingleLine,
                      QFontMetrics(font).elidedText(index.data().toString(), Qt::ElideRight, text.width()));
    painter->restore();
}

QSize PaletteDelegate::sizeHint(const QStyleOptionViewItem&, const QModelIndex&) const
{
    // grows with the font, where somebody has set a larger one
    const int text = QFontMetrics(theme().font(TextStyle::Body)).height() + 8;
    return {measure::kPaletteWidth / 2, std::max(text, kRowHeight)};
}

QPixmap dragPicture(const QModelIndex& index, qreal devicePixelRatio)
{
    const QString title = index.data().toString();
    const QFont font = theme().font(TextStyle::Strong);
    const QSize size(QFontMetrics(font).horizontalAdvance(title) + 36, 34);
    QPixmap picture(size * devicePixelRatio);
    picture.setDevicePixelRatio(devicePixelRatio);
    picture.fill(Qt::transparent);
    QPainter painter(&picture);
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setPen(theme().color(Role::Accent));
    painter.setBrush(theme().color(Role::Raised));
    const QRectF card = QRectF(QPointF(), QSizeF(size)).adjusted(0.5, 0.5, -0.5, -0.5);
    painter.drawRoundedRect(card, 8, 8);
    paintBar(painter, card, 11, index.data(PaletteModel::PortRole).toString());
    painter.setFont(font);
    painter.setPen(theme().color(Role::Text));
    painter.drawText(card.adjusted(22, 0, 0, 0), Qt::AlignVCenter | Qt::AlignLeft, title);
    return picture;
}

} // namespace millrace::ui
