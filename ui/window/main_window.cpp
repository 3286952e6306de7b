#include "ui/window/main_window.h"

#include "ui/bridge/host_monitor.h"
#include "ui/design/design_page.h"
#include "ui/models/models_page.h"
#include "ui/runs/runs_page.h"
#include "ui/theme/theme.h"
#include "ui/widgets/notice_bar.h"
#include "ui/window/command_palette.h"
#include "ui/window/rail.h"
#include "ui/window/status_strip.h"

#include <QAction>
#include <QCloseEvent>
#include <QDir>
#include <QGuiApplication>
#include <QScreen>
#include <QSettings>
#include <QStackedWidget>
#include <QTimer>
#include <QVBoxLayout>

namespace millrace::ui {

MainWindow::MainWindow(WindowParts parts) : m_parts(parts)
{
    m_palette = new CommandPalette(this);
    m_host = new HostMonitor(this);
    setCentralWidget(makePages());
    makeActions();
    connectDocument();
    connectRuns();
    m_strip->installEventFilter(this); // tells the first frame
    connect(m_host, &HostMonitor::sampled, m_strip, &StatusStrip::showHost);
    setMinimumSize(960, 600);
    restorePlace();
    updateTitle();
    showPage(Design);
}

MainWindow::~MainWindow() = default;

QWidget* MainWindow::makePages()
{
    m_rail = new Rail;
    m_rail->addPage(tr("Design"), QStringLiteral("design"), tr("Draw and run pipelines (Ctrl+1)"));
    m_rail->addPage(tr("Runs"), QStringLiteral("runs"), tr("See and compare what was run (Ctrl+2)"));
    m_rail->addPage(tr("Models"), QStringLiteral("models"), tr("Registered models, and trying them (Ctrl+3)"));
    m_design = new DesignPage(m_parts.document, m_parts.files);
    if (m_parts.hasGpu) m_design->offerGpu();
    m_runs = new RunsPage(m_parts.tracking);
    m_models = new ModelsPage(m_parts.tracking, m_parts.answers);
    m_pages = new QStackedWidget;
    m_pages->addWidget(m_design);
    m_pages->addWidget(m_runs);
    m_pages->addWidget(m_models);
    m_notice = new NoticeBar;
    m_notice->hide();
    m_strip = new StatusStrip;

    auto* middle = new QVBoxLayout;
    middle->setContentsMargins(0, 0, 0, 0);
    middle->setSpacing(0);
    middle->addWidget(m_notice);
    middle->addWidget(m_pages, 1);
    auto* upper = new QHBoxLayout;
    upper->setContentsMargins(0, 0, 0, 0);
    upper->setSpacing(0);
    upper->addWidget(m_rail);
    upper->addLayout(middle, 1);
    auto* whole = new QWidget;
    auto* layout = new QVBoxLayout(whole);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(0);
    layout->addLayout(upper, 1);
    layout->addWidget(m_strip);
    connect(m_rail, &Rail::pageChosen, this, [this](int page) { showPage(static_cast<Page>(page)); });
    return whole;
}

void MainWindow::makeActions()
{
    const auto add = [this](const QString& text, const QKeySequence& shortcut, auto slot) {
        auto* action = new QAction(text, this);
        action->setShortcut(shortcut);
        connect(action, &QAction::triggered, this, slot);
        m_actions << action;
    };
    add(tr("Go to Design"), QKeySequence(Qt::CTRL | Qt::Key_1), [this] { showPage(Design); });
    add(tr("Go to Runs"), QKeySequence(Qt::CTRL | Qt::Key_2), [this] { showPage(Runs); });
    add(tr("Go to Models"), QKeySequence(Qt::CTRL | Qt::Key_3), [this] { showPage(Models); });
    add(tr("Command Palette"), QKeySequence(Qt::CTRL | Qt::Key_K), [this] { m_palette->open(commands()); });
    add(tr("Open the Quick Start"), {}, [this] {
        m_parts.files.openTemplate(m_parts.quickStart);
        showPage(Design);
    });
    add(tr("Light Colors"), {}, [] { theme().setMode(Theme::Mode::Light); });
    add(tr("Dark Colors"), {}, [] { theme().setMode(Theme::Mode::Dark); });
    add(tr("Colors as the System"), {}, [] { theme().setMode(Theme::Mode::System); });
    add(tr("Quit"), QKeySequence(QKeySequence::Quit), [this] { close(); });
    addActions(m_actions);
    // a command that is chosen from the palette on another page acts on what is then seen
    for (QAction* action : m_design->commands())
        connect(action, &QAction::triggered, this, [this] { showPage(Design); });
}

QList<QAction*> MainWindow::commands() const
{
    return m_design->commands() + m_actions;
}

void MainWindow::connectDocument()
{
    PipelineDocument* document = &m_parts.document;
    connect(document, &PipelineDocument::titleChanged, this, &MainWindow::updateTitle);
    connect(document, &PipelineDocument::resetDone, this, [this] {
        m_documentRun.clear();
        m_design->showRunProgress({});
        updateTitle();
    });
    connect(document, &PipelineDocument::checked, this,
            [this, document] { m_strip->showProblems(document->problems()); });
    m_strip->showProblems(document->problems());
    connect(m_strip, &StatusStrip::problemChosen, this, [this](const ProblemLine& problem) {
        showPage(Design);
        m_design->showProblem(problem);
    });
}

void MainWindow::connectRuns()
{
    Tracking* tracking = &m_parts.tracking;
    connect(m_design, &DesignPage::runRequested, this, &MainWindow::launch);
    connect(m_design, &DesignPage::stopRequested, tracking, [tracking](const QString& run) { tracking->stop(run); });
    connect(tracking, &Tracking::launched, this, [this](RequestId request, const QString& run) {
        if (request != m_launchRequest) return;
        m_launchRequest = 0;
        m_documentRun = run;
        m_notice->hide();
    });
    connect(tracking, &Tracking::failed, this, [this](RequestId request, const Error& error) {
        if (request != m_launchRequest) return;
        m_launchRequest = 0;
        m_notice->show(Sign::Failed, tr("The run did not start. %1").arg(QString::fromStdString(error.toString())));
    });
    connect(tracking, &Tracking::databaseFailed, this, [this](const Error& error) {
        m_notice->show(Sign::Failed, QString::fromStdString(error.toString()), {tr("Rebuild the Record")});
    });
    connect(m_notice, &NoticeBar::buttonClicked, tracking, [tracking] { tracking->recoverDatabase(); });
    connect(tracking, &Tracking::databaseOpened, this, [this](const QString& notice) {
        if (!notice.isEmpty()) m_notice->show(Sign::Warning, notice);
    });
    connect(tracking, &Tracking::problemFound, this,
            [this](const Error& error) { m_notice->show(Sign::Warning, QString::fromStdString(error.toString())); });
    connect(tracking, &Tracking::progressChanged, this, &MainWindow::showProgress);
    connect(m_strip, &StatusStrip::runChosen, this, [this](const QString& run) {
        showPage(Runs);
        m_runs->showRun(run);
    });
    connect(m_runs, &RunsPage::quickStartRequested, this, [this] {
        m_parts.files.openTemplate(m_parts.quickStart);
        showPage(Design);
    });
    connect(m_runs, &RunsPage::openInDesign, this, &MainWindow::openPipelineText);
    connect(m_models, &ModelsPage::runRequested, this, [this](const QString& run) {
        showPage(Runs);
        m_runs->showRun(run);
    });
    connect(m_models, &ModelsPage::quickStartRequested, this, [this] {
        m_parts.files.openTemplate(m_parts.quickStart);
        showPage(Design);
    });
}

void MainWindow::launch()
{
    if (m_launchRequest != 0) return; // its answer is on the way
    const PipelineDocument& document = m_parts.document;
    const QString base = document.baseDirectory().isEmpty() ? QDir::currentPath() : document.baseDirectory();
    m_launchRequest = m_parts.tracking.launch(QString::fromStdString(document.text()), base, {}, m_design->device());
}

void MainWindow::showProgress(const RunProgress& progress)
{
    m_strip->showRun(progress);
    if (progress.run == m_documentRun) m_design->showRunProgress(progress);
}

void MainWindow::openPipelineText(const QString& text, const QString& name)
{
    Autosave copy;
    copy.name = name.toStdString();
    copy.text = text.toStdString();
    m_parts.files.recover(copy);
    showPage(Design);
}

void MainWindow::showPage(Page page)
{
    m_pages->setCurrentIndex(page);
    m_rail->setCurrent(page);
}

MainWindow::Page MainWindow::page() const
{
    return static_cast<Page>(m_pages->currentIndex());
}

void MainWindow::updateTitle()
{
    const QString name = m_parts.document.name().isEmpty() ? tr("Untitled") : m_parts.document.name();
    setWindowTitle(tr("%1[*] – Millrace").arg(name));
    setWindowModified(m_parts.document.isModified());
}

QString MainWindow::settingsFile() const
{
    return QString::fromStdString(m_parts.tracking.home().path) + QStringLiteral("/window.ini");
}

void MainWindow::restorePlace()
{
    const QSettings settings(settingsFile(), QSettings::IniFormat);
    const QSize available = screen()->availableSize();
    resize(QSize(1280, 800).boundedTo(available));
    restoreGeometry(settings.value(QStringLiteral("geometry")).toByteArray());
    const QString colors = settings.value(QStringLiteral("colors")).toString();
    if (colors == QStringLiteral("light")) theme().setMode(Theme::Mode::Light);
    if (colors == QStringLiteral("dark")) theme().setMode(Theme::Mode::Dark);
}

void MainWindow::closeEvent(QCloseEvent* event)
{
    QSettings settings(settingsFile(), QSettings::IniFormat);
    settings.setValue(QStringLiteral("geometry"), saveGeometry());
    const Theme::Mode mode = theme().mode();
    settings.setValue(QStringLiteral("colors"), mode == Theme::Mode::Light  ? QStringLiteral("light")
                                                : mode == Theme::Mode::Dark ? QStringLiteral("dark")
                                                                            : QStringLiteral("system"));
    event->accept();
}

bool MainWindow::eventFilter(QObject* watched, QEvent* event)
{
    if (watched == m_strip && event->type() == QEvent::Paint) { // the last of the window to be painted
        m_strip->removeEventFilter(this);
        QTimer::singleShot(0, this, &MainWindow::shown);
    }
    return QMainWindow::eventFilter(watched, event);
}

} // namespace millrace::ui
