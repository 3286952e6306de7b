#include "ui/bridge/host_monitor.h"

#include "engine/telemetry/sampler.h"

#include <QTimer>
#include <memory>

namespace millrace::ui {

HostMonitor::HostMonitor(QObject* parent) : QObject(parent)
{
    auto* timer = new QTimer; // lives in the thread, as does the sampler in its slot
    timer->setInterval(1000);
    timer->moveToThread(&m_thread);
    auto sampler = std::make_shared<telemetry::Sampler>(); // owned by the slot, which must be copyable
    connect(timer, &QTimer::timeout, timer, [this, sampler] {
        const nlohmann::json sample = sampler->sample();
        HostLoad load;
        load.cpuPercent = sample.value("cpu_percent", -1.0);
        load.memoryBytes = sample.value("host_memory_used_bytes", -1.0);
        load.memoryTotalBytes = sample.value("host_memory_bytes", -1.0);
        emit sampled(load); // crosses to the GUI thread by a queued connection
    });
    connect(&m_thread, &QThread::started, timer, qOverload<>(&QTimer::start));
    connect(&m_thread, &QThread::finished, timer, &QObject::deleteLater);
    m_thread.start();
}

HostMonitor::~HostMonitor()
{
    m_thread.quit();
    m_thread.wait();
}

} // namespace millrace::ui
