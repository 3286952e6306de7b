#include "ui/runs/run_charts.h"

#include "ui/charts/chart_card.h"
#include "ui/runs/run_words.h"
#include "ui/runs/series_feed.h"

#include <QGridLayout>
#include <algorithm>

namespace millrace::ui {

using namespace Qt::StringLiterals;

namespace {

constexpr int kChartHeight = 236;
constexpr int kTelemetryPoints = 2000;

int rankOf(const QString& title)
{
    const QStringList first = {u"loss"_s, u"accuracy"_s};
    const qsizetype at = first.indexOf(title);
    return static_cast<int>(at < 0 ? first.size() : at);
}

} // namespace

std::vector<ChartGroup> chartGroups(const QStringList& series)
{
    std::vector<ChartGroup> groups;
    for (const QString& name : series) {
        if (name.section(u'/', -1).startsWith(u"test."_s)) continue;
        const QString title = metricTitle(name.section(u'.', -1));
        auto group = std::find_if(groups.begin(), groups.end(), [&](const ChartGroup& g) { return g.title == title; });
        if (group == groups.end()) group = groups.insert(groups.end(), {title, {}});
        group->names << name;
    }
    for (ChartGroup& group : groups) group.names.sort();
    std::sort(groups.begin(), groups.end(), [](const ChartGroup& a, const ChartGroup& b) {
        const int left = rankOf(a.title), right = rankOf(b.title);
        return left != right ? left < right : a.title < b.title;
    });
    return groups;
}

RunCharts::RunCharts(Tracking& tracking, QObject* parent)
    : QObject(parent), m_tracking(tracking), m_main(new QWidget), m_others(new QWidget)
{
    for (QWidget* part : {m_main, m_others}) {
        auto* grid = new QGridLayout(part);
        grid->setContentsMargins(0, 0, 0, 0);
        grid->setSpacing(14);
        grid->setColumnStretch(0, 1);
        grid->setColumnStretch(1, 1);
    }
    m_groups = chartGroups({u"train.loss"_s, u"train.accuracy"_s});
    arrange();
}

RunCharts::~RunCharts() = default;

void RunCharts::setRun(const QString& run)
{
    m_feed = std::make_unique<SeriesFeed>(m_tracking, run);
    connect(m_feed.get(), &SeriesFeed::updated, this, &RunCharts::showCurves);
    showCurves();
}

void RunCharts::setSeries(const QStringList& series)
{
    auto groups = chartGroups(series);
    if (!groups.empty() && groups != m_groups) {
        m_groups = std::move(groups);
        arrange();
    }
    QStringList names;
    for (const ChartGroup& group : m_groups) names << group.names;
    m_feed->setNames(names);
}

void RunCharts::arrange()
{
    // cards are kept, so that a curve that joins does not make the others flicker
    while (m_cards.size() < m_groups.size()) {
        auto* card = new ChartCard({}, ChartCard::Toggles::SmoothingAndLog);
        card->setFixedHeight(kChartHeight);
        card->chart().setWholeX(true);
        const int place = static_cast<int>(m_cards.size());
        QWidget* part = place < 2 ? m_main : m_others;
        static_cast<QGridLayout*>(part->layout())->addWidget(card, place / 2, place % 2);
        m_cards.push_back(card);
        connect(&card->chart(), &LineChart::crosshairMoved, this, [this, card](std::optional<double> x) {
            const auto axis = [](const ChartCard& other) { return other.property("axis").toString(); };
            for (ChartCard* other : m_cards) {
                if (axis(*other) == axis(*card)) other->chart().setCrosshair(x);
            }
        });
    }
    m_others->setVisible(m_groups.size() > 2);
    for (std::size_t i = 0; i < m_cards.size(); ++i) {
        m_cards[i]->setVisible(i < m_groups.size());
        if (i >= m_groups.size()) continue;
        const QString axis = metricAxis(m_groups[i].names.front());
        QString title = m_groups[i].title;
        title[0] = title[0].toUpper();
        m_cards[i]->setTitle(title);
        m_cards[i]->setProperty("axis", axis);
        m_cards[i]->chart().setXLabel(axis);
    }
    showCurves();
}

void RunCharts::showCurves()
{
    for (std::size_t i = 0; i < m_groups.size(); ++i) {
        std::vector<Curve> curves;
        for (const QString& name : m_groups[i].names) {
            // "train" in a chart whose title says "loss"
            const QString part = name.contains(u'.') ? name.section(u'.', 0, -2) : name;
            const int color = part.endsWith(u"validation") ? 1
                              : part.endsWith(u"train")    ? 0
                                                           : 2 + static_cast<int>(curves.size());
            curves.push_back({part, color, m_feed ? m_feed->points(name) : Points{}});
        }
        m_cards[i]->chart().setCurves(std::move(curves));
    }
}

SystemCharts::SystemCharts(Tracking& tracking, QWidget* parent)
    : QWidget(parent), m_tracking(tracking), m_processor(new ChartCard(tr("Processor"), ChartCard::Toggles::None)),
      m_memory(new ChartCard(tr("Memory"), ChartCard::Toggles::None))
{
    m_layout = new QBoxLayout(QBoxLayout::LeftToRight, this);
    m_layout->setContentsMargins(0, 0, 0, 0);
    m_layout->setSpacing(14);
    m_processor->setCaption(tr("this run, 100 % is one core"));
    m_memory->setCaption(tr("this run"));
    for (ChartCard* card : {m_processor, m_memory}) {
        card->setMinimumHeight(150);
        card->setLegendVisible(false);
        card->chart().setXLabel(tr("seconds"));
        card->chart().setYFrom(0);
        card->chart().setXFrom(0);
        m_layout->addWidget(card, 1);
    }
    m_processor->chart().setYText([](double value) { return numberText(std::round(value)) + u" %"_s; });
    m_memory->chart().setYText(bytesText);
    connect(&tracking, &Tracking::telemetryAnswered, this,
            [this](RequestId request, const QString&, const Telemetry& telemetry) {
                if (m_awaited.accept(request)) show(telemetry);
            });
}

void SystemCharts::setStacked(bool stacked)
{
    m_layout->setDirection(stacked ? QBoxLayout::TopToBottom : QBoxLayout::LeftToRight);
}

void SystemCharts::setRun(const QString& run)
{
    m_run = run;
    m_awaited.expect(0);
    show(std::make_shared<TelemetryPoints>());
    refresh();
}

void SystemCharts::refresh()
{
    if (!m_awaited.isPending()) m_awaited.expect(m_tracking.requestTelemetry(m_run, kTelemetryPoints));
}

void SystemCharts::show(const Telemetry& telemetry)
{
    m_processor->chart().setCurves({{tr("processor"), 2, {telemetry->seconds, telemetry->cpuPercent}}});
    m_memory->chart().setCurves({{tr("memory"), 3, {telemetry->seconds, telemetry->memoryBytes}}});
}

} // namespace millrace::ui
