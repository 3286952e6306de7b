#include "ui/bridge/live_progress.h"

#include "kernels/base/text.h"
#include "ui/bridge/conversions.h"

namespace millrace::ui {

using namespace Qt::StringLiterals;

namespace {

StageState stageState(std::string_view name)
{
    if (name == "running") return StageState::Running;
    if (name == "finished") return StageState::Finished;
    if (name == "cached") return StageState::Cached;
    if (name == "failed") return StageState::Failed;
    if (name == "skipped") return StageState::Skipped;
    return StageState::Waiting;
}

std::string textField(const nlohmann::json& fields, const char* key)
{
    const auto at = fields.find(key);
    return at != fields.end() && at->is_string() ? at->get<std::string>() : std::string();
}

} // namespace

LiveProgress::LiveProgress() : m_catalogue(pipeline::Catalogue::create()) {}

void LiveProgress::follow(const std::string& run)
{
    Followed& followed = m_runs[run];
    followed.progress = RunProgress{}; // a resumed run begins anew
    followed.progress.run = toQString(run);
    followed.progress.state = u"queued"_s;
    followed.progress.active = true;
    followed.told = true;
    followed.changed = true;
}

void LiveProgress::seed(const std::string& run, const std::vector<storage::Stage>& stages)
{
    Followed& followed = m_runs[run];
    followed.progress.run = toQString(run);
    for (const storage::Stage& stage : stages) {
        setStage(followed, stage.id, stage.type, stage.state, stage.progress, stage.facts);
    }
}

QString LiveProgress::title(const std::string& type, const QString& id) const
{
    const pipeline::NodeSpec* spec = m_catalogue.find(type);
    return spec ? toQString(spec->title) : id;
}

void LiveProgress::setStage(Followed& run, const std::string& id, const std::string& type, const std::string& state,
                            const protocol::Progress& progress, const nlohmann::json& facts)
{
    const QString stageId = toQString(printable(id));
    storage::Stage stage;
    stage.progress = progress;
    stage.facts = facts;
    StageProgress& shown = run.progress.stages[stageId];
    shown.state = stageState(state);
    shown.fraction = progress.fraction().value_or(-1);
    const QString words = stageOf(stage).words;
    if (!words.isEmpty() || shown.state == StageState::Running) shown.facts = words;
    if (shown.state != StageState::Running) return;
    RunProgress& whole = run.progress;
    whole.stage = stageId;
    whole.fraction = shown.fraction;
    whole.text = title(type, stageId) + (words.isEmpty() ? QString() : u" · "_s + words);
    whole.samplesPerSecond = progress.samplesPerSecond.value_or(-1);
    whole.remainingSeconds = progress.remainingSeconds.value_or(-1);
}

void LiveProgress::take(const std::string& run, const protocol::Event& event)
{
    Followed& followed = m_runs[run];
    RunProgress& progress = followed.progress;
    progress.run = toQString(run);
    followed.changed = true;
    if (event.kind == "stage") {
        const auto at = event.fields.find("progress");
        const auto facts = event.fields.find("facts");
        setStage(followed, textField(event.fields, "stage"), textField(event.fields, "type"),
                 textField(event.fields, "state"),
                 at == event.fields.end() ? protocol::Progress{} : protocol::progressFromJson(*at),
                 facts == event.fields.end() ? nlohmann::json() : *facts);
    } else if (event.kind == "state") {
        const auto state = protocol::runStateFromName(textField(event.fields, "state"));
        if (!state) return;
        progress.state = toQString(protocol::name(*state));
        progress.active = !protocol::isTerminal(*state) && *state != protocol::RunState::Lost;
        if (progress.active) return;
        progress.remainingSeconds = progress.samplesPerSecond = -1;
        const auto cause = event.fields.find("cause");
        if (*state != protocol::RunState::Failed || cause == event.fields.end()) return;
        const Error error = protocol::errorFromJson(*cause);
        QString stage = toQString(printable(textField(event.fields, "stage")));
        if (stage.isEmpty()) stage = toQString(printable(error.subject.node)).section(u'/', 0, 0);
        if (stage.isEmpty()) return;
        progress.stages[stage].state = StageState::Failed;
        progress.stages[stage].error = errorText(error);
    }
}

void LiveProgress::describe(const RunSummary& run)
{
    const auto at = m_runs.find(run.id.toStdString());
    if (at == m_runs.end()) return;
    RunProgress& progress = at->second.progress;
    progress.name = run.name;
    progress.pipeline = run.pipeline;
    if (!progress.state.isEmpty()) return; // events are ahead of the database's row, as after a resume
    progress.state = toQString(protocol::name(run.state));
    progress.active = run.isActive();
}

void LiveProgress::forget(const std::string& run)
{
    m_runs.erase(run);
}

std::vector<RunProgress> LiveProgress::takeChanged()
{
    std::vector<RunProgress> changed;
    for (auto at = m_runs.begin(); at != m_runs.end();) {
        Followed& followed = at->second;
        const bool active = followed.progress.active;
        if (followed.changed && (active || followed.told)) changed.push_back(followed.progress);
        followed.changed = false;
        followed.told = followed.told || active;
        at = active ? std::next(at) : m_runs.erase(at);
    }
    return changed;
}

} // namespace millrace::ui
