// The table of runs as a model on values: filtered and sorted here, so that thousands of rows stay one vector of
// numbers, and changed row by row while runs are under way.
#pragma once

#include "ui/bridge/values.h"
#include "ui/runs/run_filter.h"

#include <QAbstractTableModel>
#include <QHash>
#include <memory>
#include <vector>

namespace millrace::ui {

using RunPtr = std::shared_ptr<const RunSummary>; ///< shares the list that it came in

/// What a column shows.
struct RunColumn
{
    enum class Kind
    {
        Chip,
        Name,
        State,
        Metric,
        Parameter,
        Seconds,
        When
    } kind = Kind::Name;
    QString name; ///< of the metric or parameter
    bool operator==(const RunColumn&) const = default;
};

class RunsModel : public QAbstractTableModel
{
    Q_OBJECT
public:
    enum
    {
        RunRole = Qt::UserRole,
        StateRole,
        ChipRole
    };
    static constexpr int kNoChip = -1;

    explicit RunsModel(QObject* parent = nullptr);

    void setRuns(const RunList& runs);
    void applyChanges(const RunList& changed);
    void removeRuns(const QStringList& ids);
    void setFilter(RunFilter filter);
    void setColumns(std::vector<RunColumn> columns);
    const std::vector<RunColumn>& columns() const { return m_columns; }
    /// The column by which the rows are in order, and in which; -1 where it is not shown.
    int sortSection() const;
    Qt::SortOrder sortOrder() const { return m_sortOrder; }
    /// The colours of runs that are compared: id to number of the colour.
    void setChips(const QHash<QString, int>& chips);
    /// "2 min" becomes "3 min".
    void updateTimes();

    std::size_t total() const { return m_entries.size() - m_removed; }
    /// The run in that row; null outside.
    RunPtr runAt(int row) const;
    RunPtr find(const QString& id) const;
    int rowOf(const QString& id) const;
    /// Names of metrics or parameters that runs have, sorted. Looks at some hundred runs from either end of the list,
    /// to answer at once however many there are.
    QStringList names(RunColumn::Kind kind) const;

    int rowCount(const QModelIndex& parent = {}) const override;
    int columnCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role = Qt::DisplayRole) const override;
    QVariant headerData(int section, Qt::Orientation orientation, int role = Qt::DisplayRole) const override;
    void sort(int column, Qt::SortOrder order = Qt::AscendingOrder) override;

private:
    struct Key
    {
        double number = kNoNumber;
        QString text;
        bool missing = true; ///< stands last in either order
    };
    struct Entry
    {
        RunPtr run; ///< null: removed
        Key key;
    };

    Key keyOf(const RunSummary& run) const;
    bool before(std::uint32_t a, std::uint32_t b) const;
    /// Filters and sorts all anew.
    void rebuild();
    void change(const RunPtr& run);
    void insertVisible(std::uint32_t entry);
    QString text(const RunSummary& run, const RunColumn& column) const;

    std::vector<Entry> m_entries;
    std::size_t m_removed = 0;
    QHash<QString, std::uint32_t> m_byId;
    std::vector<std::uint32_t> m_visible; ///< entries that pass the filter, in the order of the rows
    std::vector<RunColumn> m_columns;
    RunFilter m_filter;
    QHash<QString, int> m_chips;
    RunColumn m_sortColumn{RunColumn::Kind::When, {}};
    Qt::SortOrder m_sortOrder = Qt::DescendingOrder;
    qint64 m_nowMs = 0;
};

} // namespace millrace::ui
