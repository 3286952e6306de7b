// The signs of states: a shape for each, so that no state is told by colour alone.
#pragma once

#include "ui/theme/theme.h"

#include <QWidget>

class QPainter;

namespace millrace::ui {

enum class Sign
{
    None,
    Waiting, ///< a small dot
    Cached,  ///< stacked sheets
    Running, ///< an open ring
    Done,    ///< a tick in a ring
    Failed,  ///< an exclamation in a ring
    Warning, ///< an exclamation in a triangle
    Stopped, ///< a square
    Skipped, ///< a dash
};

/// Draws the sign into the square. `turn` (0 to 1) is how far the ring of Running has gone round; `fraction` (0 to 1)
/// how much of the ring is closed, negative: a fixed part.
void paintSign(QPainter& painter, const QRectF& rect, Sign sign, double turn = 0, double fraction = -1);
/// The colour in which it is drawn.
Role signRole(Sign sign);

/// A sign as a widget of 14 by 14.
class SignLabel : public QWidget
{
    Q_OBJECT

public:
    explicit SignLabel(Sign sign = Sign::None, QWidget* parent = nullptr);
    void setSign(Sign sign);

protected:
    void paintEvent(QPaintEvent* event) override;

private:
    Sign m_sign;
};

} // namespace millrace::ui
