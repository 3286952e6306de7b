#include "ui/models/models_page.h"

#include "ui/models/try_it.h"
#include "ui/models/version_table.h"
#include "ui/runs/facts_view.h"
#include "ui/runs/run_words.h"
#include "ui/runs/runs_table.h"
#include "ui/theme/theme.h"
#include "ui/widgets/button.h"
#include "ui/widgets/empty_state.h"
#include "ui/widgets/label.h"
#include "ui/widgets/notice_bar.h"
#include "ui/widgets/page_header.h"
#include "ui/widgets/surface.h"

#include <QHBoxLayout>
#include <QHeaderView>
#include <QLineEdit>
#include <QListWidget>
#include <QLocale>
#include <QScrollArea>
#include <QStackedWidget>
#include <QTableView>
#include <QVBoxLayout>

namespace millrace::ui {

using namespace Qt::StringLiterals;

ModelsPage::ModelsPage(Tracking& tracking, RunnerAnswers& answers, QWidget* parent)
    : QWidget(parent), m_tracking(tracking), m_header(new PageHeader(tr("Models"))), m_notice(new NoticeBar),
      m_states(new QStackedWidget), m_list(new QListWidget), m_versions(new VersionModel(this)),
      m_table(new QTableView), m_tryIt(new TryIt(answers)), m_facts(new FactsView(tr("Version"))),
      m_results(new FactsView(tr("Results"))), m_aliases(new QWidget), m_aliasEdit(new QLineEdit)
{
    setAccessibleName(tr("Models"));
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(0);
    layout->addWidget(m_header);
    layout->addWidget(m_notice);
    m_notice->hide();
    layout->addWidget(m_states, 1);
    auto* none = new EmptyState(u"models"_s, tr("No models yet"),
                                tr("A pipeline that ends in a Register node puts its model here. The quick start has "
                                   "one: open it and press Run."),
                                tr("Open Quick Start"));
    connect(none, &EmptyState::buttonClicked, this, &ModelsPage::quickStartRequested);
    auto* page = new QWidget;
    auto* columns = new QHBoxLayout(page);
    columns->setContentsMargins(0, 0, 0, 0);
    columns->setSpacing(0);
    columns->addWidget(makeModelList());
    columns->addWidget(makeMiddle(), 1);
    columns->addWidget(makeSide());
    for (QWidget* state : {static_cast<QWidget*>(new Surface(Role::Surface)), static_cast<QWidget*>(none), page})
        m_states->addWidget(state);

    connect(&tracking, &Tracking::modelsAnswered, this, [this](RequestId request, const std::vector<ModelRow>& models) {
        if (m_modelsAwaited.accept(request)) showModels(models);
    });
    connect(&tracking, &Tracking::modelVersionsAnswered, this,
            [this](RequestId request, const QString&, const std::vector<ModelVersionRow>& versions) {
                if (m_versionsAwaited.accept(request)) showVersions(versions);
            });
    connect(&tracking, &Tracking::failed, this, [this](RequestId request, const Error& error) {
        if (m_action.accept(request) || m_modelsAwaited.accept(request) || m_versionsAwaited.accept(request)) {
            m_notice->show(Sign::Failed, errorText(error));
        }
    });
    connect(&tracking, &Tracking::modelsChanged, this, &ModelsPage::refresh);
    connect(&tracking, &Tracking::runsRemoved, this, &ModelsPage::refresh);
    connect(&tracking, &Tracking::databaseOpened, this, &ModelsPage::refresh);
    refresh();
}

QWidget* ModelsPage::makeModelList()
{
    auto* panel = new Surface(Role::Surface, Qt::RightEdge);
    panel->setFixedWidth(measure::kPaletteWidth);
    auto* layout = new QVBoxLayout(panel);
    layout->setContentsMargins(8, 12, 9, 8);
    m_list->setAccessibleName(tr("Models"));
    m_list->setStyleSheet(u"QListView::item { padding-left: 6px; border-radius: 6px; }"_s);
    layout->addWidget(m_list);
    connect(m_list, &QListWidget::currentRowChanged, this, &ModelsPage::selectModel);
    return panel;
}

QWidget* ModelsPage::makeMiddle()
{
    auto* middle = new Surface(Role::Window);
    auto* layout = new QVBoxLayout(middle);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(0);
    m_table->setHorizontalHeader(new RunsHeader(m_table));
    m_table->setModel(m_versions);
    m_table->setItemDelegate(new VersionDelegate(m_table));
    m_table->setSelectionBehavior(QAbstractItemView::SelectRows);
    m_table->setSelectionMode(QAbstractItemView::SingleSelection);
    m_table->setEditTriggers(QAbstractItemView::NoEditTriggers);
    m_table->setShowGrid(false);
    m_table->setTabKeyNavigation(false);
    m_table->setAccessibleName(tr("Versions"));
    m_table->verticalHeader()->hide();
    m_table->verticalHeader()->setSectionResizeMode(QHeaderView::Fixed);
    m_table->verticalHeader()->setDefaultSectionSize(measure::kRow);
    m_table->setFixedHeight(30 + 5 * measure::kRow);
    const int widths[] = {96, 112, 104, 96, 76, 116, 90};
    for (int i = 0; i < VersionModel::Columns; ++i) m_table->setColumnWidth(i, widths[i]);
    layout->addWidget(m_table);
    layout->addWidget(new Separator);
    auto* below = new QVBoxLayout;
    below->setContentsMargins(16, 14, 16, 16);
    below->addWidget(m_tryIt, 1);
    layout->addLayout(below, 1);
    connect(m_table->selectionModel(), &QItemSelectionModel::currentRowChanged, this, &ModelsPage::selectVersion);
    const auto openRun = [this](const QModelIndex& index) {
        const ModelVersionRow* version = selectedVersion();
        if (version && index.column() == VersionModel::From && !version->run.isEmpty()) emit runRequested(version->run);
    };
    connect(m_table, &QTableView::clicked, this, openRun);
    return middle;
}

QWidget* ModelsPage::makeSide()
{
    auto* area = new QScrollArea;
    area->setFixedWidth(measure::kPanelWidth);
    area->setWidgetResizable(true);
    area->setFrameShape(QFrame::NoFrame);
    area->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    auto* content = new Surface(Role::Surface, Qt::LeftEdge);
    auto* layout = new QVBoxLayout(content);
    layout->setContentsMargins(17, 14, 16, 16);
    layout->setSpacing(18);
    layout->addWidget(m_facts);
    auto* openRun = makeButton(tr("Open Run"));
    openRun->setToolTip(tr("Shows the run that made this version"));
    connect(openRun, &QPushButton::clicked, this, [this] {
        if (const ModelVersionRow* version = selectedVersion()) emit runRequested(version->run);
    });
    layout->addWidget(openRun, 0, Qt::AlignLeft);
    layout->addWidget(m_results);

    auto* aliases = new QVBoxLayout;
    aliases->setSpacing(8);
    aliases->addWidget(new Label(tr("Aliases"), TextStyle::Strong));
    auto* help =
        new Label(tr("A name such as “best” that can move from version to version."), TextStyle::Caption, Role::Muted);
    help->setWordWrap(true);
    aliases->addWidget(help);
    (new QVBoxLayout(m_aliases))->setContentsMargins(0, 0, 0, 0);
    aliases->addWidget(m_aliases);
    auto* row = new QHBoxLayout;
    m_aliasEdit->setPlaceholderText(tr("Alias"));
    m_aliasEdit->setAccessibleName(tr("New alias"));
    auto* set = makeButton(tr("Set"));
    set->setToolTip(tr("Gives this version the alias; another version that has it loses it"));
    row->addWidget(m_aliasEdit, 1);
    row->addWidget(set);
    aliases->addLayout(row);
    layout->addLayout(aliases);
    layout->addStretch(1);
    connect(set, &QPushButton::clicked, this, &ModelsPage::setAlias);
    connect(m_aliasEdit, &QLineEdit::returnPressed, this, &ModelsPage::setAlias);
    area->setWidget(content);
    return area;
}

void ModelsPage::refresh()
{
    m_modelsAwaited.expect(m_tracking.requestModels());
}

void ModelsPage::showModels(const std::vector<ModelRow>& models)
{
    m_states->setCurrentIndex(models.empty() ? 1 : 2);
    m_header->setSubtitle(models.empty()       ? QString()
                          : models.size() == 1 ? tr("1 model")
                                               : tr("%1 models").arg(models.size()));
    const QSignalBlocker blocker(m_list);
    m_list->clear();
    int current = 0;
    for (const ModelRow& model : models) {
        auto* item = new QListWidgetItem(model.name, m_list);
        item->setToolTip(plainToolTip(tr("%1, newest version %2").arg(model.name).arg(model.latest.version)));
        if (model.name == m_model) current = m_list->count() - 1;
    }
    if (models.empty()) {
        m_model.clear();
        return m_tryIt->clearVersion();
    }
    m_list->setCurrentRow(current);
    selectModel();
}

void ModelsPage::selectModel()
{
    if (!m_list->currentItem()) return;
    const QString model = m_list->currentItem()->text();
    if (model != m_model) m_selectedVersion = 0;
    m_model = model;
    m_versionsAwaited.expect(m_tracking.requestModelVersions(model));
}

void ModelsPage::showVersions(const std::vector<ModelVersionRow>& versions)
{
    const qint64 kept = m_selectedVersion;
    m_versions->setVersions(versions);
    int row = 0;
    for (std::size_t i = 0; i < versions.size(); ++i) {
        if (versions[i].version == kept) row = static_cast<int>(i);
    }
    m_table->selectRow(row);
    selectVersion();
}

const ModelVersionRow* ModelsPage::selectedVersion() const
{
    const int row = m_table->currentIndex().row();
    if (row < 0 || row >= m_versions->rowCount()) return nullptr;
    return &m_versions->versions()[static_cast<std::size_t>(row)];
}

void ModelsPage::selectVersion()
{
    const ModelVersionRow* version = selectedVersion();
    if (!version) return;
    m_selectedVersion = version->version;
    m_tryIt->setVersion(*version);
    const auto fact = [](const QString& name, const QString& value) {
        return Fact{name, value, {}, Sign::None, Role::Text};
    };
    m_facts->setFacts(
        {fact(tr("Model"), version->model), fact(tr("Version"), QLocale().toString(version->version)),
         fact(tr("From run"), version->runName), fact(tr("Stage"), version->stage),
         fact(tr("Size"), bytesText(static_cast<double>(version->bytes))),
         fact(tr("Classes"), version->classes.isEmpty() ? u"—"_s : QLocale().toString(version->classes.size())),
         fact(tr("SHA-256"), version->sha256.left(12)), fact(tr("File"), version->folder)});
    std::vector<Fact> results;
    for (const Metric& metric : resultsOf(version->metrics))
        results.push_back(fact(metricTitle(metric.name), metricText(metric.value)));
    m_results->setFacts(std::move(results));
    showAliases(*version);
}

void ModelsPage::showAliases(const ModelVersionRow& version)
{
    QLayout* layout = m_aliases->layout();
    while (QLayoutItem* item = layout->takeAt(0)) {
        delete item->widget();
        delete item;
    }
    for (const QString& alias : version.aliases) {
        auto* button = makeButton(QString(alias).replace(u'&', u"&&"_s), ButtonKind::Flat, u"close"_s);
        button->setToolTip(plainToolTip(tr("Takes the alias %1 away").arg(alias)));
        button->setAccessibleName(tr("Remove alias %1").arg(alias));
        layout->addWidget(button);
        layout->setAlignment(button, Qt::AlignLeft);
        connect(button, &QPushButton::clicked, this,
                [this, alias, model = version.model] { m_action.expect(m_tracking.removeAlias(model, alias)); });
    }
    m_aliases->setVisible(!version.aliases.isEmpty());
}

void ModelsPage::setAlias()
{
    const ModelVersionRow* version = selectedVersion();
    const QString alias = m_aliasEdit->text().trimmed();
    if (!version || alias.isEmpty()) return;
    m_aliasEdit->clear();
    m_notice->hide();
    m_action.expect(m_tracking.setAlias(version->model, alias, version->version));
}

} // namespace millrace::ui
