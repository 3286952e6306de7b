#include "ui/document/pipeline_document.h"

#include "ui/document/change_command.h"
#include "ui/document/text.h"

#include <QFileInfo>
#include <algorithm>

namespace millrace::ui {

std::pair<Scope, std::string> splitSubject(const std::string& subject)
{
    const auto slash = subject.find('/');
    if (slash == std::string::npos) return {{}, subject};
    return {subject.substr(0, slash), subject.substr(slash + 1)};
}

PipelineDocument::PipelineDocument(const pipeline::Catalogue& catalogue, Inspector* inspector, QObject* parent)
    : QObject(parent), m_catalogue(catalogue), m_inspections(inspector)
{
    connect(&m_undoStack, &QUndoStack::cleanChanged, this, &PipelineDocument::titleChanged);
    connect(&m_inspections, &DataInspections::answered, this, &PipelineDocument::check, Qt::QueuedConnection);
}

const pipeline::Document* PipelineDocument::graph(const Scope& scope) const
{
    if (scope.empty()) return &m_pipeline;
    const auto known = m_layers.find(scope);
    if (known != m_layers.end()) return &known->second;
    const pipeline::Node* node = m_pipeline.find(scope);
    const pipeline::NodeSpec* nodeSpec = node ? spec(*node) : nullptr;
    if (!nodeSpec || node->type != "model.layers") return nullptr;
    auto layers = pipeline::layersFromJson(pipeline::paramValue(*node, *nodeSpec, "layers"));
    if (!layers) return nullptr;
    return &(m_layers[scope] = std::move(*layers));
}

pipeline::Document* PipelineDocument::mutableGraph(const Scope& scope)
{
    return const_cast<pipeline::Document*>(graph(scope)); // m_pipeline and m_layers are ours
}

void PipelineDocument::reset(pipeline::Document pipeline, const QString& filePath)
{
    m_pipeline = std::move(pipeline);
    m_layers.clear();
    m_undoStack.clear();
    m_recovered = false;
    m_progress = {};
    m_filePath = filePath;
    m_inspections.setBaseDirectory(baseDirectory());
    emit resetDone();
    check();
    emit titleChanged();
    emit progressChanged();
}

void PipelineDocument::setFilePath(const QString& path)
{
    if (path == m_filePath) return;
    m_filePath = path;
    m_inspections.setBaseDirectory(baseDirectory());
    check();
    emit titleChanged();
}

QString PipelineDocument::fileName() const
{
    return QFileInfo(m_filePath).fileName();
}

QString PipelineDocument::baseDirectory() const
{
    return m_filePath.isEmpty() ? QString() : QFileInfo(m_filePath).absolutePath();
}

QString PipelineDocument::name() const
{
    return shown(m_pipeline.name);
}

void PipelineDocument::setSaved()
{
    m_recovered = false;
    m_undoStack.setClean();
    emit titleChanged();
}

void PipelineDocument::setRecovered()
{
    m_recovered = true;
    emit titleChanged();
}

Status PipelineDocument::change(Change change, const QString& text, const QString& merge)
{
    if (m_pipeline.readOnly)
        return makeError(Code::Unsupported, "This file was written by a newer Millrace and is open read-only.")
            .advise("Install that version to change it.");
    if (change.empty()) return {};
    if (!graph(change.scope)) return makeError(Code::NotFound, str("'", change.scope, "' has no layers of its own."));
    const QString key = merge.isEmpty() ? QString() : QStringLiteral("%1/%2").arg(merge).arg(m_mergeSession);
    m_undoStack.push(new ChangeCommand(*this, std::move(change), text, key));
    return {};
}

Status PipelineDocument::rename(const Scope& scope, const std::string& node, const std::string& id)
{
    const pipeline::Document* in = graph(scope);
    if (!in || node == id) return {};
    const bool wellFormed = !id.empty() && std::all_of(id.begin(), id.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    });
    if (!wellFormed) return makeError(Code::InvalidArgument, "A name has letters (a-z), digits, '_' and '-'.");
    if (in->find(id)) return makeError(Code::AlreadyExists, str("There is a node '", id, "' already."));
    Change renamed = renaming(*in, node, id);
    renamed.scope = scope;
    return change(std::move(renamed), tr("Rename %1").arg(titleOf(node)));
}

Status PipelineDocument::setName(const QString& name)
{
    Change renamed;
    if (name.toStdString() == m_pipeline.name) return {};
    renamed.name = {m_pipeline.name, name.toStdString()};
    return change(std::move(renamed), tr("Rename the Pipeline"), QStringLiteral("name"));
}

