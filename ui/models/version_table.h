// The versions of a model, newest first: aliases, results, size, the run each came from.
#pragma once

#include "ui/bridge/values.h"

#include <QAbstractTableModel>
#include <QStyledItemDelegate>
#include <vector>

namespace millrace::ui {

class VersionModel : public QAbstractTableModel
{
    Q_OBJECT
public:
    enum Column
    {
        Version,
        Aliases,
        FirstMetric,
        SecondMetric,
        Size,
        From,
        When,
        Columns
    };

    using QAbstractTableModel::QAbstractTableModel;

    void setVersions(std::vector<ModelVersionRow> versions);
    const std::vector<ModelVersionRow>& versions() const { return m_versions; }

    int rowCount(const QModelIndex& parent = {}) const override;
    int columnCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role = Qt::DisplayRole) const override;
    QVariant headerData(int section, Qt::Orientation orientation, int role = Qt::DisplayRole) const override;

private:
    QString metric(const ModelVersionRow& version, int which) const;

    std::vector<ModelVersionRow> m_versions;
    QStringList m_metrics; ///< the two that have a column
};

/// Rows in the manner of the table of runs; aliases as pills, the run as a link.
class VersionDelegate : public QStyledItemDelegate
{
    Q_OBJECT
public:
    using QStyledItemDelegate::QStyledItemDelegate;
    void paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const override;
};

} // namespace millrace::ui
