// Icons are drawn from their SVG in the colour of the moment, so that one file serves light, dark and disabled.
#include "ui/theme/theme.h"

#include <QFile>
#include <QIconEngine>
#include <QPainter>
#include <QPixmapCache>
#include <QSvgRenderer>

namespace millrace::ui {

namespace {

class SvgIconEngine : public QIconEngine
{
public:
    SvgIconEngine(QString name, Role role) : m_name(std::move(name)), m_role(role) {}

    void paint(QPainter* painter, const QRect& rect, QIcon::Mode mode, QIcon::State state) override
    {
        const qreal ratio = painter->device() ? painter->device()->devicePixelRatioF() : 1;
        painter->drawPixmap(rect, draw(rect.size(), ratio, mode, state));
    }

    QPixmap pixmap(const QSize& size, QIcon::Mode mode, QIcon::State state) override
    {
        return draw(size, 1, mode, state);
    }

    QPixmap scaledPixmap(const QSize& size, QIcon::Mode mode, QIcon::State state, qreal scale) override
    {
        // Qt asks in device pixels: the size is already multiplied by the scale
        return draw(size / scale, scale, mode, state);
    }

    QIconEngine* clone() const override { return new SvgIconEngine(m_name, m_role); }
    QString key() const override { return QStringLiteral("millrace"); }

private:
    QPixmap draw(const QSize& size, qreal ratio, QIcon::Mode mode, QIcon::State state) const
    {
        const Role role = mode == QIcon::Disabled ? Role::Faint : state == QIcon::On ? Role::Accent : m_role;
        const QColor color = theme().color(role);
        const QString cacheName =
            QStringLiteral("millrace/%1/%2/%3x%4/%5")
                .arg(m_name, color.name(), QString::number(size.width()), QString::number(size.height()))
                .arg(ratio);
        QPixmap pixmap;
        if (QPixmapCache::find(cacheName, &pixmap)) return pixmap;
        QFile file(QStringLiteral(":/icons/%1.svg").arg(m_name));
        if (!file.open(QIODevice::ReadOnly)) return {};
        QByteArray svg = file.readAll();
        svg.replace("currentColor", color.name().toLatin1());
        QSvgRenderer renderer(svg);
        pixmap = QPixmap(size * ratio);
        pixmap.setDevicePixelRatio(ratio);
        pixmap.fill(Qt::transparent);
        QPainter painter(&pixmap);
        renderer.render(&painter, QRectF(QPointF(0, 0), QSizeF(size)));
        painter.end();
        QPixmapCache::insert(cacheName, pixmap);
        return pixmap;
    }

    QString m_name;
    Role m_role;
};

} // namespace

QIcon icon(const QString& name, Role role)
{
    return QIcon(new SvgIconEngine(name, role));
}

} // namespace millrace::ui
