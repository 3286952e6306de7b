// Draws a row of the palette: a heading, or a node type with a bar in the colour of what it gives.
#pragma once

#include <QStyledItemDelegate>

namespace millrace::ui {

class PaletteDelegate : public QStyledItemDelegate
{
    Q_OBJECT

public:
    using QStyledItemDelegate::QStyledItemDelegate;

    void paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const override;
    QSize sizeHint(const QStyleOptionViewItem& option, const QModelIndex& index) const override;
};

/// The title with its bar on a small card: what hangs at the pointer while a node type is dragged.
QPixmap dragPicture(const QModelIndex& index, qreal devicePixelRatio);

} // namespace millrace::ui
