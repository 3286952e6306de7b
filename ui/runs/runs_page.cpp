#include "ui/runs/runs_page.h"

#include "ui/runs/run_page.h"
#include "ui/runs/runs_overview.h"
#include "ui/runs/runs_table.h"

namespace millrace::ui {

RunsPage::RunsPage(Tracking& tracking, QWidget* parent)
    : QStackedWidget(parent), m_overview(new RunsOverview(tracking)), m_run(new RunPage(tracking))
{
    addWidget(m_overview);
    addWidget(m_run);
    setAccessibleName(tr("Runs"));
    connect(m_overview, &RunsOverview::openRequested, this, &RunsPage::showRun);
    connect(m_overview, &RunsOverview::quickStartRequested, this, &RunsPage::quickStartRequested);
    connect(m_run, &RunPage::backRequested, this, &RunsPage::showAll);
    connect(m_run, &RunPage::openInDesign, this, &RunsPage::openInDesign);
}

void RunsPage::showAll()
{
    setCurrentWidget(m_overview);
    m_overview->table().setFocus();
}

void RunsPage::showRun(const QString& run)
{
    m_run->setRun(run);
    setCurrentWidget(m_run);
    m_run->setFocus();
}

} // namespace millrace::ui
