// The strip at the bottom of the window: problems, what runs now and how far it is, what this computer is doing.
#pragma once

#include "ui/document/pipeline_document.h"
#include "ui/document/run_progress.h"
#include "ui/widgets/surface.h"

#include <QHash>

class QPushButton;

namespace millrace::ui {

class Label;
class ProgressLine;
class SignLabel;

class StatusStrip : public Surface
{
    Q_OBJECT

public:
    explicit StatusStrip(QWidget* parent = nullptr);

    void showProblems(const std::vector<ProblemLine>& problems);
    /// Of any run; the one that began last is shown, and for a while after it has ended.
    void showRun(const RunProgress& progress);
    void showHost(const HostLoad& load);
    QPushButton* problemsButton() const { return m_problems; }

signals:
    /// A problem was chosen from the list.
    void problemChosen(const millrace::ui::ProblemLine& problem);
    /// The run's name was clicked.
    void runChosen(const QString& run);

private:
    void showProblemMenu();
    void showCurrentRun();

    SignLabel* m_sign;
    QPushButton* m_problems;
    Separator* m_separator;
    QPushButton* m_run;
    Label* m_stage;
    ProgressLine* m_progress;
    Label* m_rate;
    Label* m_host;
    std::vector<ProblemLine> m_problemLines;
    QHash<QString, RunProgress> m_active; ///< by run id
    RunProgress m_current;                ///< what is shown
};

} // namespace millrace::ui
