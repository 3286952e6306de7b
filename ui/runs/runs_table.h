// The table of runs: rows of 32 px with a chip for what is compared, the state as sign and word, and numbers at the
// right. A click on the chip, or Space, takes a run into the comparison; Enter opens it.
#pragma once

#include <QHeaderView>
#include <QStyledItemDelegate>
#include <QTableView>

namespace millrace::ui {

class RunsModel;

class RunsTable : public QTableView
{
    Q_OBJECT
public:
    explicit RunsTable(RunsModel& model, QWidget* parent = nullptr);

    /// Widths for the model's columns as they are now.
    void fitColumns();

signals:
    void openRequested(const QString& run);
    void chipToggled(const QString& run);
    void deleteRequested();

protected:
    void keyPressEvent(QKeyEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;

private:
    RunsModel& m_model;
};

/// Titles that stand exactly over their columns, with the arrow of the order beside.
class RunsHeader : public QHeaderView
{
    Q_OBJECT
public:
    explicit RunsHeader(QWidget* parent = nullptr);

protected:
    void paintSection(QPainter* painter, const QRect& rect, int section) const override;
};

class RunsDelegate : public QStyledItemDelegate
{
    Q_OBJECT
public:
    using QStyledItemDelegate::QStyledItemDelegate;
    void paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const override;

private:
    void paintChip(QPainter& painter, const QRect& cell, int chip) const;
};

} // namespace millrace::ui
