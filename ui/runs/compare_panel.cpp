#include "ui/runs/compare_panel.h"

#include "ui/charts/chart_card.h"
#include "ui/runs/differences.h"
#include "ui/runs/run_words.h"
#include "ui/widgets/surface.h"

#include <QHBoxLayout>
#include <QSet>
#include <QVBoxLayout>
#include <algorithm>

namespace millrace::ui {

using namespace Qt::StringLiterals;

QStringList metricsToCompare(const std::vector<RunPtr>& runs)
{
    QStringList names;
    for (const RunPtr& run : runs) {
        for (const Metric& metric : run->metrics) {
            // what is measured once has no curve
            const bool once = metric.name.startsWith(u"test."_s);
            if (!once && !names.contains(metric.name)) names << metric.name;
        }
    }
    QStringList chosen;
    for (const auto& wanted : {QStringList{u"validation.loss"_s, u"train.loss"_s},
                               QStringList{u"validation.accuracy"_s, u"train.accuracy"_s}}) {
        const auto found =
            std::find_if(wanted.begin(), wanted.end(), [&](const QString& n) { return names.contains(n); });
        if (found != wanted.end()) chosen << *found;
    }
    for (const QString& fallback : {u"train.loss"_s, u"train.batch_loss"_s}) {
        if (chosen.size() < 2 && names.contains(fallback) && !chosen.contains(fallback)) chosen << fallback;
    }
    for (const QString& name : names) {
        if (chosen.size() < 2 && !chosen.contains(name)) chosen << name;
    }
    return chosen;
}

ComparePanel::ComparePanel(Tracking& tracking, QWidget* parent) : QScrollArea(parent), m_tracking(tracking)
{
    setWidgetResizable(true);
    setFrameShape(QFrame::NoFrame);
    setFocusPolicy(Qt::NoFocus);
    auto* content = new Surface(Role::Window);
    auto* layout = new QVBoxLayout(content);
    layout->setContentsMargins(16, 14, 16, 16);
    layout->setSpacing(14);
    auto* row = new QHBoxLayout;
    row->setSpacing(14);
    for (int i = 0; i < 2; ++i) {
        auto* card = new ChartCard(tr("Loss"), ChartCard::Toggles::SmoothingAndLog);
        card->setMinimumHeight(230);
        card->setLegendVisible(false);
        card->chart().setWholeX(true);
        row->addWidget(card, 1);
        m_charts.push_back(card);
    }
    for (ChartCard* card : m_charts) {
        connect(&card->chart(), &LineChart::crosshairMoved, this, [this](std::optional<double> x) {
            for (ChartCard* other : m_charts) other->chart().setCrosshair(x);
        });
    }
    layout->addLayout(row, 1);
    m_differencesCard = new Card;
    m_differences = new DifferencesView;
    m_differencesCard->body()->addWidget(m_differences);
    layout->addWidget(m_differencesCard);
    setWidget(content);
}

void ComparePanel::setRuns(const std::vector<RunPtr>& runs, const QHash<QString, int>& chips)
{
    m_runs = runs;
    m_chips = chips;
    m_metrics = metricsToCompare(runs);
    std::map<QString, std::unique_ptr<SeriesFeed>> feeds;
    for (const RunPtr& run : runs) {
        auto& feed = feeds[run->id];
        feed = std::move(m_feeds[run->id]);
        if (!feed) {
            feed = std::make_unique<SeriesFeed>(m_tracking, run->id);
            connect(feed.get(), &SeriesFeed::updated, this, &ComparePanel::showCurves);
        }
        feed->setNames(m_metrics);
    }
    m_feeds = std::move(feeds);
    m_differencesCard->setVisible(runs.size() > 1);
    m_differences->setRuns(runs, chips);
    for (std::size_t i = 0; i < m_charts.size(); ++i) {
        const bool used = static_cast<qsizetype>(i) < m_metrics.size();
        m_charts[i]->setVisible(used);
        if (!used) continue;
        const QString& name = m_metrics[static_cast<qsizetype>(i)];
        m_charts[i]->setTitle(metricTitle(name));
        m_charts[i]->chart().setXLabel(metricAxis(name));
    }
    showCurves();
}

void ComparePanel::showCurves()
{
    for (std::size_t i = 0; i < m_charts.size() && static_cast<qsizetype>(i) < m_metrics.size(); ++i) {
        std::vector<Curve> curves;
        for (const RunPtr& run : m_runs) {
            curves.push_back(
                {run->name, m_chips.value(run->id), m_feeds[run->id]->points(m_metrics[static_cast<qsizetype>(i)])});
        }
        m_charts[i]->chart().setCurves(std::move(curves));
    }
}

} // namespace millrace::ui
