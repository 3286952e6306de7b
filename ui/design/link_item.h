// A link on the canvas: a curve in the colour of what flows, with its shape in a pill.
#pragma once

#include "engine/pipeline/document.h"

#include <QGraphicsPathItem>
#include <QString>

namespace millrace::ui {

/// The curve from an output to an input.
QPainterPath linkPath(const QPointF& from, const QPointF& to);

class LinkItem : public QGraphicsPathItem
{
public:
    enum
    {
        Type = UserType + 2
    };

    LinkItem(pipeline::Link link, QString flow);

    const pipeline::Link& link() const { return m_link; }
    void setEnds(const QPointF& from, const QPointF& to);
    /// `pill`: what stands on it, may be empty; `problem`: why it is marked, empty for none.
    void setTexts(const QString& pill, const QString& problem);

    int type() const override { return Type; }
    QRectF boundingRect() const override;
    QPainterPath shape() const override;
    void paint(QPainter* painter, const QStyleOptionGraphicsItem* option, QWidget* widget) override;

private:
    pipeline::Link m_link;
    QString m_flow, m_pill, m_problem;
};

} // namespace millrace::ui
