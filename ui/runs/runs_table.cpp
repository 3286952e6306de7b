#include "ui/runs/runs_table.h"

#include "ui/runs/run_words.h"
#include "ui/runs/runs_model.h"
#include "ui/theme/theme.h"

#include <QKeyEvent>
#include <QMouseEvent>
#include <QPainter>

namespace millrace::ui {

namespace {

constexpr int kPad = 10;
constexpr int kChipColumn = 38;

int widthOf(const RunColumn& column)
{
    switch (column.kind) {
    case RunColumn::Kind::Chip:
        return kChipColumn;
    case RunColumn::Kind::Name:
        return 150;
    case RunColumn::Kind::State:
        return 110;
    case RunColumn::Kind::Metric:
        return 124;
    case RunColumn::Kind::Parameter:
        return 104;
    case RunColumn::Kind::Seconds:
        return 84;
    case RunColumn::Kind::When:
        return 110;
    }
    return 100;
}

} // namespace

RunsTable::RunsTable(RunsModel& model, QWidget* parent) : QTableView(parent), m_model(model)
{
    setHorizontalHeader(new RunsHeader(this));
    setModel(&model);
    setItemDelegate(new RunsDelegate(this));
    setSelectionBehavior(QAbstractItemView::SelectRows);
    setSelectionMode(QAbstractItemView::ExtendedSelection);
    setShowGrid(false);
    setWordWrap(false);
    setTabKeyNavigation(false);
    setEditTriggers(QAbstractItemView::NoEditTriggers);
    setHorizontalScrollMode(QAbstractItemView::ScrollPerPixel);
    setVerticalScrollMode(QAbstractItemView::ScrollPerPixel);
    setAccessibleName(tr("Runs"));
    // rows of one fixed height: Qt need not ask each of thousands for its own
    verticalHeader()->hide();
    verticalHeader()->setSectionResizeMode(QHeaderView::Fixed);
    verticalHeader()->setDefaultSectionSize(measure::kRow);
    verticalHeader()->setMinimumSectionSize(measure::kRow);
    horizontalHeader()->setMinimumSectionSize(kChipColumn);
    horizontalHeader()->setSortIndicator(model.columnCount() - 1, Qt::DescendingOrder);
    setSortingEnabled(true);
    connect(selectionModel(), &QItemSelectionModel::currentRowChanged, viewport(), [this] { viewport()->update(); });
    connect(this, &QTableView::doubleClicked, this, [this](const QModelIndex& index) {
        if (index.column() > 0) emit openRequested(index.data(RunsModel::RunRole).toString());
    });
    connect(&theme(), &Theme::changed, viewport(), qOverload<>(&QWidget::update));
    fitColumns();
}

void RunsTable::fitColumns()
{
    // the columns moved, the order is the same: the arrow follows without sorting anew
    {
        const QSignalBlocker blocker(horizontalHeader());
        horizontalHeader()->setSortIndicator(m_model.sortSection(), m_model.sortOrder());
    }
    const auto& columns = m_model.columns();
    for (std::size_t i = 0; i < columns.size(); ++i) setColumnWidth(static_cast<int>(i), widthOf(columns[i]));
}

void RunsTable::keyPressEvent(QKeyEvent* event)
{
    const QString run = currentIndex().data(RunsModel::RunRole).toString();
    if ((event->key() == Qt::Key_Return || event->key() == Qt::Key_Enter) && !run.isEmpty())
        return emit openRequested(run);
    if (event->key() == Qt::Key_Space && !run.isEmpty()) return emit chipToggled(run);
    if (event->key() == Qt::Key_Delete && !run.isEmpty()) return emit deleteRequested();
    QTableView::keyPressEvent(event);
}

void RunsTable::mousePressEvent(QMouseEvent* event)
{
    const QModelIndex index = indexAt(event->pos());
    if (event->button() == Qt::LeftButton && index.isValid() && index.column() == 0) {
        return emit chipToggled(index.data(RunsModel::RunRole).toString());
    }
    QTableView::mousePressEvent(event);
}

RunsHeader::RunsHeader(QWidget* parent) : QHeaderView(Qt::Horizontal, parent)
{
    setHighlightSections(false);
    setSectionsClickable(true);
    setSectionsMovable(true);
    setStretchLastSection(true);
    setFixedHeight(30);
}

void RunsHeader::paintSection(QPainter* painter, const QRect& rect, int section) const
{
    painter->save();
    painter->setRenderHint(QPainter::Antialiasing);
    painter->fillRect(rect, theme().color(Role::Surface));
    painter->fillRect(QRect(rect.left(), rect.bottom(), rect.width(), 1), theme().color(Role::Hairline));
    painter->setFont(theme().font(TextStyle::CaptionStrong));
    painter->setPen(theme().color(Role::Muted));
    const QString title = model()->headerData(section, Qt::Horizontal).toString();
    const auto alignment = model()->headerData(section, Qt::Horizontal, Qt::TextAlignmentRole).value<Qt::Alignment>();
    const QRect text = rect.adjusted(section == 0 && !title.isEmpty() ? measure::kMargin : kPad, 0, -kPad, -1);
    const QRect used = painter->boundingRect(text, static_cast<int>(alignment) | Qt::TextSingleLine, title);
    painter->drawText(text, static_cast<int>(alignment) | Qt::TextSingleLine, title);
    if (isSortIndicatorShown() && sortIndicatorSection() == section && !title.isEmpty()) {
        const bool right = alignment & Qt::AlignRight;
        const QPointF at(right ? used.left() - 9 : used.right() + 10, rect.center().y());
        const double tip = sortIndicatorOrder() == Qt::AscendingOrder ? -2 : 2;
        painter->setPen(QPen(theme().color(Role::Muted), 1.4, Qt::SolidLine, Qt::RoundCap, Qt::RoundJoin));
        painter->drawPolyline(QPolygonF() << at + QPointF(-3, -tip / 2 * 1.5) << at + QPointF(0, tip / 2 * 1.5)
                                          << at + QPointF(3, -tip / 2 * 1.5));
    }
    painter->restore();
}

void RunsDelegate::paintChip(QPainter& painter, const QRect& cell, int chip) const
{
    const QRectF box(cell.left() + measure::kMargin, cell.center().y() - 5.5, 12, 12);
    if (chip == RunsModel::kNoChip) {
        painter.setPen(QPen(theme().color(Role::Line), 1));
        painter.setBrush(Qt::NoBrush);
        painter.drawRoundedRect(box.adjusted(0.5, 0.5, -0.5, -0.5), 3, 3);
        return;
    }
    painter.setPen(Qt::NoPen);
    painter.setBrush(theme().run(chip));
    painter.drawRoundedRect(box, 3, 3);
}

void RunsDelegate::paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const
{
    painter->save();
    painter->setRenderHint(QPainter::Antialiasing);
    const QRect cell = option.rect;
    // the chip says what is selected; the ground, which row the keys work on
    const auto* table = qobject_cast<const QTableView*>(option.widget);
    const bool current = table && table->currentIndex().row() == index.row();
    painter->fillRect(cell, theme().color(current ? Role::AccentSoft : Role::Surface));
    painter->fillRect(QRect(cell.left(), cell.bottom(), cell.width(), 1), theme().color(Role::Hairline));
    const auto& columns = static_cast<const RunsModel*>(index.model())->columns();
    const RunColumn::Kind kind = columns[static_cast<std::size_t>(index.column())].kind;
    if (kind == RunColumn::Kind::Chip) {
        paintChip(*painter, cell, index.data(RunsModel::ChipRole).toInt());
        painter->restore();
        return;
    }
    QRect text = cell.adjusted(kPad, 0, -kPad, -1);
    Role role = Role::Text;
    TextStyle style = kind == RunColumn::Kind::Name ? TextStyle::Strong : TextStyle::Number;
    if (kind == RunColumn::Kind::State) {
        const auto state = static_cast<protocol::RunState>(index.data(RunsModel::StateRole).toInt());
        paintSign(*painter, QRectF(text.left(), text.center().y() - 6, 13, 13), stateSign(state));
        role = stateRole(state);
        text.setLeft(text.left() + 19);
    }
    painter->setFont(theme().font(style));
    painter->setPen(theme().color(role));
    const auto alignment = index.data(Qt::TextAlignmentRole).value<Qt::Alignment>();
    painter->drawText(text, static_cast<int>(alignment) | Qt::TextSingleLine,
                      painter->fontMetrics().elidedText(index.data().toString(), Qt::ElideRight, text.width()));
    painter->restore();
}

} // namespace millrace::ui
