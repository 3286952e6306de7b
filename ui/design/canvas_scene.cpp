#include "ui/design/canvas_scene.h"

#include "ui/document/text.h"
#include "ui/theme/theme.h"

#include <algorithm>
#include <set>

namespace millrace::ui {

namespace {
constexpr int kTurnMs = 50, kTurnSteps = 24;

Sign signOf(StageState state)
{
    switch (state) {
    case StageState::Waiting:
        return Sign::Waiting;
    case StageState::Running:
        return Sign::Running;
    case StageState::Finished:
        return Sign::Done;
    case StageState::Cached:
        return Sign::Cached;
    case StageState::Failed:
        return Sign::Failed;
    case StageState::Skipped:
        return Sign::Skipped;
    }
    return Sign::None;
}

QString wordOf(StageState state)
{
    switch (state) {
    case StageState::Waiting:
        return CanvasScene::tr("Waiting");
    case StageState::Running:
        return CanvasScene::tr("Running");
    case StageState::Finished:
        return CanvasScene::tr("Finished");
    case StageState::Cached:
        return CanvasScene::tr("Unchanged: the cached result was used");
    case StageState::Failed:
        return CanvasScene::tr("Failed");
    case StageState::Skipped:
        return CanvasScene::tr("Skipped");
    }
    return {};
}
} // namespace

CanvasScene::CanvasScene(PipelineDocument& document, QObject* parent) : QGraphicsScene(parent), m_document(document)
{
    setItemIndexMethod(QGraphicsScene::BspTreeIndex);
    connect(&document, &PipelineDocument::resetDone, this, [this] { setScope({}); });
    connect(&document, &PipelineDocument::changed, this, &CanvasScene::sync);
    connect(&document, &PipelineDocument::checked, this, &CanvasScene::updateTexts);
    connect(&document, &PipelineDocument::progressChanged, this, &CanvasScene::updateTexts);
    connect(&theme(), &Theme::changed, this, [this] { update(); });
    m_turn.setInterval(kTurnMs);
    connect(&m_turn, &QTimer::timeout, this, [this] {
        m_turnStep = (m_turnStep + 1) % kTurnSteps;
        for (const auto& [id, item] : m_nodes)
            if (item->view().sign == Sign::Running) item->setTurn(double(m_turnStep) / kTurnSteps);
    });
    sync();
}

// The items go one by one, and whoever heard of the selection then would ask those that are gone.
CanvasScene::~CanvasScene()
{
    blockSignals(true);
}

const pipeline::Document& CanvasScene::graph() const
{
    const pipeline::Document* graph = m_document.graph(m_scope);
    return graph != nullptr ? *graph : m_empty;
}

void CanvasScene::setScope(const Scope& scope)
{
    m_scope = scope;
    clearSelection();
    sync();
    emit scopeChanged();
}

NodeItem* CanvasScene::node(std::string_view id) const
{
    const auto found = m_nodes.find(id);
    return found == m_nodes.end() ? nullptr : found->second;
}

std::vector<std::string> CanvasScene::selectedNodes() const
{
    std::vector<std::string> ids;
    for (const pipeline::Node& candidate : graph().nodes)
        if (const NodeItem* item = node(candidate.id); item != nullptr && item->isSelected())
            ids.push_back(candidate.id);
    return ids;
}

std::vector<pipeline::Link> CanvasScene::selectedLinks() const
{
    std::vector<pipeline::Link> links;
    for (const LinkItem* item : m_links)
        if (item->isSelected()) links.push_back(item->link());
    return links;
}

void CanvasScene::select(const std::vector<std::string>& nodes)
{
    const std::set<std::string> wanted(nodes.begin(), nodes.end());
    for (LinkItem* item : m_links) item->setSelected(false);
    for (const auto& [id, item] : m_nodes) item->setSelected(wanted.contains(id));
}

std::optional<CanvasScene::PortHit> CanvasScene::portAt(const QPointF& point) const
{
    // a port reaches over its node's edge, so the items around the point are asked
    for (QGraphicsItem* item : items(QRectF(point - QPointF(12, 12), QSizeF(24, 24)))) {
        auto* candidate = qgraphicsitem_cast<NodeItem*>(item);
        if (candidate == nullptr) continue;
        if (const auto port = candidate->portAt(point)) return PortHit{candidate, *port};
    }
    return std::nullopt;
}

QRectF CanvasScene::contentRect() const
{
    QRectF all;
    for (const auto& [id, item] : m_nodes) all |= item->sceneBoundingRect();
    return all.adjusted(-40, -40, 40, 40);
}

void CanvasScene::followNode(const NodeItem& moved)
{
    const std::string& id = moved.view().id;
    for (LinkItem* item : m_links) {
        const pipeline::Link& link = item->link();
        if (link.from.node != id && link.to.node != id) continue;
        const NodeItem* from = node(link.from.node);
        const NodeItem* to = node(link.to.node);
        if (from != nullptr && to != nullptr)
            item->setEnds(from->portPosition(link.from.port, true), to->portPosition(link.to.port, false));
    }
}

// Makes the items what the graph says. An item of an unchanged node stays, and stays selected.
void CanvasScene::sync()
{
    // the layers that were shown are gone, as when the step that made them is undone
    if (!m_scope.empty() && m_document.graph(m_scope) == nullptr) return setScope({});
    std::set<std::string, std::less<>> present;
    for (const pipeline::Node& candidate : graph().nodes) {
        present.insert(candidate.id);
        NodeItem*& item = m_nodes[candidate.id];
        if (item == nullptr) {
            item = new NodeItem(viewOf(candidate));
            addItem(item);
        } else {
            item->setView(viewOf(candidate));
        }
        item->setPos(candidate.x, candidate.y);
    }
    for (auto entry = m_nodes.begin(); entry != m_nodes.end();) {
        if (present.contains(entry->first)) {
            ++entry;
            continue;
        }
        delete entry->second; // leaves the scene by itself
        entry = m_nodes.erase(entry);
    }
    syncLinks();
    updateTexts();
    emit contentChanged();
}

void CanvasScene::syncLinks()
{
    std::vector<LinkItem*> before;
    before.swap(m_links);
    for (const pipeline::Link& link : graph().links) {
        const NodeItem* from = node(link.from.node);
        const NodeItem* to = node(link.to.node);
        if (from == nullptr || to == nullptr) continue; // named in the problems
        const auto known = std::find_if(before.begin(), before.end(),
                                        [&](const LinkItem* item) { return item != nullptr && item->link() == link; });
        LinkItem* item = nullptr;
        if (known != before.end()) {
            item = *known;
            *known = nullptr;
        } else {
            item = new LinkItem(link, linkFlow(link));
            addItem(item);
        }
        item->setEnds(from->portPosition(link.from.port, true), to->portPosition(link.to.port, false));
        m_links.push_back(item);
    }
    for (LinkItem* item : before) delete item;
}

QString CanvasScene::linkFlow(const pipeline::Link& link) const
{
    const pipeline::Node* from = graph().find(link.from.node);
    const pipeline::NodeSpec* spec = from == nullptr ? nullptr : m_document.spec(*from);
    const pipeline::PortSpec* port = spec == nullptr ? nullptr : spec->output(link.from.port);
    return port == nullptr ? QString() : toQt(name(port->type));
}

NodeView CanvasScene::viewOf(const pipeline::Node& from) const
{
    NodeView view;
    view.id = from.id;
    view.title = titleOf(from.id);
    view.type = shown(from.type);
    const auto add = [](std::vector<PortView>& ports, const std::string& id, const QString& title,
                        const QString& type) {
        for (const PortView& port : ports)
            if (port.id == id) return;
        ports.push_back({id, title, type, false});
    };
    if (const pipeline::NodeSpec* spec = m_document.spec(from)) {
        for (const auto& port : spec->inputs) add(view.inputs, port.id, toQt(port.title), toQt(name(port.type)));
        for (const auto& port : spec->outputs) add(view.outputs, port.id, toQt(port.title), toQt(name(port.type)));
        view.flow = !spec->outputs.empty()  ? toQt(name(spec->outputs.front().type))
                    : !spec->inputs.empty() ? toQt(name(spec->inputs.front().type))
                                            : QString();
    }
    // what is linked has a port, also where the type is unknown
    for (const pipeline::Link& link : graph().links) {
        if (link.to.node == from.id) add(view.inputs, link.to.port, shown(link.to.port), QString());
        if (link.from.node == from.id) add(view.outputs, link.from.port, shown(link.from.port), QString());
    }
    addState(view);
    return view;
}

void CanvasScene::addState(NodeView& view) const
{
    const auto& report = m_document.report(m_scope);
    const auto facts = report.nodeFacts.find(view.id);
    view.facts = facts == report.nodeFacts.end() ? QString() : toQt(facts->second);
    view.sign = Sign::None;
    view.signText = view.facts;
    view.fraction = -1;
    const auto stages = m_document.progress().stages;
    if (const auto stage = stages.constFind(toQt(view.id)); m_scope.empty() && stage != stages.constEnd()) {
        view.sign = signOf(stage->state);
        view.signText = wordOf(stage->state);
        if (!stage->facts.isEmpty()) view.facts = stage->facts;
        if (!stage->error.isEmpty()) view.signText = stage->error;
        if (stage->state == StageState::Running) view.fraction = std::max(0.0, stage->fraction);
    }
    const auto problems = m_document.problemsOf(m_scope, view.id);
    if (problems.empty()) return;
    const bool error = std::any_of(problems.begin(), problems.end(), [](const ProblemLine& problem) {
        return problem.severity == pipeline::Severity::Error;
    });
    view.sign = error ? Sign::Failed : Sign::Warning;
    view.signText = problems.front().text;
    if (error) view.facts = problems.front().text;
}

void CanvasScene::updateTexts()
{
    bool running = false;
    for (const pipeline::Node& candidate : graph().nodes) {
        NodeItem* item = node(candidate.id);
        if (item == nullptr) continue;
        NodeView view = item->view();
        addState(view);
        running = running || view.sign == Sign::Running;
        item->setView(std::move(view));
    }
    if (running && theme().motionMs() > 0)
        m_turn.start();
    else
        m_turn.stop();
    const auto& report = m_document.report(m_scope);
    const auto& links = graph().links;
    for (LinkItem* item : m_links) {
        const auto at = std::find(links.begin(), links.end(), item->link());
        const auto index = static_cast<std::size_t>(at - links.begin());
        QString problem;
        for (const ProblemLine& line : m_document.problems())
            if (line.scope == m_scope && line.link == index) problem = line.text;
        item->setTexts(index < report.linkShapes.size() ? toQt(report.linkShapes[index]) : QString(), problem);
    }
}

} // namespace millrace::ui
