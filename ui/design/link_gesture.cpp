#include "ui/design/link_gesture.h"

#include "ui/document/text.h"
#include "ui/theme/theme.h"

#include <QPen>
#include <algorithm>

namespace millrace::ui {

Status canLinkInstead(const pipeline::Document& graph, const pipeline::Catalogue& catalogue, const pipeline::Link& link,
                      const std::optional<pipeline::Link>& instead)
{
    if (!instead) return pipeline::canLink(graph, catalogue, link.from, link.to);
    pipeline::Document without = graph;
    std::erase(without.links, *instead);
    return pipeline::canLink(without, catalogue, link.from, link.to);
}

LinkGesture::LinkGesture(CanvasScene& scene, const CanvasScene::PortHit& start)
    : m_scene(scene), m_start{start.node->view().id, start.port.id}, m_fromOutput(start.port.output),
      m_line(new QGraphicsPathItem)
{
    if (!m_fromOutput)
        if (const pipeline::Link* link = scene.graph().linkInto(m_start.node, m_start.port)) {
            m_detached = *link;
            m_start = link->from;
            m_fromOutput = true;
        }
    m_line->setZValue(3);
    m_line->setPen(QPen(theme().color(Role::Accent), 2, Qt::DashLine));
    scene.addItem(m_line);
}

LinkGesture::~LinkGesture()
{
    unmark();
    delete m_line;
}

void LinkGesture::unmark()
{
    if (NodeItem* item = m_scene.node(m_marked)) item->setTarget(std::nullopt, false);
    m_marked.clear();
}

std::optional<LinkGesture::Target> LinkGesture::targetAt(const QPointF& point) const
{
    const auto hit = m_scene.portAt(point);
    if (!hit) return std::nullopt;
    Target target{*hit, {}, {}, {}};
    const pipeline::Endpoint end{hit->node->view().id, hit->port.id};
    if (hit->port.output == m_fromOutput) {
        target.allowed =
            makeError(Code::InvalidArgument, m_fromOutput ? "A link ends at an input, at the left of a node."
                                                          : "A link begins at an output, at the right of a node.");
        if (end == m_start) target.allowed = {};
        return target;
    }
    target.link = m_fromOutput ? pipeline::Link{m_start, end} : pipeline::Link{end, m_start};
    if (const auto* there = m_scene.graph().linkInto(target.link.to.node, target.link.to.port)) target.instead = *there;
    target.allowed = canLinkInstead(m_scene.graph(), m_scene.document().catalogue(), target.link, target.instead);
    return target;
}

QString LinkGesture::moveTo(const QPointF& point)
{
    unmark();
    const NodeItem* node = m_scene.node(m_start.node);
    if (node == nullptr) return {};
    const QPointF start = node->portPosition(m_start.port, m_fromOutput);
    m_line->setPath(m_fromOutput ? linkPath(start, point) : linkPath(point, start));
    const auto target = targetAt(point);
    if (!target) return {};
    const bool allowed = target->allowed.has_value();
    m_marked = target->hit.node->view().id;
    target->hit.node->setTarget(target->hit.port, allowed);
    m_line->setPen(QPen(theme().color(allowed ? Role::Good : Role::Bad), 2, Qt::DashLine));
    return allowed ? QString() : words(target->allowed.error());
}

void LinkGesture::finish(const QPointF& point)
{
    const auto target = targetAt(point);
    PipelineDocument& document = m_scene.document();
    Change change;
    QString text;
    if (target && target->allowed && !target->link.to.node.empty()) {
        if (m_detached == target->link) return; // back where it was
        change = linking(m_scene.graph(), target->link, target->instead);
        if (m_detached && m_detached != target->instead) {
            // the dragged end leaves its old input in the same step
            change = {};
            const auto& links = m_scene.graph().links;
            for (std::size_t i = 0; i < links.size(); ++i)
                if (links[i] == *m_detached || (target->instead && links[i] == *target->instead))
                    change.removedLinks.push_back({i, links[i]});
            change.addedLinks.push_back({links.size() - change.removedLinks.size(), target->link});
        }
        text = CanvasScene::tr("Link");
    } else if (!target && m_detached) {
        change = removal(m_scene.graph(), {}, {*m_detached});
        text = CanvasScene::tr("Unlink");
    }
    if (change.empty()) return;
    change.scope = m_scene.scope();
    // a read-only file refuses; its notice says so already
    (void)document.change(std::move(change), text);
}

} // namespace millrace::ui
