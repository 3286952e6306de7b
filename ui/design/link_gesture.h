// Dragging a link: from a port, over the canvas, to a port that takes it; a wrong one is refused with its reason.
#pragma once

#include "ui/design/canvas_scene.h"

#include <QGraphicsPathItem>

namespace millrace::ui {

class LinkGesture
{
public:
    /// Begins at the port. At an input that has a link, that link's end is what is dragged.
    LinkGesture(CanvasScene& scene, const CanvasScene::PortHit& start);
    ~LinkGesture();
    LinkGesture(const LinkGesture&) = delete;
    LinkGesture& operator=(const LinkGesture&) = delete;

    /// The pointer is there now. Returns why it may not end here; empty where it may, or where there is no port.
    QString moveTo(const QPointF& point);
    /// Lets go there: makes the link, moves it, or takes the dragged end's link away.
    void finish(const QPointF& point);

private:
    struct Target
    {
        CanvasScene::PortHit hit;
        pipeline::Link link;
        std::optional<pipeline::Link> instead; ///< the link that stands in the input now
        Status allowed;
    };
    std::optional<Target> targetAt(const QPointF& point) const;
    void unmark();

    CanvasScene& m_scene;
    pipeline::Endpoint m_start;
    bool m_fromOutput = true;
    std::optional<pipeline::Link> m_detached; ///< the link whose end is dragged
    QGraphicsPathItem* m_line;
    std::string m_marked; ///< the node whose port is marked; by its id, for it may go while the pointer is held
};

/// Whether the link may be drawn, where the link that stands in its input now makes way.
Status canLinkInstead(const pipeline::Document& graph, const pipeline::Catalogue& catalogue, const pipeline::Link& link,
                      const std::optional<pipeline::Link>& instead);

} // namespace millrace::ui
