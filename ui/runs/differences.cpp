#include "ui/runs/differences.h"

#include "ui/runs/run_words.h"
#include "ui/theme/theme.h"

#include <QPainter>
#include <QSet>
#include <algorithm>

namespace millrace::ui {

using namespace Qt::StringLiterals;

namespace {

constexpr int kHead = 26, kLine = 23, kTitleWidth = 150;

bool differ(const QStringList& values)
{
    return std::any_of(values.begin(), values.end(), [&](const QString& value) { return value != values.front(); });
}

} // namespace

std::vector<Difference> differencesOf(const std::vector<RunPtr>& runs)
{
    QSet<QString> parameterNames, metricNames;
    for (const RunPtr& run : runs) {
        for (const Parameter& parameter : run->parameters) parameterNames.insert(parameter.name);
        for (const Metric& metric : resultsOf(run->metrics)) {
            if (!metric.name.startsWith(u"train."_s)) metricNames.insert(metric.name);
        }
    }
    QHash<QString, int> titles; // how many parameters share a title
    for (const QString& name : parameterNames) ++titles[parameterTitle(name)];
    const auto sorted = [](const QSet<QString>& names) {
        QStringList list(names.begin(), names.end());
        list.sort();
        return list;
    };
    std::vector<Difference> rows;
    for (const QString& name : sorted(parameterNames)) {
        Difference row{parameterTitle(name), {}};
        if (titles[row.title] > 1) row.title = name.section(u'.', 0, -2) + u' ' + row.title;
        for (const RunPtr& run : runs) {
            const Parameter* parameter = run->parameter(name);
            row.values << (parameter ? parameter->text : u"—"_s);
        }
        if (differ(row.values)) rows.push_back(std::move(row));
    }
    for (const QString& name : sorted(metricNames)) {
        Difference row{metricTitle(name), {}};
        for (const RunPtr& run : runs) {
            const Metric* metric = run->metric(name);
            row.values << (metric ? metricText(metric->value) : u"—"_s);
        }
        if (differ(row.values)) rows.push_back(std::move(row));
    }
    return rows;
}

DifferencesView::DifferencesView(QWidget* parent) : QWidget(parent)
{
    setAccessibleName(tr("Only what differs"));
    setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
    connect(&theme(), &Theme::changed, this, qOverload<>(&QWidget::update));
}

void DifferencesView::setRuns(const std::vector<RunPtr>& runs, const QHash<QString, int>& chips)
{
    m_runs = runs;
    m_chips = chips;
    m_rows = differencesOf(runs);
    QStringList spoken;
    for (const Difference& row : m_rows) {
        QStringList values;
        for (qsizetype i = 0; i < row.values.size(); ++i)
            values << m_runs[static_cast<std::size_t>(i)]->name + u' ' + row.values[i];
        spoken << row.title + u": "_s + values.join(u", "_s);
    }
    setAccessibleDescription(spoken.join(u"; "_s));
    updateGeometry();
    update();
}

QSize DifferencesView::sizeHint() const
{
    return {600, kHead + kLine * std::max(1, static_cast<int>(m_rows.size()))};
}

void DifferencesView::paintEvent(QPaintEvent*)
{
    if (m_runs.empty()) return;
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    const double columnWidth = (width() - kTitleWidth) / static_cast<double>(m_runs.size());
    const auto write = [&](const QRectF& where, const QString& text, TextStyle style, Role role) {
        painter.setFont(theme().font(style));
        painter.setPen(theme().color(role));
        const QString shown =
            painter.fontMetrics().elidedText(text, Qt::ElideRight, static_cast<int>(where.width()) - 12);
        painter.drawText(where, Qt::AlignLeft | Qt::AlignVCenter | Qt::TextSingleLine, shown);
    };
    write({2, 0, kTitleWidth, kLine}, tr("Only what differs"), TextStyle::Caption, Role::Muted);
    for (std::size_t i = 0; i < m_runs.size(); ++i) {
        const double left = kTitleWidth + columnWidth * static_cast<double>(i);
        painter.setPen(Qt::NoPen);
        painter.setBrush(theme().run(m_chips.value(m_runs[i]->id)));
        painter.drawRoundedRect(QRectF(left, kLine / 2.0 - 4, 8, 8), 2, 2);
        write({left + 15, 0, columnWidth - 15, kLine}, m_runs[i]->name, TextStyle::Strong, Role::Text);
    }
    if (m_rows.empty()) {
        write({2, kHead, static_cast<double>(width()), kLine},
              tr("These runs have the same parameters and the same results."), TextStyle::Body, Role::Muted);
        return;
    }
    double top = kHead;
    for (const Difference& row : m_rows) {
        write({2, top, kTitleWidth, kLine}, row.title, TextStyle::Body, Role::Muted);
        for (std::size_t i = 0; i < m_runs.size(); ++i) {
            const double left = kTitleWidth + columnWidth * static_cast<double>(i);
            write({left, top, columnWidth, kLine}, row.values[static_cast<qsizetype>(i)], TextStyle::Number,
                  Role::Text);
        }
        top += kLine;
    }
}

} // namespace millrace::ui
