#include "ui/runs/runs_model.h"

#include "kernels/base/units.h"
#include "ui/runs/run_words.h"

#include <QDateTime>
#include <QLocale>
#include <QSet>
#include <algorithm>
#include <cmath>

namespace millrace::ui {

using namespace Qt::StringLiterals;

namespace {
// beyond so many changes at once, one new order is cheaper than moving row after row
constexpr std::size_t kChangesOneByOne = 200;
constexpr std::size_t kLookedAt = 300;
} // namespace

RunsModel::RunsModel(QObject* parent) : QAbstractTableModel(parent)
{
    m_columns = {{RunColumn::Kind::Chip, {}},
                 {RunColumn::Kind::Name, {}},
                 {RunColumn::Kind::State, {}},
                 {RunColumn::Kind::Seconds, {}},
                 {RunColumn::Kind::When, {}}};
    m_nowMs = unixMilliseconds();
}

void RunsModel::setRuns(const RunList& runs)
{
    beginResetModel();
    m_nowMs = unixMilliseconds();
    m_entries.clear();
    m_byId.clear();
    m_removed = 0;
    m_entries.reserve(runs->size());
    m_byId.reserve(static_cast<qsizetype>(runs->size()));
    for (const RunSummary& run : *runs) {
        m_byId.insert(run.id, static_cast<std::uint32_t>(m_entries.size()));
        m_entries.push_back({RunPtr(runs, &run), keyOf(run)});
    }
    rebuild();
    endResetModel();
}

void RunsModel::applyChanges(const RunList& changed)
{
    m_nowMs = unixMilliseconds();
    if (changed->size() <= kChangesOneByOne) {
        for (const RunSummary& run : *changed) change(RunPtr(changed, &run));
        return;
    }
    beginResetModel();
    for (const RunSummary& run : *changed) {
        if (!m_byId.contains(run.id)) {
            m_byId.insert(run.id, static_cast<std::uint32_t>(m_entries.size()));
            m_entries.emplace_back();
        }
        m_entries[m_byId[run.id]] = {RunPtr(changed, &run), keyOf(run)};
    }
    rebuild();
    endResetModel();
}

void RunsModel::change(const RunPtr& run)
{
    const auto known = m_byId.constFind(run->id);
    if (known == m_byId.constEnd()) {
        const auto entry = static_cast<std::uint32_t>(m_entries.size());
        m_byId.insert(run->id, entry);
        m_entries.push_back({run, keyOf(*run)});
        if (m_filter.matches(*run)) insertVisible(entry);
        return;
    }
    const std::uint32_t entry = *known;
    const int row = rowOf(run->id);
    const bool visible = m_filter.matches(*run);
    const Entry next{run, keyOf(*run)};
    const auto sameText = next.key.text == m_entries[entry].key.text;
    const auto sameNumber = next.key.number == m_entries[entry].key.number ||
                            (std::isnan(next.key.number) && std::isnan(m_entries[entry].key.number));
    if (row >= 0 && visible && sameText && sameNumber && next.key.missing == m_entries[entry].key.missing) {
        m_entries[entry] = next;
        emit dataChanged(index(row, 0), index(row, columnCount() - 1));
        return;
    }
    if (row >= 0 && visible) {
        // one move, so that the selection stays with the run
        std::vector<std::uint32_t> others = m_visible;
        others.erase(others.begin() + row);
        m_entries[entry] = next;
        const auto place = std::lower_bound(others.begin(), others.end(), entry,
                                            [this](std::uint32_t a, std::uint32_t b) { return before(a, b); });
        const int target = static_cast<int>(place - others.begin());
        if (target != row) {
            beginMoveRows({}, row, row, {}, target > row ? target + 1 : target);
            others.insert(place, entry);
            m_visible = std::move(others);
            endMoveRows();
        }
        emit dataChanged(index(target, 0), index(target, columnCount() - 1));
        return;
    }
    if (row >= 0) {
        beginRemoveRows({}, row, row);
        m_visible.erase(m_visible.begin() + row);
        m_entries[entry] = next;
        endRemoveRows();
        return;
    }
    m_entries[entry] = next;
    if (visible) insertVisible(entry);
}

void RunsModel::insertVisible(std::uint32_t entry)
{
    const auto place = std::lower_bound(m_visible.begin(), m_visible.end(), entry,
                                        [this](std::uint32_t a, std::uint32_t b) { return before(a, b); });
    const int row = static_cast<int>(place - m_visible.begin());
    beginInsertRows({}, row, row);
    m_visible.insert(place, entry);
    endInsertRows();
}

void RunsModel::removeRuns(const QStringList& ids)
{
    for (const QString& id : ids) {
        const auto known = m_byId.constFind(id);
        if (known == m_byId.constEnd()) continue;
        const std::uint32_t entry = *known;
        const int row = rowOf(id);
        if (row >= 0) beginRemoveRows({}, row, row);
        if (row >= 0) m_visible.erase(m_visible.begin() + row);
        m_entries[entry].run.reset();
        ++m_removed;
        m_byId.remove(id);
        if (row >= 0) endRemoveRows();
    }
}

void RunsModel::setFilter(RunFilter filter)
{
    beginResetModel();
    m_filter = std::move(filter);
    rebuild();
    endResetModel();
}

void RunsModel::setColumns(std::vector<RunColumn> columns)
{
    if (columns == m_columns) return;
    beginResetModel();
    m_columns = std::move(columns);
    endResetModel();
}

int RunsModel::sortSection() const
{
    const auto at = std::find(m_columns.begin(), m_columns.end(), m_sortColumn);
    return at == m_columns.end() ? -1 : static_cast<int>(at - m_columns.begin());
}

void RunsModel::setChips(const QHash<QString, int>& chips)
{
    if (chips == m_chips) return;
    m_chips = chips;
    if (!m_visible.empty()) emit dataChanged(index(0, 0), index(rowCount() - 1, 0));
}

void RunsModel::updateTimes()
{
    m_nowMs = unixMilliseconds();
    if (!m_visible.empty()) emit dataChanged(index(0, columnCount() - 1), index(rowCount() - 1, columnCount() - 1));
}

RunPtr RunsModel::runAt(int row) const
{
    if (row < 0 || row >= rowCount()) return nullptr;
    return m_entries[m_visible[static_cast<std::size_t>(row)]].run;
}

RunPtr RunsModel::find(const QString& id) const
{
    const auto known = m_byId.constFind(id);
    return known == m_byId.constEnd() ? nullptr : m_entries[*known].run;
}

int RunsModel::rowOf(const QString& id) const
{
    const auto known = m_byId.constFind(id);
    if (known == m_byId.constEnd()) return -1;
    const auto at = std::find(m_visible.begin(), m_visible.end(), *known);
    return at == m_visible.end() ? -1 : static_cast<int>(at - m_visible.begin());
}

QStringList RunsModel::names(RunColumn::Kind kind) const
{
    QSet<QString> names;
    for (std::size_t i = 0; i < m_entries.size(); ++i) {
        const Entry& entry = m_entries[i];
        const bool nearEnd = i < kLookedAt || i + kLookedAt >= m_entries.size();
        if (!entry.run || !nearEnd) continue;
        if (kind == RunColumn::Kind::Metric) {
            for (const Metric& metric : entry.run->metrics) names.insert(metric.name);
        } else {
            for (const Parameter& parameter : entry.run->parameters) names.insert(parameter.name);
        }
    }
    QStringList sorted(names.begin(), names.end());
    sorted.sort();
    return sorted;
}

RunsModel::Key RunsModel::keyOf(const RunSummary& run) const
{
    const auto number = [](double value) { return Key{value, {}, std::isnan(value)}; };
    switch (m_sortColumn.kind) {
    case RunColumn::Kind::Chip:
    case RunColumn::Kind::When:
        return number(static_cast<double>(run.createdMs));
    case RunColumn::Kind::Name:
        return {kNoNumber, run.name.toLower(), false};
    case RunColumn::Kind::State:
        return number(static_cast<double>(run.state));
    case RunColumn::Kind::Seconds:
        return number(run.seconds());
    case RunColumn::Kind::Metric: {
        const Metric* metric = run.metric(m_sortColumn.name);
        return number(metric ? metric->value : kNoNumber);
    }
    case RunColumn::Kind::Parameter: {
        const Parameter* parameter = run.parameter(m_sortColumn.name);
        if (!parameter) return {};
        return {parameter->number, std::isnan(parameter->number) ? parameter->text.toLower() : QString(), false};
    }
    }
    return {};
}

bool RunsModel::before(std::uint32_t a, std::uint32_t b) const
{
    const Key& left = m_entries[a].key;
    const Key& right = m_entries[b].key;
    if (left.missing != right.missing) return right.missing;
    const bool ascending = m_sortOrder == Qt::AscendingOrder;
    const bool leftText = std::isnan(left.number), rightText = std::isnan(right.number);
    if (leftText != rightText) return rightText;
    if (!leftText && left.number != right.number) return ascending == (left.number < right.number);
    if (leftText && left.text != right.text) return ascending == (left.text < right.text);
    // newest first among equals; the entry's number makes the order total
    const qint64 leftTime = m_entries[a].run->createdMs, rightTime = m_entries[b].run->createdMs;
    return leftTime != rightTime ? leftTime > rightTime : a < b;
}

void RunsModel::rebuild()
{
    m_visible.clear();
    for (std::uint32_t i = 0; i < m_entries.size(); ++i) {
        if (m_entries[i].run && m_filter.matches(*m_entries[i].run)) m_visible.push_back(i);
    }
    std::sort(m_visible.begin(), m_visible.end(), [this](std::uint32_t a, std::uint32_t b) { return before(a, b); });
}

void RunsModel::sort(int column, Qt::SortOrder order)
{
    if (column < 0 || column >= columnCount()) return;
    beginResetModel();
    m_sortColumn = m_columns[static_cast<std::size_t>(column)];
    m_sortOrder = order;
    for (Entry& entry : m_entries) {
        if (entry.run) entry.key = keyOf(*entry.run);
    }
    rebuild();
    endResetModel();
}

int RunsModel::rowCount(const QModelIndex& parent) const
{
    return parent.isValid() ? 0 : static_cast<int>(m_visible.size());
}

int RunsModel::columnCount(const QModelIndex& parent) const
{
    return parent.isValid() ? 0 : static_cast<int>(m_columns.size());
}

QString RunsModel::text(const RunSummary& run, const RunColumn& column) const
{
    switch (column.kind) {
    case RunColumn::Kind::Chip:
        return {};
    case RunColumn::Kind::Name:
        return run.name;
    case RunColumn::Kind::State:
        return stateWord(run.state);
    case RunColumn::Kind::Seconds:
        return durationWords(run.seconds());
    case RunColumn::Kind::When:
        return whenWords(run.createdMs, m_nowMs);
    case RunColumn::Kind::Metric: {
        const Metric* metric = run.metric(column.name);
        return metric ? metricText(metric->value) : u"—"_s;
    }
    case RunColumn::Kind::Parameter: {
        const Parameter* parameter = run.parameter(column.name);
        return parameter ? parameter->text : u"—"_s;
    }
    }
    return {};
}

QVariant RunsModel::data(const QModelIndex& index, int role) const
{
    const RunPtr run = runAt(index.row());
    if (!run || index.column() >= columnCount()) return {};
    const RunColumn& column = m_columns[static_cast<std::size_t>(index.column())];
    switch (role) {
    case Qt::DisplayRole:
        return text(*run, column);
    case Qt::TextAlignmentRole: {
        bool right = column.kind == RunColumn::Kind::Metric || column.kind == RunColumn::Kind::Seconds;
        if (column.kind == RunColumn::Kind::Parameter) {
            const Parameter* parameter = run->parameter(column.name);
            right = parameter && !std::isnan(parameter->number);
        }
        return QVariant::fromValue(Qt::Alignment((right ? Qt::AlignRight : Qt::AlignLeft) | Qt::AlignVCenter));
    }
    case Qt::ToolTipRole:
        if (column.kind == RunColumn::Kind::State && !run->cause.isEmpty()) return plainToolTip(run->cause);
        if (column.kind == RunColumn::Kind::Name) return plainToolTip(u"%1 · %2"_s.arg(run->pipeline, run->id));
        if (column.kind == RunColumn::Kind::When) {
            return QLocale().toString(QDateTime::fromMSecsSinceEpoch(run->createdMs), QLocale::ShortFormat);
        }
        return {};
    case Qt::AccessibleTextRole:
        return column.kind == RunColumn::Kind::Chip ? tr("compare %1").arg(run->name) : text(*run, column);
    case RunRole:
        return run->id;
    case StateRole:
        return static_cast<int>(run->state);
    case ChipRole:
        return m_chips.value(run->id, kNoChip);
    default:
        return {};
    }
}

QVariant RunsModel::headerData(int section, Qt::Orientation orientation, int role) const
{
    if (orientation != Qt::Horizontal || section < 0 || section >= columnCount()) return {};
    const RunColumn& column = m_columns[static_cast<std::size_t>(section)];
    if (role == Qt::TextAlignmentRole) {
        bool right = column.kind == RunColumn::Kind::Metric || column.kind == RunColumn::Kind::Seconds;
        if (column.kind == RunColumn::Kind::Parameter) {
            for (const std::uint32_t entry : m_visible) {
                const Parameter* parameter = m_entries[entry].run->parameter(column.name);
                if (!parameter) continue;
                right = !std::isnan(parameter->number);
                break;
            }
        }
        return QVariant::fromValue(Qt::Alignment((right ? Qt::AlignRight : Qt::AlignLeft) | Qt::AlignVCenter));
    }
    if (role == Qt::ToolTipRole && !column.name.isEmpty()) return plainToolTip(column.name);
    if (role != Qt::DisplayRole) return {};
    switch (column.kind) {
    case RunColumn::Kind::Chip:
        return QString();
    case RunColumn::Kind::Name:
        return tr("Run");
    case RunColumn::Kind::State:
        return tr("State");
    case RunColumn::Kind::Metric:
        return metricTitle(column.name).replace(u"validation"_s, u"val."_s);
    case RunColumn::Kind::Parameter:
        return parameterTitle(column.name).replace(u"learning rate"_s, u"learn. rate"_s);
    case RunColumn::Kind::Seconds:
        return tr("Time");
    case RunColumn::Kind::When:
        return tr("When");
    }
    return {};
}

} // namespace millrace::ui
