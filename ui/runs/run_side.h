// The right side of a run's page: its stages, results, parameters, checkpoints, and where its record lies.
#pragma once

#include "ui/bridge/values.h"

#include <QScrollArea>

namespace millrace::ui {

class FactsView;
class Label;

class RunSide : public QScrollArea
{
    Q_OBJECT
public:
    explicit RunSide(QWidget* parent = nullptr);
    void setRun(const RunDetail& run);
    void clearRun();

private:
    void showStages(const RunDetail& run);
    void showCheckpoints(const RunDetail& run);

    FactsView* m_about;
    FactsView* m_stages;
    FactsView* m_results;
    FactsView* m_parameters;
    FactsView* m_checkpoints;
    FactsView* m_artifacts;
    QWidget* m_record;
    Label* m_folder;
};

} // namespace millrace::ui
