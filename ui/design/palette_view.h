// The list of node types in the palette: one picture at the pointer while dragging, Enter and double-click to add.
#pragma once

#include <QListView>

namespace millrace::ui {

class PaletteView : public QListView
{
    Q_OBJECT

public:
    explicit PaletteView(QWidget* parent = nullptr);

signals:
    void chosen(const QModelIndex& index);
    /// Up was pressed on the first row.
    void leftAtTop();
    /// Something was typed that belongs into the search.
    void typed(QKeyEvent* event);

protected:
    void keyPressEvent(QKeyEvent* event) override;
    void focusInEvent(QFocusEvent* event) override;
    void startDrag(Qt::DropActions actions) override;

private:
    QModelIndex firstRow() const;
};

} // namespace millrace::ui