void PipelineDocument::applyChange(const Change& change)
{
    apply(*mutableGraph(change.scope), change);
    keepLayers(change);
    if (!change.onlyMoves()) {
        if (!m_progress.active) m_progress = {}; // its ticks would stand at something that never ran
    }
    emit changed(change);
    if (change.name) emit titleChanged();
    if (!change.onlyMoves()) {
        check();
        emit progressChanged();
    }
}

// The layers are a parameter of their node; both are to say the same.
void PipelineDocument::keepLayers(const Change& change)
{
    if (!change.scope.empty()) {
        m_pipeline.find(change.scope)->params["layers"] = pipeline::layersToJson(m_layers.at(change.scope));
        return;
    }
    for (const Change::Edit& edit : change.edits) {
        m_layers.erase(edit.before.id);
        m_layers.erase(edit.after.id);
    }
    for (const Change::NodeAt& removed : change.removedNodes) m_layers.erase(removed.node.id);
}

void PipelineDocument::check()
{
    m_inspected.clear();
    m_report = pipeline::check(m_pipeline, m_catalogue,
                               [this](const pipeline::Node& node, const pipeline::NodeSpec& nodeSpec) {
                                   InspectAnswer answer = m_inspections.look(node, nodeSpec);
                                   if (!answer && answer.error().code == Code::Busy) m_inspected.insert(node.id);
                                   return answer;
                               });
    // a file that is still being looked at is no problem
    std::erase_if(m_report.problems, [](const pipeline::Problem& problem) { return problem.error.code == Code::Busy; });
    m_layerReports.clear();
    collectProblems();
    emit checked();
}

void PipelineDocument::collectProblems()
{
    m_problems.clear();
    for (const pipeline::Problem& problem : m_report.problems) {
        ProblemLine line;
        line.severity = problem.severity;
        std::tie(line.scope, line.node) = splitSubject(problem.error.subject.node);
        line.parameter = problem.error.subject.parameter;
        line.text = words(problem.error);
        line.link = problem.link;
        m_problems.push_back(std::move(line));
    }
}

const pipeline::CheckReport& PipelineDocument::report(const Scope& scope) const
{
    if (scope.empty()) return m_report;
    const auto known = m_layerReports.find(scope);
    if (known != m_layerReports.end()) return known->second;
    const pipeline::Document* layers = graph(scope);
    return m_layerReports[scope] =
               layers ? pipeline::checkLayers(*layers, m_catalogue, schemaFor(scope)) : pipeline::CheckReport{};
}

std::vector<ProblemLine> PipelineDocument::problemsOf(const Scope& scope, const std::string& node) const
{
    std::vector<ProblemLine> found;
    for (const ProblemLine& line : m_problems)
        if ((line.scope == scope && line.node == node) || (scope.empty() && line.scope == node)) found.push_back(line);
    return found;
}

bool PipelineDocument::drawsModel(const pipeline::Node& node) const
{
    const pipeline::NodeSpec* known = spec(node);
    return known && known->inputs.empty() && known->outputs.size() == 1 &&
           known->outputs[0].type == pipeline::PortType::Model;
}

pipeline::RowsSchema PipelineDocument::schemaFor(const std::string& modelNode) const
{
    for (const pipeline::Link& link : m_pipeline.links) {
        const pipeline::Node* training = m_pipeline.find(link.to.node);
        if (link.from.node != modelNode || !training) continue;
        for (const char* port : {"train", "tokens"}) {
            const pipeline::Link* rows = m_pipeline.linkInto(link.to.node, port);
            if (!rows) continue;
            const auto found = m_report.rows.find(str(rows->from.node, ".", rows->from.port));
            if (found == m_report.rows.end()) continue;
            const pipeline::NodeSpec* known = spec(*training);
            if (found->second.vocabulary == 0 || !known || !known->param("context")) return found->second;
            const pipeline::Json context = pipeline::paramValue(*training, *known, "context");
            if (!context.is_number_integer() || context.get<std::int64_t>() < 1) return {};
            return pipeline::windowsOf(found->second, context.get<std::int64_t>());
        }
    }
    return {};
}

void PipelineDocument::setProgress(const RunProgress& progress)
{
    if (progress == m_progress) return;
    m_progress = progress;
    emit progressChanged();
}

} // namespace millrace::ui
