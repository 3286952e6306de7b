#include "ui/charts/confusion_view.h"

#include "ui/theme/theme.h"

#include <QKeyEvent>
#include <QLocale>
#include <QMouseEvent>
#include <QPainter>
#include <algorithm>
#include <cmath>
#include <numeric>

namespace millrace::ui {

namespace {

constexpr int kWordsHeight = 20, kAxisName = 18;
constexpr double kSmallestWithNumber = 19;

qint64 rowSum(const ConfusionCounts& counts, std::size_t row)
{
    return std::accumulate(counts[row].begin(), counts[row].end(), qint64{0});
}

QString percent(double share)
{
    if (std::isnan(share)) return QStringLiteral("—");
    const double hundred = share * 100;
    return QLocale().toString(hundred, 'f', hundred == std::round(hundred) ? 0 : 1);
}

} // namespace

double recallOf(const ConfusionCounts& counts, std::size_t label)
{
    const qint64 all = rowSum(counts, label);
    return all == 0 ? std::nan("") : static_cast<double>(counts[label][label]) / static_cast<double>(all);
}

double precisionOf(const ConfusionCounts& counts, std::size_t label)
{
    qint64 all = 0;
    for (const auto& row : counts) all += row[label];
    return all == 0 ? std::nan("") : static_cast<double>(counts[label][label]) / static_cast<double>(all);
}

ConfusionView::ConfusionView(QWidget* parent) : QWidget(parent)
{
    setMouseTracking(true);
    setFocusPolicy(Qt::StrongFocus);
    setAccessibleName(tr("Confusion matrix"));
    connect(&theme(), &Theme::changed, this, qOverload<>(&QWidget::update));
}

void ConfusionView::setMatrix(const QStringList& classes, ConfusionCounts counts)
{
    m_classes = classes;
    m_counts = std::move(counts);
    m_selected.reset();
    updateGeometry();
    update();
}

QString ConfusionView::cellWords(int trueLabel, int predicted) const
{
    const auto row = static_cast<std::size_t>(trueLabel);
    const qint64 all = rowSum(m_counts, row);
    const qint64 count = m_counts[row][static_cast<std::size_t>(predicted)];
    const QString share = percent(all == 0 ? std::nan("") : static_cast<double>(count) / static_cast<double>(all));
    const QString whole = QLocale().toString(all), some = QLocale().toString(count);
    if (trueLabel == predicted) {
        return tr("Of %1 rows that are “%2”, %3 (%4 %) were recognised.").arg(whole, m_classes[trueLabel], some, share);
    }
    return tr("Of %1 rows that are “%2”, %3 (%4 %) were taken for “%5”.")
        .arg(whole, m_classes[trueLabel], some, share, m_classes[predicted]);
}

QString ConfusionView::words() const
{
    if (m_classes.isEmpty()) return {};
    if (m_selected) return cellWords(m_selected->row, m_selected->column);
    qint64 all = 0, right = 0;
    for (std::size_t i = 0; i < m_counts.size(); ++i) {
        all += rowSum(m_counts, i);
        right += m_counts[i][i];
    }
    return tr("%1 of %2 rows were recognised, %3 were not.")
        .arg(QLocale().toString(right), QLocale().toString(all), QLocale().toString(all - right));
}

QSize ConfusionView::sizeHint() const
{
    const int cell = std::clamp(360 / std::max(1, classes()), 8, 32);
    return {cell * classes() + 150, cell * classes() + 90};
}

ConfusionView::Geometry ConfusionView::geometryNow() const
{
    const QFontMetrics text(theme().font(TextStyle::Caption));
    int names = 12;
    for (const QString& name : m_classes) names = std::max(names, std::min(96, text.horizontalAdvance(name)));
    Geometry where;
    where.edge = text.horizontalAdvance(QStringLiteral("precision")) + 8;
    where.left = kAxisName + names + 8;
    where.top = kAxisName + 18;
    const double across = (width() - where.left - where.edge) / classes();
    const double down = (height() - where.top - 20 - kWordsHeight) / classes();
    where.cell = std::max(2.0, std::floor(std::min({across, down, 44.0})));
    return where;
}

void ConfusionView::paintCell(QPainter& painter, const Geometry& where, int row, int column) const
{
    const qint64 count = m_counts[static_cast<std::size_t>(row)][static_cast<std::size_t>(column)];
    const qint64 all = rowSum(m_counts, static_cast<std::size_t>(row));
    const double share = all == 0 ? 0 : static_cast<double>(count) / static_cast<double>(all);
    const QRectF cell(where.left + column * where.cell, where.top + row * where.cell, where.cell, where.cell);
    const QRectF inner = cell.adjusted(0.5, 0.5, -0.5, -0.5);
    painter.setPen(Qt::NoPen);
    painter.setBrush(theme().color(Role::Hairline));
    painter.drawRoundedRect(inner, 3, 3);
    if (count > 0) {
        // mistakes in orange and from a visible shade on: a single one is what one looks for
        QColor shade = row == column ? theme().color(Role::Accent) : theme().run(1);
        shade.setAlphaF(static_cast<float>(row == column ? 0.10 + 0.80 * share : std::min(0.85, 0.22 + 1.8 * share)));
        painter.setBrush(shade);
        painter.drawRoundedRect(inner, 3, 3);
    }
    if (where.cell >= kSmallestWithNumber && count > 0) {
        const bool deep = row == column ? share > 0.45 : share > 0.25;
        painter.setPen(theme().color(deep ? Role::OnAccent : Role::Text));
        painter.drawText(cell, Qt::AlignCenter, QLocale().toString(count));
    }
    if (m_selected && m_selected->row == row && m_selected->column == column) {
        painter.setPen(QPen(theme().color(Role::Text), 1.5));
        painter.setBrush(Qt::NoBrush);
        painter.drawRoundedRect(inner, 3, 3);
    }
}

void ConfusionView::paintEdges(QPainter& painter, const Geometry& where) const
{
    const double side = where.cell * classes();
    const QFontMetrics text(painter.font());
    painter.setPen(theme().color(Role::Muted));
    painter.drawText(QRectF(where.left, 0, side, kAxisName), Qt::AlignCenter, tr("predicted"));
    painter.drawText(QRectF(where.left + side + 6, kAxisName, where.edge, 16), Qt::AlignLeft | Qt::AlignVCenter,
                     tr("recall"));
    painter.save();
    painter.translate(0, where.top + side);
    painter.rotate(-90);
    painter.drawText(QRectF(0, 0, side, kAxisName), Qt::AlignCenter, tr("true"));
    painter.restore();
    painter.drawText(QRectF(where.left + side + 6, where.top + side + 2, where.edge, 16),
                     Qt::AlignLeft | Qt::AlignVCenter, tr("precision"));
    const bool everyName = where.cell >= 12;
    for (int i = 0; i < classes() && everyName; ++i) {
        const auto label = static_cast<std::size_t>(i);
        const double at = i * where.cell;
        const bool selectedRow = m_selected && m_selected->row == i,
                   selectedColumn = m_selected && m_selected->column == i;
        painter.setPen(theme().color(selectedRow ? Role::Text : Role::Muted));
        painter.drawText(QRectF(kAxisName, where.top + at, where.left - kAxisName - 6, where.cell),
                         Qt::AlignRight | Qt::AlignVCenter, text.elidedText(m_classes[i], Qt::ElideRight, 96));
        painter.drawText(QRectF(where.left + side + 6, where.top + at, where.edge, where.cell),
                         Qt::AlignLeft | Qt::AlignVCenter, percent(recallOf(m_counts, label)));
        painter.setPen(theme().color(selectedColumn ? Role::Text : Role::Muted));
        const int room = static_cast<int>(where.cell);
        painter.drawText(QRectF(where.left + at, kAxisName, where.cell, 16), Qt::AlignCenter,
                         text.elidedText(m_classes[i], Qt::ElideRight, room));
        const QString precision = percent(precisionOf(m_counts, label));
        if (text.horizontalAdvance(precision) <= room) {
            painter.drawText(QRectF(where.left + at, where.top + side + 2, where.cell, 16), Qt::AlignCenter, precision);
        }
    }
}

void ConfusionView::paintEvent(QPaintEvent*)
{
    if (m_classes.isEmpty()) return;
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setFont(theme().font(TextStyle::Caption));
    const Geometry where = geometryNow();
    for (int row = 0; row < classes(); ++row) {
        for (int column = 0; column < classes(); ++column) paintCell(painter, where, row, column);
    }
    paintEdges(painter, where);
    painter.setPen(theme().color(m_selected ? Role::Text : Role::Muted));
    painter.drawText(QRectF(0, height() - kWordsHeight, width(), kWordsHeight), Qt::AlignLeft | Qt::AlignVCenter,
                     painter.fontMetrics().elidedText(words(), Qt::ElideRight, width()));
}

void ConfusionView::select(std::optional<Cell> cell)
{
    m_selected = cell;
    setAccessibleDescription(words());
    update();
}

void ConfusionView::mouseMoveEvent(QMouseEvent* event)
{
    if (m_classes.isEmpty()) return;
    const Geometry where = geometryNow();
    const int column = static_cast<int>(std::floor((event->position().x() - where.left) / where.cell));
    const int row = static_cast<int>(std::floor((event->position().y() - where.top) / where.cell));
    const bool inside = row >= 0 && row < classes() && column >= 0 && column < classes();
    select(inside ? std::optional(Cell{row, column}) : std::nullopt);
}

void ConfusionView::leaveEvent(QEvent*)
{
    select(std::nullopt);
}

void ConfusionView::keyPressEvent(QKeyEvent* event)
{
    if (m_classes.isEmpty()) return QWidget::keyPressEvent(event);
    Cell cell = m_selected.value_or(Cell{});
    switch (event->key()) {
    case Qt::Key_Left:
        --cell.column;
        break;
    case Qt::Key_Right:
        ++cell.column;
        break;
    case Qt::Key_Up:
        --cell.row;
        break;
    case Qt::Key_Down:
        ++cell.row;
        break;
    default:
        return QWidget::keyPressEvent(event);
    }
    if (!m_selected) cell = Cell{};
    cell.row = std::clamp(cell.row, 0, classes() - 1);
    cell.column = std::clamp(cell.column, 0, classes() - 1);
    select(cell);
}

} // namespace millrace::ui
