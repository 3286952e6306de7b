#include "ui/design/property_notes.h"

#include "ui/widgets/label.h"
#include "ui/widgets/sign.h"
#include "ui/widgets/surface.h"

#include <QVBoxLayout>
#include <algorithm>
#include <span>

namespace millrace::ui {

namespace {
constexpr std::size_t kShown = 30;
}

void PropertyPage::follow(const std::string&, const std::string&) {}

bool PropertyPage::focusParameter(const std::string&)
{
    return false;
}

NoteList::NoteList(QWidget* parent) : QWidget(parent), m_layout(new QVBoxLayout(this))
{
    m_layout->setContentsMargins(0, 0, 0, 0);
    m_layout->setSpacing(4);
    hide();
}

void NoteList::clear()
{
    while (QLayoutItem* item = m_layout->takeAt(0)) {
        delete item->widget();
        delete item;
    }
}

void NoteList::showRest()
{
    const int more = m_count - static_cast<int>(kShown);
    if (more > 0) m_layout->addWidget(new Label(tr("and %1 more").arg(more), TextStyle::Caption, Role::Muted));
}

void NoteList::showFacts(const std::vector<std::pair<QString, QString>>& facts, Role role)
{
    setVisible(!facts.empty());
    if (facts == m_facts) return;
    m_facts = facts;
    m_count = static_cast<int>(facts.size());
    clear();
    for (const auto& [what, value] : std::span(facts).first(std::min(facts.size(), kShown))) {
        auto* row = new QWidget;
        auto* layout = new QHBoxLayout(row);
        layout->setContentsMargins(0, 0, 0, 0);
        layout->setSpacing(8);
        auto* whatLabel = new Label(what, TextStyle::Caption, Role::Muted);
        auto* valueLabel = new Label(value, TextStyle::Caption, role);
        whatLabel->setElided(true);
        valueLabel->setElided(true);
        valueLabel->setAlignment(Qt::AlignRight | Qt::AlignVCenter);
        layout->addWidget(whatLabel, 2);
        layout->addWidget(valueLabel, 5);
        m_layout->addWidget(row);
    }
    showRest();
}

void NoteList::showProblems(const std::vector<std::pair<QString, ProblemLine>>& problems)
{
    setVisible(!problems.empty());
    if (problems == m_problems) return;
    m_problems = problems;
    m_count = static_cast<int>(problems.size());
    clear();
    for (const auto& [where, line] : std::span(problems).first(std::min(problems.size(), kShown))) {
        const bool warning = line.severity == pipeline::Severity::Warning;
        auto* row = new QWidget;
        auto* layout = new QHBoxLayout(row);
        layout->setContentsMargins(0, 0, 0, 0);
        layout->setSpacing(8);
        auto* text =
            new Label(where.isEmpty() ? line.text : QStringLiteral("%1: %2").arg(where, line.text), TextStyle::Caption);
        text->setWordWrap(true);
        text->setAccessibleName((warning ? tr("Warning: %1") : tr("Error: %1")).arg(text->text()));
        layout->addWidget(new SignLabel(warning ? Sign::Warning : Sign::Failed), 0, Qt::AlignTop);
        layout->addWidget(text, 1);
        m_layout->addWidget(row);
    }
    showRest();
}

QWidget* makeSection(const QString& heading)
{
    auto* section = new QWidget;
    auto* layout = new QVBoxLayout(section);
    layout->setContentsMargins(0, 8, 0, 0);
    layout->setSpacing(12);
    layout->addWidget(new Separator(Qt::Horizontal, Role::Hairline));
    layout->addWidget(new Label(heading, TextStyle::Strong));
    return section;
}

QVBoxLayout* makePageLayout(QWidget* page)
{
    auto* layout = new QVBoxLayout(page);
    layout->setContentsMargins(measure::kMargin, measure::kMargin, measure::kMargin, measure::kMargin);
    layout->setSpacing(10);
    return layout;
}

} // namespace millrace::ui
