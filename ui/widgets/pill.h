// A small rounded label: a shape, an alias, a count.
#pragma once

#include "ui/theme/theme.h"

#include <QWidget>

namespace millrace::ui {

class Pill : public QWidget
{
    Q_OBJECT

public:
    explicit Pill(const QString& text = {}, Role role = Role::Muted, QWidget* parent = nullptr);

    QString text() const { return m_text; }
    void setText(const QString& text);
    void setRole(Role role);
    QSize sizeHint() const override;
    QSize minimumSizeHint() const override { return sizeHint(); }

protected:
    void paintEvent(QPaintEvent* event) override;

private:
    QString m_text;
    Role m_role;
};

/// Draws a pill with the text around the centre, as it stands on links and in tables; returns where it stands.
QRectF paintPill(QPainter& painter, const QPointF& center, const QString& text, Role role = Role::Muted);

} // namespace millrace::ui
