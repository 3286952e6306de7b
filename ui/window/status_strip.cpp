#include "ui/window/status_strip.h"

#include "kernels/base/units.h"
#include "ui/theme/theme.h"
#include "ui/widgets/button.h"
#include "ui/widgets/label.h"
#include "ui/widgets/progress_line.h"
#include "ui/widgets/sign.h"

#include <QHBoxLayout>
#include <QMenu>
#include <QPushButton>

namespace millrace::ui {

namespace {

constexpr int kProblemsInMenu = 30;

QPushButton* makeStripButton(const QString& accessibleName, QWidget* parent)
{
    QPushButton* button = makeButton(QString(), ButtonKind::Flat, QString(), parent);
    button->setProperty("small", true);
    button->setAccessibleName(accessibleName);
    return button;
}

} // namespace

StatusStrip::StatusStrip(QWidget* parent) : Surface(Role::Surface, Qt::TopEdge, parent)
{
    setFixedHeight(measure::kStrip);
    auto* layout = new QHBoxLayout(this);
    layout->setContentsMargins(12, 1, 16, 0);
    layout->setSpacing(measure::kGap);

    m_sign = new SignLabel(Sign::Done, this);
    m_problems = makeStripButton(tr("Problems of the pipeline"), this);
    m_separator = new Separator(Qt::Vertical, Role::Line, this);
    m_separator->setFixedHeight(14);
    m_run = makeStripButton(tr("Current run"), this);
    m_stage = new Label(QString(), TextStyle::Caption, Role::Muted, this);
    m_progress = new ProgressLine(this);
    m_progress->setFixedWidth(180);
    m_rate = new Label(QString(), TextStyle::Caption, Role::Muted, this);
    m_host = new Label(QString(), TextStyle::Caption, Role::Muted, this);
    for (QWidget* widget :
         {static_cast<QWidget*>(m_sign), static_cast<QWidget*>(m_problems), static_cast<QWidget*>(m_separator),
          static_cast<QWidget*>(m_run), static_cast<QWidget*>(m_stage), static_cast<QWidget*>(m_progress),
          static_cast<QWidget*>(m_rate)})
        layout->addWidget(widget, 0, Qt::AlignVCenter);
    layout->addStretch();
    layout->addWidget(m_host, 0, Qt::AlignVCenter);

    connect(m_problems, &QPushButton::clicked, this, &StatusStrip::showProblemMenu);
    connect(m_run, &QPushButton::clicked, this, [this] { emit runChosen(m_current.run); });
    showProblems({});
    showCurrentRun();
}

void StatusStrip::showProblems(const std::vector<ProblemLine>& problems)
{
    m_problemLines = problems;
    const bool anyError = std::any_of(problems.begin(), problems.end(), [](const ProblemLine& problem) {
        return problem.severity == pipeline::Severity::Error;
    });
    m_sign->setSign(anyError ? Sign::Failed : problems.empty() ? Sign::Done : Sign::Warning);
    const auto count = problems.size();
    m_problems->setText(count == 0 ? tr("No problems") : count == 1 ? tr("1 problem") : tr("%1 problems").arg(count));
    m_problems->setEnabled(!problems.empty());
}

void StatusStrip::showProblemMenu()
{
    if (m_problemLines.empty()) return;
    QMenu menu(this);
    int count = 0;
    for (const ProblemLine& problem : m_problemLines) {
        if (++count > kProblemsInMenu) break;
        // an ampersand in a text would make a mnemonic of the next letter
        QString text = problem.text;
        text.replace(QLatin1Char('&'), QStringLiteral("&&"));
        QAction* action = menu.addAction(fontMetrics().elidedText(text, Qt::ElideRight, 720));
        connect(action, &QAction::triggered, this, [this, problem] { emit problemChosen(problem); });
    }
    menu.exec(m_problems->mapToGlobal(QPoint(0, -menu.sizeHint().height())));
}

void StatusStrip::showRun(const RunProgress& progress)
{
    if (progress.active)
        m_active.insert(progress.run, progress);
    else
        m_active.remove(progress.run);
    if (progress.active || progress.run == m_current.run) m_current = progress;
    if (!m_current.active && !m_active.isEmpty()) m_current = *m_active.constBegin();
    showCurrentRun();
}

void StatusStrip::showCurrentRun()
{
    const bool any = !m_current.run.isEmpty();
    for (QWidget* widget :
         {static_cast<QWidget*>(m_separator), static_cast<QWidget*>(m_run), static_cast<QWidget*>(m_stage)})
        widget->setVisible(any);
    m_progress->setVisible(any && m_current.active && m_current.fraction >= 0);
    m_rate->setVisible(any && m_current.active);
    if (!any) return;
    m_run->setText(m_current.name);
    m_run->setToolTip(tr("%1: show the run").arg(m_current.pipeline));
    m_stage->setText(m_current.active ? m_current.text : m_current.state);
    m_progress->setFraction(m_current.fraction);
    QStringList rate;
    if (m_current.samplesPerSecond >= 0)
        rate << tr("%1 samples/s").arg(QString::fromStdString(formatCount(qRound64(m_current.samplesPerSecond))));
    if (m_current.remainingSeconds >= 0)
        rate << tr("%1 left").arg(QString::fromStdString(formatDuration(m_current.remainingSeconds)));
    if (m_active.size() > 1) rate << tr("%1 more running").arg(m_active.size() - 1);
    m_rate->setText(rate.join(QStringLiteral(" · ")));
}

void StatusStrip::showHost(const HostLoad& load)
{
    QStringList parts;
    if (load.cpuPercent >= 0) parts << tr("CPU %1 %").arg(qRound(load.cpuPercent));
    if (load.memoryBytes >= 0 && load.memoryTotalBytes > 0)
        parts << tr("Memory %1 of %2")
                     .arg(QString::fromStdString(formatBytes(load.memoryBytes)),
                          QString::fromStdString(formatBytes(load.memoryTotalBytes)));
    m_host->setText(parts.join(QStringLiteral("    ")));
}

} // namespace millrace::ui
