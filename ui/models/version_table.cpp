#include "ui/models/version_table.h"

#include "kernels/base/units.h"
#include "ui/runs/run_words.h"
#include "ui/theme/theme.h"
#include "ui/widgets/pill.h"

#include <QPainter>
#include <algorithm>

namespace millrace::ui {

using namespace Qt::StringLiterals;

void VersionModel::setVersions(std::vector<ModelVersionRow> versions)
{
    beginResetModel();
    m_versions = std::move(versions);
    QStringList names;
    for (const ModelVersionRow& version : m_versions) {
        for (const Metric& metric : version.metrics) {
            if (!names.contains(metric.name)) names << metric.name;
        }
    }
    m_metrics.clear();
    for (const QString& wanted :
         {u"test.accuracy"_s, u"test.rmse"_s, u"test.r2"_s, u"validation.accuracy"_s, u"validation.loss"_s}) {
        if (names.removeOne(wanted) && m_metrics.size() < 2) m_metrics << wanted;
    }
    while (m_metrics.size() < 2 && !names.isEmpty()) m_metrics << names.takeFirst();
    endResetModel();
}

int VersionModel::rowCount(const QModelIndex& parent) const
{
    return parent.isValid() ? 0 : static_cast<int>(m_versions.size());
}

int VersionModel::columnCount(const QModelIndex& parent) const
{
    return parent.isValid() ? 0 : static_cast<int>(Columns);
}

QString VersionModel::metric(const ModelVersionRow& version, int which) const
{
    for (const Metric& metric : version.metrics) {
        if (metric.name == m_metrics.value(which)) return metricText(metric.value);
    }
    return which < m_metrics.size() ? u"—"_s : QString();
}

QVariant VersionModel::data(const QModelIndex& index, int role) const
{
    if (!index.isValid() || index.row() >= rowCount()) return {};
    const ModelVersionRow& version = m_versions[static_cast<std::size_t>(index.row())];
    if (role == Qt::TextAlignmentRole) {
        const bool right = index.column() == FirstMetric || index.column() == SecondMetric || index.column() == Size;
        return QVariant::fromValue(Qt::Alignment((right ? Qt::AlignRight : Qt::AlignLeft) | Qt::AlignVCenter));
    }
    if (role == Qt::ToolTipRole && index.column() == From) return plainToolTip(tr("Opens the run %1").arg(version.run));
    if (role != Qt::DisplayRole) return {};
    switch (index.column()) {
    case Version:
        return tr("Version %1").arg(version.version);
    case Aliases:
        return version.aliases.join(u", "_s);
    case FirstMetric:
        return metric(version, 0);
    case SecondMetric:
        return metric(version, 1);
    case Size:
        return bytesText(static_cast<double>(version.bytes));
    case From:
        return version.runName.isEmpty() ? version.run : version.runName;
    case When:
        return whenWords(version.createdMs, unixMilliseconds());
    default:
        return {};
    }
}

QVariant VersionModel::headerData(int section, Qt::Orientation orientation, int role) const
{
    if (orientation != Qt::Horizontal) return {};
    if (role == Qt::TextAlignmentRole) {
        const bool right = section == FirstMetric || section == SecondMetric || section == Size;
        return QVariant::fromValue(Qt::Alignment((right ? Qt::AlignRight : Qt::AlignLeft) | Qt::AlignVCenter));
    }
    if (role != Qt::DisplayRole) return {};
    switch (section) {
    case Version:
        return tr("Version");
    case Aliases:
        return tr("Aliases");
    case FirstMetric:
        return metricTitle(m_metrics.value(0)).replace(u"validation"_s, u"val."_s);
    case SecondMetric:
        return metricTitle(m_metrics.value(1)).replace(u"validation"_s, u"val."_s);
    case Size:
        return tr("Size");
    case From:
        return tr("From run");
    case When:
        return tr("When");
    default:
        return {};
    }
}

void VersionDelegate::paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const
{
    painter->save();
    painter->setRenderHint(QPainter::Antialiasing);
    const bool selected = option.state & QStyle::State_Selected;
    const QRect cell = option.rect;
    painter->fillRect(cell, theme().color(selected ? Role::AccentSoft : Role::Surface));
    painter->fillRect(QRect(cell.left(), cell.bottom(), cell.width(), 1), theme().color(Role::Hairline));
    const QRect text = cell.adjusted(index.column() == VersionModel::Version ? 16 : 10, 0, -10, -1);
    const QString shown = index.data().toString();
    if (index.column() == VersionModel::Aliases) {
        double left = text.left();
        for (const QString& alias : shown.split(u", "_s, Qt::SkipEmptyParts)) {
            const double half = QFontMetrics(theme().font(TextStyle::Caption)).horizontalAdvance(alias) / 2.0 + 9;
            left = paintPill(*painter, QPointF(left + half, text.center().y() + 1), alias, Role::Accent).right() + 4;
        }
        painter->restore();
        return;
    }
    painter->setFont(theme().font(index.column() == VersionModel::Version ? TextStyle::Strong : TextStyle::Number));
    painter->setPen(theme().color(index.column() == VersionModel::From ? Role::Accent : Role::Text));
    const auto alignment = index.data(Qt::TextAlignmentRole).value<Qt::Alignment>();
    painter->drawText(text, static_cast<int>(alignment) | Qt::TextSingleLine,
                      painter->fontMetrics().elidedText(shown, Qt::ElideRight, text.width()));
    painter->restore();
}

} // namespace millrace::ui
