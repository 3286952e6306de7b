#include "ui/runs/runs_overview.h"

#include "kernels/base/text.h"
#include "ui/runs/compare_panel.h"
#include "ui/runs/filter_field.h"
#include "ui/runs/run_words.h"
#include "ui/runs/runs_table.h"
#include "ui/theme/theme.h"
#include "ui/widgets/button.h"
#include "ui/widgets/empty_state.h"
#include "ui/widgets/notice_bar.h"
#include "ui/widgets/page_header.h"
#include "ui/widgets/surface.h"

#include <QHBoxLayout>
#include <QHeaderView>
#include <QLineEdit>
#include <QLocale>
#include <QMenu>
#include <QMessageBox>
#include <QShortcut>
#include <QSplitter>
#include <QStackedWidget>
#include <QVBoxLayout>
#include <algorithm>

namespace millrace::ui {

using namespace Qt::StringLiterals;

namespace {

/// Columns for runs that nobody chose columns for: two results and the parameters that are turned most.
std::vector<RunColumn> defaultColumns(const QStringList& metrics, const QStringList& parameters)
{
    std::vector<RunColumn> columns = {
        {RunColumn::Kind::Chip, {}}, {RunColumn::Kind::Name, {}}, {RunColumn::Kind::State, {}}};
    int results = 0;
    for (const QString& name :
         {u"test.accuracy"_s, u"test.rmse"_s, u"validation.accuracy"_s, u"validation.loss"_s, u"train.loss"_s}) {
        const bool twice = name == u"validation.accuracy" && metrics.contains(u"test.accuracy"_s);
        if (results < 2 && !twice && metrics.contains(name))
            columns.push_back({RunColumn::Kind::Metric, name}), ++results;
    }
    for (const QString& wanted : {u".optimizer"_s, u".learning_rate"_s}) {
        const auto found =
            std::find_if(parameters.begin(), parameters.end(), [&](const QString& p) { return p.endsWith(wanted); });
        if (found != parameters.end()) columns.push_back({RunColumn::Kind::Parameter, *found});
    }
    columns.push_back({RunColumn::Kind::Seconds, {}});
    columns.push_back({RunColumn::Kind::When, {}});
    return columns;
}

} // namespace

RunsOverview::RunsOverview(Tracking& tracking, QWidget* parent)
    : QWidget(parent), m_tracking(tracking), m_model(new RunsModel(this)), m_header(new PageHeader(tr("Runs"))),
      m_notice(new NoticeBar), m_filter(new FilterField), m_columnsButton(makeButton(tr("Columns"))),
      m_table(new RunsTable(*m_model)), m_compare(new ComparePanel(tracking)), m_splitter(new QSplitter(Qt::Vertical)),
      m_states(new QStackedWidget)
{
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(0);
    layout->addWidget(m_header);
    layout->addWidget(m_notice);
    m_notice->hide();
    auto* open = makeButton(tr("Open"));
    open->setToolTip(tr("Shows everything about the selected run (Enter)"));
    connect(open, &QPushButton::clicked, this, [this] {
        if (const RunPtr run = m_model->runAt(m_table->currentIndex().row())) emit openRequested(run->id);
    });
    m_header->addAction(open);

    makeStates();
    layout->addWidget(m_states, 1);

    connect(m_filter, &FilterField::filterChanged, this, [this](RunFilter& filter) {
        const QStringList wanted = filter.metricNames();
        m_model->setFilter(std::move(filter));
        QString remark;
        std::vector<std::string> known;
        for (const QString& name : m_model->names(RunColumn::Kind::Metric)) known.push_back(name.toStdString());
        for (const QString& name : wanted) {
            if (m_model->rowCount() > 0 || std::find(known.begin(), known.end(), name.toStdString()) != known.end())
                continue;
            remark =
                tr("No run has a metric “%1”.").arg(name) + u' ' + toQString(didYouMean(name.toStdString(), known));
        }
        m_filter->setRemark(remark.trimmed());
    });
    connect(m_model, &RunsModel::modelAboutToBeReset, this, &RunsOverview::keepSelection);
    connect(m_model, &RunsModel::modelReset, this, &RunsOverview::restoreSelection);
    for (const auto signal : {&RunsModel::rowsInserted, &RunsModel::rowsRemoved}) {
        connect(m_model, signal, this, [this] { updateState(); });
    }
    connect(m_table, &RunsTable::openRequested, this, &RunsOverview::openRequested);
    connect(m_table, &RunsTable::deleteRequested, this, &RunsOverview::askToDelete);
    connect(m_table, &RunsTable::chipToggled, this, [this](const QString& run) {
        const QModelIndex index = m_model->index(m_model->rowOf(run), 0);
        auto& selection = *m_table->selectionModel();
        selection.setCurrentIndex(index, QItemSelectionModel::NoUpdate);
        selection.select(index, QItemSelectionModel::Toggle | QItemSelectionModel::Rows);
    });
    // a key held down moves through many rows: curves are asked for when it rests
    m_compareSoon.setSingleShot(true);
    m_compareSoon.setInterval(30);
    connect(&m_compareSoon, &QTimer::timeout, this, &RunsOverview::updateComparison);
    connect(m_table->selectionModel(), &QItemSelectionModel::selectionChanged, &m_compareSoon,
            qOverload<>(&QTimer::start));
    connect(m_model, &RunsModel::dataChanged, this, [this](const QModelIndex&, const QModelIndex& last) {
        if (last.column() > 0) m_compareSoon.start();
    });
    connect(&m_minute, &QTimer::timeout, m_model, &RunsModel::updateTimes);
    m_minute.start(20'000);
    auto* find = new QShortcut(QKeySequence::Find, this, nullptr, nullptr, Qt::WidgetWithChildrenShortcut);
    connect(find, &QShortcut::activated, this, &RunsOverview::focusFilter);

    connect(&tracking, &Tracking::runsAnswered, this, &RunsOverview::showAnswer);
    connect(&tracking, &Tracking::failed, this, [this](RequestId request, const Error& error) {
        if (m_deletions.remove(request)) return m_notice->show(Sign::Failed, errorText(error));
        if (!m_list.accept(request)) return;
        m_broken->setTexts(tr("The record of runs cannot be read"), errorText(error));
        m_failed = true;
        updateState();
    });
    connect(&tracking, &Tracking::done, this, [this](RequestId request) { m_deletions.remove(request); });
    connect(&tracking, &Tracking::databaseOpened, this, [this](const QString& notice) {
        m_failed = false;
        if (!notice.isEmpty()) m_notice->show(Sign::Warning, notice);
        m_list.expect(m_tracking.requestRuns());
    });
    connect(&tracking, &Tracking::runsChanged, this, [this](const RunList& runs) {
        if (!m_loaded) return; // the list under way has them
        m_model->applyChanges(runs);
        updateColumns();
        updateState();
    });
    connect(&tracking, &Tracking::runsRemoved, m_model, &RunsModel::removeRuns);
    connect(&tracking, &Tracking::problemFound, this,
            [this](const Error& error) { m_notice->show(Sign::Warning, errorText(error)); });
    m_list.expect(tracking.requestRuns());
    updateState();
}

void RunsOverview::makeFilterRow(QWidget& row)
{
    auto* layout = new QHBoxLayout(&row);
    layout->setContentsMargins(16, 10, 16, 10);
    layout->setSpacing(10);
    layout->addWidget(m_filter, 1);
    auto* menu = new QMenu(m_columnsButton);
    m_columnsButton->setMenu(menu);
    m_columnsButton->setProperty("menu", true);
    m_columnsButton->setToolTip(tr("Which metrics and parameters have a column"));
    connect(menu, &QMenu::aboutToShow, this, [this, menu] { fillColumnMenu(*menu); });
    layout->addWidget(m_columnsButton, 0, Qt::AlignTop);
}

void RunsOverview::makeStates()
{
    m_loading = new Surface(Role::Surface);
    m_none = new EmptyState(u"runs"_s, tr("No runs yet"),
                            tr("Open the quick start and press Run: its curves are drawn here while it learns."),
                            tr("Open Quick Start"));
    connect(m_none, &EmptyState::buttonClicked, this, &RunsOverview::quickStartRequested);
    m_broken =
        new EmptyState(u"warning"_s, tr("The record of runs cannot be read"), {}, tr("Put It Aside and Rebuild"));
    m_broken->button()->setToolTip(
        tr("The damaged file is kept beside the new one, which is read from the runs' own journals."));
    connect(m_broken, &EmptyState::buttonClicked, this, [this] { m_tracking.recoverDatabase(); });
    connect(&m_tracking, &Tracking::databaseFailed, this, [this](const Error& error) {
        m_broken->setTexts(tr("The record of runs cannot be opened"), errorText(error));
        m_broken->button()->setVisible(error.code == Code::Corrupt);
        m_failed = true;
        updateState();
    });
    auto* filterRow = new Surface(Role::Surface, Qt::BottomEdge);
    makeFilterRow(*filterRow);
    m_noMatch = new EmptyState(u"filter"_s, tr("No run passes the filter"), tr("Ask for less, or see all runs again."),
                               tr("Clear Filter"));
    connect(m_noMatch, &EmptyState::buttonClicked, this, [this] {
        m_filter->setText({});
        focusFilter();
    });
    m_splitter->addWidget(m_table);
    m_splitter->addWidget(m_compare);
    m_splitter->setChildrenCollapsible(false);
    m_splitter->setStretchFactor(0, 0);
    m_splitter->setStretchFactor(1, 1);
    m_splitter->setSizes({224, 450});
    m_table->setMinimumHeight(126);
    m_compare->setMinimumHeight(160);
    auto* listed = new QWidget;
    auto* layout = new QVBoxLayout(listed);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(0);
    layout->addWidget(filterRow);
    layout->addWidget(m_splitter, 1);
    layout->addWidget(m_noMatch, 1);
    for (QWidget* state : std::initializer_list<QWidget*>{m_loading, m_none, m_broken, listed})
        m_states->addWidget(state);
}

void RunsOverview::showAnswer(RequestId request, const RunList& runs)
{
    if (!m_list.accept(request)) return;
    m_loaded = true;
    m_failed = false;
    m_model->setRuns(runs);
    updateColumns();
    updateState();
    if (!m_table->currentIndex().isValid()) m_table->selectRow(0);
}

void RunsOverview::updateState()
{
    const auto total = static_cast<qint64>(m_model->total());
    const int shown = m_model->rowCount();
    int state = 3;
    if (m_failed)
        state = 2;
    else if (!m_loaded)
        state = 0;
    else if (total == 0)
        state = 1;
    m_states->setCurrentIndex(state);
    m_splitter->setVisible(shown > 0);
    m_noMatch->setVisible(shown == 0);
    if (state != 3) return m_header->setSubtitle({});
    const QString all = QLocale().toString(total);
    m_header->setSubtitle(shown == total ? (total == 1 ? tr("1 run") : tr("%1 runs").arg(all))
                                         : tr("%1 of %2").arg(QLocale().toString(shown), all));
}

void RunsOverview::updateColumns()
{
    if (m_ownColumns) return;
    m_model->setColumns(
        defaultColumns(m_model->names(RunColumn::Kind::Metric), m_model->names(RunColumn::Kind::Parameter)));
}

void RunsOverview::fillColumnMenu(QMenu& menu)
{
    menu.clear();
    const auto addAll = [&](const QString& title, RunColumn::Kind kind) {
        QMenu* part = menu.addMenu(title);
        for (const QString& name : m_model->names(kind)) {
            const RunColumn column{kind, name};
            QAction* action = part->addAction(QString(name).replace(u'&', u"&&"_s));
            action->setCheckable(true);
            const auto& columns = m_model->columns();
            action->setChecked(std::find(columns.begin(), columns.end(), column) != columns.end());
            connect(action, &QAction::toggled, this, [this, column](bool on) { toggleColumn(column, on); });
        }
        part->setEnabled(!part->isEmpty());
    };
    addAll(tr("Metrics"), RunColumn::Kind::Metric);
    addAll(tr("Parameters"), RunColumn::Kind::Parameter);
    menu.addSeparator();
    connect(menu.addAction(tr("Usual Columns")), &QAction::triggered, this, [this] {
        m_ownColumns = false;
        updateColumns();
    });
}

void RunsOverview::toggleColumn(const RunColumn& column, bool on)
{
    m_ownColumns = true;
    auto columns = m_model->columns();
    if (on) {
        columns.insert(columns.end() - 2, column); // before time and when
    } else {
        columns.erase(std::remove(columns.begin(), columns.end(), column), columns.end());
    }
    m_model->setColumns(std::move(columns));
}

std::vector<RunPtr> RunsOverview::selectedRuns() const
{
    QModelIndexList rows = m_table->selectionModel()->selectedRows();
    std::sort(rows.begin(), rows.end(), [](const QModelIndex& a, const QModelIndex& b) { return a.row() < b.row(); });
    std::vector<RunPtr> runs;
    for (const QModelIndex& index : rows) {
        if (runs.size() == Theme::kRunColors) break;
        if (RunPtr run = m_model->runAt(index.row())) runs.push_back(std::move(run));
    }
    return runs;
}

void RunsOverview::keepSelection()
{
    m_keptSelection.clear();
    for (const RunPtr& run : selectedRuns()) m_keptSelection << run->id;
    const RunPtr current = m_model->runAt(m_table->currentIndex().row());
    m_keptCurrent = current ? current->id : QString();
}

void RunsOverview::restoreSelection()
{
    m_table->fitColumns();
    auto& selection = *m_table->selectionModel();
    QItemSelection rows;
    for (const QString& id : m_keptSelection) {
        const int row = m_model->rowOf(id);
        if (row >= 0) rows.select(m_model->index(row, 0), m_model->index(row, m_model->columnCount() - 1));
    }
    if (rows.isEmpty() && m_model->rowCount() > 0) {
        rows.select(m_model->index(0, 0), m_model->index(0, m_model->columnCount() - 1));
    }
    const int current = m_model->rowOf(m_keptCurrent);
    const int shown = current >= 0 ? current : rows.isEmpty() ? -1 : rows.first().top();
    selection.setCurrentIndex(m_model->index(shown, 0), QItemSelectionModel::NoUpdate);
    selection.select(rows, QItemSelectionModel::ClearAndSelect);
    updateState();
    m_compareSoon.start();
}

void RunsOverview::updateComparison()
{
    const auto runs = selectedRuns();
    QHash<QString, int> chips;
    for (const RunPtr& run : runs) {
        if (m_chips.contains(run->id)) chips[run->id] = m_chips[run->id]; // a run keeps its colour
    }
    for (const RunPtr& run : runs) {
        if (chips.contains(run->id)) continue;
        int color = 0;
        while (std::find(chips.begin(), chips.end(), color) != chips.end()) ++color;
        chips[run->id] = color;
    }
    m_chips = chips;
    m_model->setChips(chips);
    m_compare->setRuns(runs, chips);
}

void RunsOverview::setFilterText(const QString& text)
{
    m_filter->setText(text);
}

void RunsOverview::focusFilter()
{
    m_filter->edit().setFocus(Qt::ShortcutFocusReason);
    m_filter->edit().selectAll();
}

void RunsOverview::askToDelete()
{
    const auto runs = selectedRuns();
    if (runs.empty()) return;
    const QString what =
        runs.size() == 1 ? tr("Delete %1?").arg(runs.front()->name) : tr("Delete %1 runs?").arg(runs.size());
    QMessageBox box(QMessageBox::Warning, tr("Delete"), what, QMessageBox::Cancel, this);
    box.setTextFormat(Qt::PlainText);
    box.setInformativeText(tr("Metrics, log, checkpoints and files go with it. This cannot be undone."));
    auto* remove = box.addButton(tr("Delete"), QMessageBox::DestructiveRole);
    box.setDefaultButton(QMessageBox::Cancel);
    box.exec();
    if (box.clickedButton() != remove) return;
    for (const RunPtr& run : runs) m_deletions.insert(m_tracking.deleteRun(run->id));
}

} // namespace millrace::ui
