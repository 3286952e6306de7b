// What a running pipeline says about itself, as the canvas and the strip show it: one value, replaced as a whole.
#pragma once

#include <QMap>
#include <QMetaType>
#include <QString>

namespace millrace::ui {

enum class StageState
{
    Waiting,
    Running,
    Finished,
    Cached,
    Failed,
    Skipped
};

struct StageProgress
{
    StageState state = StageState::Waiting;
    double fraction = -1; ///< 0 to 1; negative where nobody knows
    QString facts;        ///< one line: "epoch 9 of 15 · loss 0.041"
    QString error;        ///< for Failed: what was wrong and what to do, in words
    bool operator==(const StageProgress&) const = default;
};

struct RunProgress
{
    QString run;                                         ///< run id; empty where there is no run to show
    QString name;                                        ///< "brisk-heron"
    QString pipeline;                                    ///< the pipeline's name
    QString state;                                       ///< a run state's name: "running"
    bool active = false;                                 ///< whether it still works, so that Stop has something to stop
    QString stage;                                       ///< node id of the stage at work
    QString text;                                        ///< "Train · epoch 9 of 15"
    double fraction = -1;                                ///< of the stage at work; negative where nobody knows
    double samplesPerSecond = -1, remainingSeconds = -1; ///< negative where nobody knows
    int queued = 0;                                      ///< runs that wait behind it
    QMap<QString, StageProgress> stages;                 ///< by node id
    bool operator==(const RunProgress&) const = default;
};

/// What this computer is doing now, for the strip.
struct HostLoad
{
    double cpuPercent = -1; ///< of all cores; negative where unknown
    double memoryBytes = -1, memoryTotalBytes = -1;
    bool operator==(const HostLoad&) const = default;
};

} // namespace millrace::ui

Q_DECLARE_METATYPE(millrace::ui::RunProgress)
Q_DECLARE_METATYPE(millrace::ui::HostLoad)
