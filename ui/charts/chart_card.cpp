#include "ui/charts/chart_card.h"

#include "ui/theme/theme.h"
#include "ui/widgets/button.h"
#include "ui/widgets/label.h"

#include <QLocale>
#include <QMenu>
#include <QPainter>
#include <QPushButton>
#include <QSlider>
#include <QVBoxLayout>
#include <QWidgetAction>

namespace millrace::ui {

ChartCard::ChartCard(const QString& title, Toggles toggles, QWidget* parent)
    : Card(title, parent), m_chart(new LineChart), m_legend(new ChartLegend(*m_chart))
{
    body()->setSpacing(4);
    body()->addWidget(m_legend);
    body()->addWidget(m_chart, 1);
    if (toggles == Toggles::SmoothingAndLog) makeToggles();
}

void ChartCard::setLegendVisible(bool visible)
{
    m_legend->setVisible(visible);
}

void ChartCard::makeToggles()
{
    const auto small = [this] {
        auto* button = makeButton({}, ButtonKind::Flat);
        button->setProperty("small", true);
        button->setProperty("muted", true);
        addAction(button);
        return button;
    };
    m_smoothing = small();
    m_smoothing->setToolTip(tr("Moving average over all points; the points themselves stay behind as a shade."));
    auto* menu = new QMenu(m_smoothing);
    auto* holder = new QWidget;
    auto* layout = new QVBoxLayout(holder);
    layout->setContentsMargins(12, 8, 12, 8);
    layout->addWidget(new Label(tr("Smoothing"), TextStyle::Caption, Role::Muted));
    m_slider = new QSlider(Qt::Horizontal);
    m_slider->setRange(0, 99);
    m_slider->setMinimumWidth(180);
    m_slider->setAccessibleName(tr("Smoothing"));
    layout->addWidget(m_slider);
    auto* action = new QWidgetAction(menu);
    action->setDefaultWidget(holder);
    menu->addAction(action);
    connect(menu, &QMenu::aboutToShow, m_slider, [this] { m_slider->setFocus(); });
    connect(m_smoothing, &QPushButton::clicked, this,
            [this, menu] { menu->popup(m_smoothing->mapToGlobal(QPoint(0, m_smoothing->height()))); });
    connect(m_slider, &QSlider::valueChanged, this, [this](int value) {
        m_chart->setSmoothing(value / 100.0);
        updateToggles();
    });
    m_log = small();
    m_log->setToolTip(tr("A logarithmic axis shows equal ratios as equal distances."));
    connect(m_log, &QPushButton::clicked, this, [this] {
        m_chart->setLogarithmic(!m_chart->isLogarithmic());
        updateToggles();
    });
    updateToggles();
}

void ChartCard::updateToggles()
{
    m_smoothing->setText(tr("smoothing %1").arg(QLocale().toString(m_chart->smoothing(), 'f', 2)));
    m_log->setText(m_chart->isLogarithmic() ? tr("log on") : tr("log off"));
}

ChartLegend::ChartLegend(LineChart& chart, QWidget* parent) : QWidget(parent), m_chart(chart)
{
    setFixedHeight(16);
    connect(&chart, &LineChart::readingsChanged, this, qOverload<>(&QWidget::update));
}

void ChartLegend::paintEvent(QPaintEvent*)
{
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    const QFont small = theme().font(TextStyle::Caption), strong = theme().font(TextStyle::CaptionStrong);
    int x = 0;
    for (const Reading& reading : m_chart.readings()) {
        painter.setPen(QPen(theme().run(reading.color), 2, Qt::SolidLine, Qt::RoundCap));
        painter.drawLine(x + 1, height() / 2, x + 11, height() / 2);
        x += 17;
        const auto write = [&](const QString& text, const QFont& font, Role role) {
            painter.setFont(font);
            painter.setPen(theme().color(role));
            painter.drawText(QRect(x, 0, width() - x, height()), Qt::AlignLeft | Qt::AlignVCenter, text);
            x += QFontMetrics(font).horizontalAdvance(text);
        };
        write(reading.name, small, Role::Muted);
        x += 6;
        write(m_chart.yText(reading.y), strong, Role::Text);
        x += 16;
        if (x > width()) return;
    }
}

} // namespace millrace::ui
