// What differs between runs, and only that: parameters first, then results.
#pragma once

#include "ui/runs/runs_model.h"

#include <QWidget>

namespace millrace::ui {

struct Difference
{
    QString title;
    QStringList values; ///< one per run; "—" where a run has none
    bool operator==(const Difference&) const = default;
};

/// Rows in which at least two of the runs differ. A parameter is named by its node too where two nodes have its name.
std::vector<Difference> differencesOf(const std::vector<RunPtr>& runs);

/// The rows as a table with one column a run, each under its name and colour.
class DifferencesView : public QWidget
{
    Q_OBJECT
public:
    explicit DifferencesView(QWidget* parent = nullptr);
    void setRuns(const std::vector<RunPtr>& runs, const QHash<QString, int>& chips);
    QSize sizeHint() const override;
    QSize minimumSizeHint() const override { return {320, sizeHint().height()}; }

protected:
    void paintEvent(QPaintEvent* event) override;

private:
    std::vector<RunPtr> m_runs;
    QHash<QString, int> m_chips;
    std::vector<Difference> m_rows;
};

} // namespace millrace::ui
