#include "ui/runs/runs_table.h"

#include "ui/runs/run_words.h"
#include "ui/runs/runs_model.h"
#include "ui/theme/theme.h"

#include <QHeaderView>
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
    horizontalHeader()->setHighlightSections(false);
    horizontalHeader()->setSectionsMovable(true);
    horizontalHeader()->setFixedHeight(30);
    horizontalHeader()->setStretchLastSection(true);
    horizontalHeader()->setMinimumSectionSize(kChipColumn);
    setSortingEnabled(true);
    connect(this, &QTableView::doubleClicked, this, [this](const QModelIndex& index) {
        if (index.column() > 0) emit openRequested(index.data(RunsModel::RunRole).toString());
    });
    connect(&theme(), &Theme::changed, viewport(), qOverload<>(&QWidget::update));
    fitColumns();
}

void RunsTable::fitColumns()
{
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
    const bool selected = option.state & QStyle::State_Selected;
    painter->fillRect(cell, theme().color(selected ? Role::AccentSoft : Role::Surface));
    painter->fillRect(QRect(cell.left(), cell.bottom(), cell.width(), 1), theme().color(Role::Hairline));
    const auto& columns = static_cast<const RunsModel*>(index.model())->columns();
    const RunColumn::Kind kind = columns[static_cast<std::size_t>(index.column())].kind;
    if (kind == RunColumn::Kind::Chip) {
        paintChip(*painter, cell, index.data(RunsModel::ChipRole).toInt());
        if ((option.state & QStyle::State_HasFocus) && selected)
            painter->fillRect(QRect(cell.left(), cell.top(), 3, cell.height()), theme().color(Role::Accent));
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
