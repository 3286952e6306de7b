// A label of plain text in one of the theme's styles and colours; can shorten itself with "…".
#pragma once

#include "ui/theme/theme.h"

#include <QLabel>

namespace millrace::ui {

class Label : public QLabel
{
    Q_OBJECT

public:
    explicit Label(const QString& text = {}, TextStyle style = TextStyle::Body, Role role = Role::Text,
                   QWidget* parent = nullptr);

    void setRole(Role role);
    /// Where the text is wider than the label, it ends in "…" and the tooltip has all of it.
    void setElided(bool elided);

    QSize minimumSizeHint() const override;

protected:
    void paintEvent(QPaintEvent* event) override;

private:
    void recolor();

    Role m_role;
    bool m_elided = false;
};

} // namespace millrace::ui
