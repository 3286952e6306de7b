// What this computer is doing, once a second, read away from the GUI thread.
#pragma once

#include "ui/document/run_progress.h"

#include <QObject>
#include <QThread>

namespace millrace::ui {

class HostMonitor : public QObject
{
    Q_OBJECT

public:
    explicit HostMonitor(QObject* parent = nullptr);
    ~HostMonitor() override;

signals:
    void sampled(const millrace::ui::HostLoad& load);

private:
    QThread m_thread;
};

} // namespace millrace::ui
