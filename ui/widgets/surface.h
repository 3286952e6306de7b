// A plain area in one of the theme's colours, with hairlines on the sides that ask for them.
#pragma once

#include "ui/theme/theme.h"

#include <QWidget>

namespace millrace::ui {

class Surface : public QWidget
{
    Q_OBJECT

public:
    explicit Surface(Role ground = Role::Surface, Qt::Edges lines = {}, QWidget* parent = nullptr);

protected:
    void paintEvent(QPaintEvent* event) override;

private:
    Role m_ground;
    Qt::Edges m_lines;
};

/// A line one pixel thick between two parts of a page.
class Separator : public QWidget
{
    Q_OBJECT

public:
    explicit Separator(Qt::Orientation orientation = Qt::Horizontal, Role role = Role::Line, QWidget* parent = nullptr);

protected:
    void paintEvent(QPaintEvent* event) override;

private:
    Role m_role;
};

} // namespace millrace::ui
