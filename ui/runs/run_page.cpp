#include "ui/runs/run_page.h"

#include "kernels/base/units.h"
#include "ui/charts/confusion_view.h"
#include "ui/runs/log_view.h"
#include "ui/runs/run_charts.h"
#include "ui/runs/run_side.h"
#include "ui/runs/run_words.h"
#include "ui/theme/theme.h"
#include "ui/widgets/button.h"
#include "ui/widgets/card.h"
#include "ui/widgets/label.h"
#include "ui/widgets/notice_bar.h"
#include "ui/widgets/page_header.h"
#include "ui/widgets/progress_line.h"
#include "ui/widgets/surface.h"

#include <QAction>
#include <QFileDialog>
#include <QHBoxLayout>
#include <QLocale>
#include <QMessageBox>
#include <QScrollArea>
#include <QShortcut>
#include <QVBoxLayout>
#include <algorithm>

namespace millrace::ui {

using namespace Qt::StringLiterals;

RunPage::RunPage(Tracking& tracking, QWidget* parent)
    : QWidget(parent), m_tracking(tracking), m_header(new PageHeader({})), m_sign(new SignLabel),
      m_notice(new NoticeBar), m_stop(new QAction(tr("Stop"), this)), m_resume(new QAction(tr("Resume"), this)),
      m_openInDesign(new QAction(tr("Open in Design"), this)), m_export(new QAction(tr("Export…"), this)),
      m_delete(new QAction(tr("Delete"), this))
{
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(0);
    makeHeader();
    layout->addWidget(m_header);
    layout->addWidget(m_notice);
    m_notice->hide();
    layout->addWidget(makeProgress());
    auto* body = new QHBoxLayout;
    body->setSpacing(0);
    body->addWidget(makeBody(), 1);
    m_side = new RunSide;
    body->addWidget(m_side);
    layout->addLayout(body, 1);

    connect(&tracking, &Tracking::runAnswered, this, [this](RequestId request, const RunDetails& run) {
        if (m_awaited.accept(request)) show(run);
    });
    connect(&tracking, &Tracking::done, this, [this](RequestId request) {
        if (m_action.accept(request) && !m_actionDone.isEmpty()) m_notice->show(Sign::Done, m_actionDone);
    });
    connect(&tracking, &Tracking::launched, this, [this](RequestId request) { m_action.accept(request); });
    connect(&tracking, &Tracking::failed, this, [this](RequestId request, const Error& error) {
        if (m_action.accept(request) || m_awaited.accept(request)) fail(errorText(error));
    });
    connect(&tracking, &Tracking::runsChanged, this, [this](const RunList& runs) {
        if (std::any_of(runs->begin(), runs->end(), [this](const RunSummary& row) { return row.id == m_run; }))
            refresh();
    });
    connect(&tracking, &Tracking::runsRemoved, this, [this](const QStringList& runs) {
        if (runs.contains(m_run)) emit backRequested();
    });
    connect(&tracking, &Tracking::progressChanged, this, &RunPage::showProgress);
    updateActions();
}

void RunPage::makeHeader()
{
    auto* back = makeButton(tr("Runs"), ButtonKind::Link);
    back->setToolTip(tr("Back to all runs (Esc)"));
    connect(back, &QPushButton::clicked, this, &RunPage::backRequested);
    m_header->addLeading(back);
    m_header->addLeading(new Label(u"›"_s, TextStyle::Body, Role::Faint));
    m_header->addLeading(m_sign);
    const auto add = [this](QAction* action, const QKeySequence& keys, const QString& help, const QString& iconName) {
        action->setShortcut(keys);
        action->setShortcutContext(Qt::WidgetWithChildrenShortcut);
        action->setStatusTip(help);
        addAction(action);
        m_actions << action;
        QPushButton* button = makeActionButton(action, ButtonKind::Secondary, iconName);
        // what makes no sense now gives its place to the title
        m_header->addAction(button);
        connect(action, &QAction::changed, button, [action, button] { button->setVisible(action->isEnabled()); });
    };
    add(m_stop, Qt::CTRL | Qt::Key_Period, tr("Asks the run to stop at the next step; it can be resumed."), u"stop"_s);
    add(m_resume, Qt::CTRL | Qt::SHIFT | Qt::Key_R, tr("Goes on from the last checkpoint."), u"play"_s);
    add(m_openInDesign, Qt::CTRL | Qt::Key_D, tr("Opens the pipeline as it was when this ran."), {});
    add(m_export, Qt::CTRL | Qt::Key_E, tr("Writes every metric of this run as CSV."), {});
    add(m_delete, QKeySequence::Delete, tr("Deletes the run with all its files."), u"trash"_s);
    connect(m_stop, &QAction::triggered, this, [this] {
        m_actionDone.clear();
        m_action.expect(m_tracking.stop(m_run));
    });
    connect(m_resume, &QAction::triggered, this, [this] {
        m_actionDone.clear();
        m_notice->hide();
        m_action.expect(m_tracking.resume(m_run));
    });
    connect(m_openInDesign, &QAction::triggered, this,
            [this] { emit openInDesign(m_detail->pipelineText, m_detail->summary.name); });
    connect(m_export, &QAction::triggered, this, &RunPage::askWhereToExport);
    connect(m_delete, &QAction::triggered, this, &RunPage::askToDelete);
    connect(m_notice, &NoticeBar::buttonClicked, m_resume, &QAction::trigger);
    auto* escape = new QShortcut(QKeySequence(Qt::Key_Escape), this, nullptr, nullptr, Qt::WidgetWithChildrenShortcut);
    connect(escape, &QShortcut::activated, this, &RunPage::backRequested);
    auto* altLeft = new QShortcut(QKeySequence::Back, this, nullptr, nullptr, Qt::WidgetWithChildrenShortcut);
    connect(altLeft, &QShortcut::activated, this, &RunPage::backRequested);
}

QWidget* RunPage::makeProgress()
{
    auto* strip = new Surface(Role::Surface, Qt::BottomEdge);
    m_progressStrip = strip;
    strip->setFixedHeight(40);
    auto* layout = new QHBoxLayout(strip);
    layout->setContentsMargins(16, 0, 16, 0);
    layout->setSpacing(16);
    m_progressText = new Label({}, TextStyle::Body, Role::Text);
    m_progressLine = new ProgressLine;
    m_progressRate = new Label({}, TextStyle::Number, Role::Muted);
    layout->addWidget(m_progressText);
    layout->addWidget(m_progressLine, 1);
    layout->addWidget(m_progressRate);
    strip->hide();
    return strip;
}

QWidget* RunPage::makeBody()
{
    auto* area = new QScrollArea;
    area->setWidgetResizable(true);
    area->setFrameShape(QFrame::NoFrame);
    area->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    auto* content = new Surface(Role::Window);
    auto* layout = new QVBoxLayout(content);
    layout->setContentsMargins(16, 14, 16, 16);
    layout->setSpacing(14);
    m_charts = new RunCharts(m_tracking, this);
    layout->addWidget(&m_charts->main());
    auto* row = new QHBoxLayout;
    row->setSpacing(14);
    m_confusionCard = new Card(tr("Confusion matrix"));
    m_confusion = new ConfusionView;
    m_confusion->setMinimumHeight(380);
    m_confusionCard->body()->addWidget(m_confusion);
    m_confusionCard->hide();
    m_system = new SystemCharts(m_tracking);
    row->addWidget(m_confusionCard, 1);
    row->addWidget(m_system, 1);
    layout->addLayout(row);
    layout->addWidget(&m_charts->others());
    auto* logCard = new Card(tr("Log"));
    m_log = new LogView;
    m_log->setFixedHeight(200);
    logCard->body()->addWidget(m_log);
    layout->addWidget(logCard);
    layout->addStretch(1);
    area->setWidget(content);
    return area;
}

void RunPage::setRun(const QString& run)
{
    if (run == m_run) return refresh();
    m_run = run;
    m_detail.reset();
    m_awaited.expect(0);
    m_stale = false;
    m_actionDone.clear();
    m_notice->hide();
    m_progressStrip->hide();
    m_header->setTitle({});
    m_header->setSubtitle({});
    m_sign->setSign(Sign::None);
    m_confusionCard->hide();
    m_system->setStacked(false);
    m_log->clearLines();
    m_side->clearRun();
    m_charts->setRun(run);
    m_system->setRun(run);
    updateActions();
    refresh();
}

void RunPage::refresh()
{
    if (m_run.isEmpty()) return;
    if (m_awaited.isPending()) {
        m_stale = true;
        return;
    }
    m_awaited.expect(m_tracking.requestRun(m_run));
}

void RunPage::show(const RunDetails& run)
{
    const bool becameFailed = run->summary.state == protocol::RunState::Failed &&
                              (!m_detail || m_detail->summary.state != protocol::RunState::Failed);
    m_detail = run;
    const RunSummary& summary = run->summary;
    m_header->setTitle(summary.name);
    m_header->setSubtitle(u"%1 · %2 · %3"_s.arg(stateWord(summary.state), summary.pipeline,
                                                whenWords(summary.createdMs, unixMilliseconds())));
    m_sign->setSign(stateSign(summary.state));
    if (becameFailed) {
        const QString cause =
            summary.cause.isEmpty() ? tr("The run failed and said no cause; its log may tell.") : summary.cause;
        m_notice->show(Sign::Failed, cause, {tr("Resume")});
    }
    if (!summary.isActive()) m_progressStrip->hide();
    m_charts->setSeries(run->series);
    m_confusionCard->setVisible(run->confusion.has_value());
    m_system->setStacked(run->confusion.has_value());
    if (run->confusion) m_confusion->setMatrix(run->confusion->classes, run->confusion->counts);
    m_log->setLines(run->log);
    m_side->setRun(*run);
    m_system->refresh();
    updateActions();
    if (std::exchange(m_stale, false)) refresh();
}

void RunPage::showProgress(const RunProgress& progress)
{
    if (progress.run != m_run) return;
    m_progressStrip->setVisible(progress.active);
    m_progressText->setText(progress.text.isEmpty() ? tr("Starting") : progress.text);
    m_progressLine->setFraction(progress.fraction);
    QStringList rate;
    if (progress.samplesPerSecond >= 0) {
        rate << tr("%1 samples/s").arg(QLocale().toString(static_cast<qint64>(progress.samplesPerSecond)));
    }
    if (progress.remainingSeconds >= 0) {
        rate << (progress.remainingSeconds < 1 ? tr("less than 1 s left")
                                               : tr("%1 left").arg(durationWords(progress.remainingSeconds)));
    }
    m_progressRate->setText(rate.join(u" · "_s));
}

void RunPage::updateActions()
{
    const bool known = m_detail != nullptr;
    const bool active = known && m_detail->summary.isActive();
    const bool resumable = known && (m_detail->summary.state == protocol::RunState::Failed ||
                                     m_detail->summary.state == protocol::RunState::Stopped ||
                                     m_detail->summary.state == protocol::RunState::Lost);
    m_stop->setEnabled(active && m_detail->summary.state != protocol::RunState::Stopping);
    m_resume->setEnabled(resumable);
    m_openInDesign->setEnabled(known && !m_detail->pipelineText.isEmpty());
    m_export->setEnabled(known);
    m_delete->setEnabled(known && !active);
}

void RunPage::exportTo(const QString& fileName)
{
    m_actionDone = tr("The metrics were written to %1.").arg(fileName);
    m_action.expect(m_tracking.exportMetrics(m_run, fileName));
}

void RunPage::askWhereToExport()
{
    // the dialog of its own window does not stop what is drawn meanwhile
    auto* dialog = new QFileDialog(this, tr("Export Metrics"), {}, tr("CSV (*.csv)"));
    dialog->setAcceptMode(QFileDialog::AcceptSave);
    dialog->setDefaultSuffix(u"csv"_s);
    dialog->selectFile(m_detail->summary.name + u".csv"_s);
    dialog->setAttribute(Qt::WA_DeleteOnClose);
    connect(dialog, &QFileDialog::fileSelected, this, &RunPage::exportTo);
    dialog->open();
}

void RunPage::askToDelete()
{
    QMessageBox box(QMessageBox::Warning, tr("Delete"), tr("Delete %1?").arg(m_detail->summary.name),
                    QMessageBox::Cancel, this);
    box.setTextFormat(Qt::PlainText);
    box.setInformativeText(tr("Metrics, log, checkpoints and files go with it. This cannot be undone."));
    auto* remove = box.addButton(tr("Delete"), QMessageBox::DestructiveRole);
    box.setDefaultButton(QMessageBox::Cancel);
    box.exec();
    if (box.clickedButton() != remove) return;
    m_actionDone.clear();
    m_action.expect(m_tracking.deleteRun(m_run));
}

void RunPage::fail(const QString& text)
{
    m_notice->show(Sign::Failed, text);
}

} // namespace millrace::ui
