// Keeps, from the events of the runs that are under way, how far each of them is.
#pragma once

#include "engine/pipeline/catalogue.h"
#include "engine/protocol/event.h"
#include "storage/records.h"
#include "ui/bridge/values.h"
#include "ui/document/run_progress.h"

#include <map>
#include <string>
#include <vector>

namespace millrace::ui {

class LiveProgress
{
public:
    LiveProgress();

    /// From now on this run's progress is told, even if it ends before anybody has looked.
    void follow(const std::string& run);
    bool knows(const std::string& run) const { return m_runs.contains(run); }
    /// What is known of a run whose earlier events were stored before this process began.
    void seed(const std::string& run, const std::vector<storage::Stage>& stages);
    void take(const std::string& run, const protocol::Event& event);
    /// Name, pipeline and state, as the database has them.
    void describe(const RunSummary& run);
    void forget(const std::string& run);

    /// What changed since the last call: runs that are active, and once more each that has ended since.
    std::vector<RunProgress> takeChanged();

private:
    struct Followed
    {
        RunProgress progress;
        bool told = false; ///< somebody saw it active, or waits for it
        bool changed = false;
    };

    void setStage(Followed& run, const std::string& id, const std::string& type, const std::string& state,
                  const protocol::Progress& progress, const nlohmann::json& facts);
    QString title(const std::string& type, const QString& id) const;

    pipeline::Catalogue m_catalogue;
    std::map<std::string, Followed> m_runs;
};

} // namespace millrace::ui
