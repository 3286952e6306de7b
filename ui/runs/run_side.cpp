#include "ui/runs/run_side.h"

#include "kernels/base/units.h"
#include "ui/runs/facts_view.h"
#include "ui/runs/run_words.h"
#include "ui/theme/theme.h"
#include "ui/widgets/button.h"
#include "ui/widgets/label.h"
#include "ui/widgets/surface.h"

#include <QClipboard>
#include <QDateTime>
#include <QDesktopServices>
#include <QFileInfo>
#include <QGuiApplication>
#include <QHBoxLayout>
#include <QLocale>
#include <QUrl>
#include <QVBoxLayout>
#include <algorithm>

namespace millrace::ui {

using namespace Qt::StringLiterals;

namespace {
constexpr std::size_t kCheckpointsShown = 5;
}

RunSide::RunSide(QWidget* parent)
    : QScrollArea(parent), m_about(new FactsView(tr("About"))), m_stages(new FactsView(tr("Stages"))),
      m_results(new FactsView(tr("Results"))), m_parameters(new FactsView(tr("Parameters"))),
      m_checkpoints(new FactsView(tr("Checkpoints"))), m_artifacts(new FactsView(tr("Files"))), m_record(new QWidget),
      m_folder(new Label({}, TextStyle::Caption, Role::Muted))
{
    setFixedWidth(measure::kPanelWidth);
    setWidgetResizable(true);
    setFrameShape(QFrame::NoFrame);
    setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    setFocusPolicy(Qt::StrongFocus); // so that the arrow keys scroll it
    setAccessibleName(tr("Details of the run"));
    auto* content = new Surface(Role::Surface, Qt::LeftEdge);
    auto* layout = new QVBoxLayout(content);
    layout->setContentsMargins(17, 14, 16, 16);
    layout->setSpacing(18);
    for (FactsView* facts : {m_stages, m_results, m_about, m_parameters, m_checkpoints, m_artifacts})
        layout->addWidget(facts);

    auto* record = new QVBoxLayout(m_record);
    record->setContentsMargins(0, 0, 0, 0);
    record->setSpacing(6);
    record->addWidget(new Label(tr("Record"), TextStyle::Strong));
    m_folder->setElided(true);
    m_folder->setTextInteractionFlags(Qt::TextSelectableByMouse);
    record->addWidget(m_folder);
    auto* buttons = new QHBoxLayout;
    auto* open = makeButton(tr("Open Folder"), ButtonKind::Secondary);
    auto* copy = makeButton(tr("Copy Path"), ButtonKind::Secondary);
    for (QPushButton* button : {open, copy}) {
        button->setProperty("small", true);
        buttons->addWidget(button);
    }
    buttons->addStretch(1);
    record->addLayout(buttons);
    connect(open, &QPushButton::clicked, this,
            [this] { QDesktopServices::openUrl(QUrl::fromLocalFile(m_folder->text())); });
    connect(copy, &QPushButton::clicked, this, [this] { QGuiApplication::clipboard()->setText(m_folder->text()); });
    layout->addWidget(m_record);
    layout->addStretch(1);
    setWidget(content);
    clearRun();
}

void RunSide::clearRun()
{
    for (FactsView* facts : {m_about, m_stages, m_results, m_parameters, m_checkpoints, m_artifacts})
        facts->setFacts({});
    m_record->hide();
}

void RunSide::showStages(const RunDetail& run)
{
    std::vector<Fact> facts;
    for (const StageRow& stage : run.stages) {
        Fact fact{stage.id, {}, stage.words, stageSign(stage.state), Role::Text};
        // what a runner that died was at work on did not go on
        if (stage.state == u"running" && !run.summary.isActive()) fact.sign = stateSign(run.summary.state);
        if (stage.state == u"cached") {
            fact.value = tr("cached");
        } else if (stage.state == u"waiting" || stage.state == u"skipped") {
            fact.value = stage.state == u"skipped" ? tr("skipped") : tr("waiting");
        } else if (!std::isnan(stage.seconds)) {
            fact.value = durationWords(stage.seconds);
        } else if (!std::isnan(stage.fraction)) {
            fact.value = QLocale().toString(qRound(stage.fraction * 100)) + u" %"_s;
        }
        facts.push_back(std::move(fact));
    }
    m_stages->setFacts(std::move(facts));
}

void RunSide::showCheckpoints(const RunDetail& run)
{
    std::vector<Fact> facts;
    const std::size_t skipped = run.checkpoints.size() - std::min(run.checkpoints.size(), kCheckpointsShown);
    for (std::size_t i = run.checkpoints.size(); i > skipped; --i) {
        const CheckpointRow& checkpoint = run.checkpoints[i - 1];
        facts.push_back({tr("epoch %1 · step %2").arg(checkpoint.epoch).arg(QLocale().toString(checkpoint.step)),
                         bytesText(static_cast<double>(checkpoint.bytes)),
                         {},
                         Sign::None,
                         Role::Text});
    }
    if (skipped > 0) facts.push_back({tr("and %1 before").arg(skipped), {}, {}, Sign::None, Role::Text});
    m_checkpoints->setFacts(std::move(facts));
}

void RunSide::setRun(const RunDetail& run)
{
    const RunSummary& summary = run.summary;
    m_about->setFacts(
        {{tr("State"), stateWord(summary.state), {}, Sign::None, stateRole(summary.state)},
         {tr("Time"), durationWords(summary.seconds()), {}, Sign::None, Role::Text},
         {tr("Started"),
          QLocale().toString(QDateTime::fromMSecsSinceEpoch(summary.createdMs), QLocale::ShortFormat),
          {},
          Sign::None,
          Role::Text},
         {tr("Pipeline"), summary.pipeline, {}, Sign::None, Role::Text},
         {tr("On"), summary.target == u"local" ? tr("this computer") : summary.target, {}, Sign::None, Role::Text},
         {tr("Run"), summary.id, {}, Sign::None, Role::Text}});
    showStages(run);
    std::vector<Fact> results;
    for (const Metric& metric : resultsOf(summary.metrics)) {
        results.push_back({metricTitle(metric.name), metricText(metric.value), {}, Sign::None, Role::Text});
    }
    // what was measured at the end first: it is what one looks for
    std::stable_partition(results.begin(), results.end(),
                          [](const Fact& fact) { return fact.name.startsWith(u"test "_s); });
    m_results->setFacts(std::move(results));
    std::vector<Fact> parameters;
    for (const Parameter& parameter : summary.parameters) {
        parameters.push_back({parameter.name, parameter.text, {}, Sign::None, Role::Text});
    }
    m_parameters->setFacts(std::move(parameters));
    showCheckpoints(run);
    std::vector<Fact> files;
    for (const ArtifactRow& artifact : run.artifacts) {
        const QString name = QFileInfo(artifact.path).fileName();
        files.push_back({name.isEmpty() ? artifact.role : name,
                         artifact.bytes > 0 ? bytesText(static_cast<double>(artifact.bytes)) : QString(),
                         {},
                         Sign::None,
                         Role::Text});
    }
    m_artifacts->setFacts(std::move(files));
    m_folder->setText(summary.folder);
    m_record->show();
}

} // namespace millrace::ui
