#include "ui/design/palette_view.h"

#include "ui/design/palette_delegate.h"
#include "ui/design/palette_model.h"
#include "ui/theme/theme.h"

#include <QDrag>
#include <QKeyEvent>
#include <QMimeData>
#include <memory>

namespace millrace::ui {

PaletteView::PaletteView(QWidget* parent) : QListView(parent)
{
    setItemDelegate(new PaletteDelegate(this));
    setSelectionMode(QAbstractItemView::SingleSelection);
    setEditTriggers(QAbstractItemView::NoEditTriggers);
    setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    setVerticalScrollMode(QAbstractItemView::ScrollPerPixel);
    setDragEnabled(true);
    setDragDropMode(QAbstractItemView::DragOnly);
    setMouseTracking(true);
    setFrameShape(QFrame::NoFrame);
    connect(this, &QAbstractItemView::doubleClicked, this, &PaletteView::chosen);
    connect(&theme(), &Theme::changed, viewport(), qOverload<>(&QWidget::update));
}

QModelIndex PaletteView::firstRow() const
{
    const auto* rows = qobject_cast<const PaletteModel*>(model());
    return rows ? rows->index(rows->firstType()) : QModelIndex();
}

void PaletteView::keyPressEvent(QKeyEvent* event)
{
    const bool plain = !(event->modifiers() & ~(Qt::ShiftModifier | Qt::KeypadModifier));
    const bool writes = plain && !event->text().isEmpty() && event->text().front().isPrint();
    if (event->key() == Qt::Key_Return || event->key() == Qt::Key_Enter) {
        if (currentIndex().isValid()) emit chosen(currentIndex());
    } else if (event->key() == Qt::Key_Up && currentIndex() == firstRow()) {
        emit leftAtTop();
    } else if (writes || event->key() == Qt::Key_Backspace) {
        emit typed(event);
    } else {
        QListView::keyPressEvent(event);
    }
}

void PaletteView::focusInEvent(QFocusEvent* event)
{
    if (!currentIndex().isValid() && event->reason() != Qt::MouseFocusReason) setCurrentIndex(firstRow());
    QListView::focusInEvent(event);
}

void PaletteView::startDrag(Qt::DropActions actions)
{
    const QModelIndex index = currentIndex();
    if (!index.isValid()) return;
    auto* drag = new QDrag(this); // deletes itself when the drag is over
    drag->setMimeData(model()->mimeData({index}));
    const QPixmap picture = dragPicture(index, devicePixelRatioF());
    drag->setPixmap(picture);
    drag->setHotSpot(QPoint(12, 17));
    drag->exec(actions, Qt::CopyAction);
}

} // namespace millrace::ui
