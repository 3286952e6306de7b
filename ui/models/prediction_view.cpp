#include "ui/models/prediction_view.h"

#include "ui/charts/axis_ticker.h"
#include "ui/theme/theme.h"

#include <QLocale>
#include <QPainter>
#include <algorithm>
#include <numeric>

namespace millrace::ui {

using namespace Qt::StringLiterals;

namespace {

constexpr std::size_t kMostBars = 12;
constexpr int kHead = 52, kBar = 24;

QString percent(double probability)
{
    return QLocale().toString(probability * 100, 'f', 1) + u" %"_s;
}

} // namespace

PredictionView::PredictionView(QWidget* parent) : QWidget(parent)
{
    setAccessibleName(tr("Answer"));
    connect(&theme(), &Theme::changed, this, qOverload<>(&QWidget::update));
}

void PredictionView::setTarget(const QString& target)
{
    m_target = target;
}

void PredictionView::clear(const QString& text)
{
    m_shown = false;
    m_hint = text;
    setAccessibleDescription(text);
    update();
}

void PredictionView::setPrediction(const Prediction& prediction)
{
    m_prediction = prediction;
    m_shown = true;
    const auto& shares = prediction.probabilities;
    m_rows.resize(shares.size());
    std::iota(m_rows.begin(), m_rows.end(), std::size_t{0});
    if (!shares.empty()) {
        m_best = static_cast<std::size_t>(std::max_element(shares.begin(), shares.end()) - shares.begin());
    }
    // few classes stand still in their own order; of many the likeliest are shown
    if (m_rows.size() > kMostBars) {
        std::sort(m_rows.begin(), m_rows.end(), [&](std::size_t a, std::size_t b) { return shares[a] > shares[b]; });
        m_rows.resize(kMostBars);
    }
    setAccessibleDescription(words());
    update();
}

QString PredictionView::words() const
{
    if (!m_shown) return m_hint;
    if (m_prediction.classes.isEmpty()) return numberText(m_prediction.value);
    return m_prediction.classes[static_cast<qsizetype>(m_best)] + u" · "_s +
           percent(m_prediction.probabilities[m_best]);
}

void PredictionView::paintBars(QPainter& painter, int top) const
{
    painter.setFont(theme().font(TextStyle::Body));
    int names = 16;
    for (const std::size_t row : m_rows) {
        names =
            std::max(names, painter.fontMetrics().horizontalAdvance(m_prediction.classes[static_cast<qsizetype>(row)]));
    }
    names = std::min(names + 2, width() / 3);
    const int value = painter.fontMetrics().horizontalAdvance(u"100.0 %"_s) + 4;
    const double room = width() - names - value - 24;
    for (const std::size_t row : m_rows) {
        const bool best = row == m_best;
        const double share = m_prediction.probabilities[row];
        painter.setFont(theme().font(best ? TextStyle::Strong : TextStyle::Body));
        painter.setPen(theme().color(best ? Role::Text : Role::Muted));
        painter.drawText(
            QRect(0, top, names, kBar), Qt::AlignLeft | Qt::AlignVCenter,
            painter.fontMetrics().elidedText(m_prediction.classes[static_cast<qsizetype>(row)], Qt::ElideRight, names));
        const QRectF track(names + 12, top + kBar / 2.0 - 4, room, 8);
        painter.setPen(Qt::NoPen);
        painter.setBrush(theme().color(Role::Hairline));
        painter.drawRoundedRect(track, 4, 4);
        if (share > 0.002) {
            painter.setBrush(theme().color(best ? Role::Accent : Role::Faint));
            painter.drawRoundedRect(QRectF(track.left(), track.top(), std::max(4.0, room * share), 8), 4, 4);
        }
        painter.setPen(theme().color(best ? Role::Text : Role::Muted));
        painter.drawText(QRect(width() - value, top, value, kBar), Qt::AlignRight | Qt::AlignVCenter, percent(share));
        top += kBar;
    }
}

void PredictionView::paintEvent(QPaintEvent*)
{
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    if (!m_shown) {
        painter.setPen(theme().color(Role::Muted));
        painter.drawText(rect(), Qt::AlignTop | Qt::AlignLeft | Qt::TextWordWrap, m_hint);
        return;
    }
    const bool classes = !m_prediction.classes.isEmpty();
    const QString answer =
        classes ? m_prediction.classes[static_cast<qsizetype>(m_best)] : numberText(m_prediction.value);
    QFont large = theme().font(TextStyle::Heading);
    large.setPixelSize(34);
    painter.setFont(large);
    painter.setPen(theme().color(Role::Text));
    const QString shown = painter.fontMetrics().elidedText(answer, Qt::ElideRight, width() - 110);
    painter.drawText(QRect(0, 0, width(), kHead - 8), Qt::AlignLeft | Qt::AlignVCenter, shown);
    const int after = painter.fontMetrics().horizontalAdvance(shown) + 14;
    painter.setFont(theme().font(TextStyle::Body));
    painter.setPen(theme().color(Role::Muted));
    painter.drawText(QRect(after, 0, width() - after, kHead - 2), Qt::AlignLeft | Qt::AlignVCenter,
                     classes ? tr("with %1").arg(percent(m_prediction.probabilities[m_best])) : m_target);
    if (classes) paintBars(painter, kHead);
}

} // namespace millrace::ui
