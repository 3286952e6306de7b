#include "ui/design/property_graph.h"

#include "kernels/base/units.h"
#include "ui/design/param_editor_frame.h"
#include "ui/document/text.h"
#include "ui/widgets/label.h"

#include <QKeySequence>
#include <QLineEdit>
#include <QVBoxLayout>
#include <algorithm>

namespace millrace::ui {

namespace {

QString count(std::size_t number)
{
    return toQt(formatCount(static_cast<std::int64_t>(number)));
}

} // namespace

GraphPage::GraphPage(PipelineDocument& document, const Scope& scope, QWidget* parent)
    : PropertyPage(parent), m_document(document), m_scope(scope),
      m_help(new Label({}, TextStyle::Caption, Role::Muted)), m_size(new NoteList),
      m_factsSection(makeSection(tr("Before you run"))), m_facts(new NoteList),
      m_problemsSection(makeSection(tr("Problems"))), m_problems(new NoteList)
{
    QVBoxLayout* column = makePageLayout(this);
    auto* head = new QVBoxLayout;
    head->setSpacing(4);
    head->addWidget(
        new Label(scope.empty() ? tr("Pipeline") : tr("Layers of %1").arg(titleOf(scope)), TextStyle::Title));
    m_help->setWordWrap(true);
    head->addWidget(m_help);
    column->addLayout(head);
    if (scope.empty()) column->addWidget(makeName());
    column->addWidget(m_size);
    column->addWidget(m_factsSection);
    column->addWidget(m_facts);
    column->addWidget(m_problemsSection);
    column->addWidget(m_problems);
    column->addStretch();
    refresh();
}

QWidget* GraphPage::makeName()
{
    m_nameFrame = new FieldFrame(tr("Name"), {});
    m_name = new QLineEdit;
    m_name->setObjectName(QStringLiteral("pipeline_name"));
    m_name->setToolTip(tr("The pipeline's name, as runs and the window's title show it."));
    m_name->setReadOnly(m_document.isReadOnly());
    m_nameFrame->setField(m_name);
    wireLineEdit(m_name, nullptr, {});
    connect(m_name, &QLineEdit::textEdited, this, [this](const QString& text) {
        const Status status = m_document.setName(text);
        m_nameFrame->setProblem(status ? QString() : words(status.error()));
    });
    connect(m_name, &QLineEdit::editingFinished, &m_document, &PipelineDocument::endMerge);
    return m_nameFrame;
}

void GraphPage::refresh()
{
    const pipeline::Document* graph = m_document.graph(m_scope);
    if (!graph) return;
    if (m_name && m_name->text() != m_document.name()) m_name->setText(m_document.name());

    QString help;
    if (graph->readOnly)
        help = tr("This file was written by a newer version of Millrace. It can be looked at, not changed.");
    else if (graph->nodes.empty())
        help =
            tr("Nothing is drawn yet. Drag a node from the left onto the canvas, or search for one and press Enter.");
    else
        help = tr("Select a node to see and change its parameters.");
    m_help->setText(help);

    const QString noun = m_scope.empty() ? tr("Nodes") : tr("Layers");
    m_size->showFacts({{noun, count(graph->nodes.size())}, {tr("Links"), count(graph->links.size())}});

    std::vector<std::pair<QString, QString>> facts;
    const auto& known = m_document.report(m_scope).nodeFacts;
    for (const pipeline::Node& node : graph->nodes)
        if (const auto fact = known.find(node.id); fact != known.end() && !fact->second.empty())
            facts.emplace_back(titleOf(node.id), shown(fact->second));
    m_factsSection->setVisible(!facts.empty());
    m_facts->showFacts(facts);

    std::vector<std::pair<QString, ProblemLine>> problems;
    for (const ProblemLine& line : m_document.problems())
        if (m_scope.empty() || line.scope == m_scope)
            problems.emplace_back(titleOf(line.scope == m_scope ? line.node : str(line.scope, ", ", line.node)), line);
    m_problemsSection->setVisible(!problems.empty());
    m_problems->showProblems(problems);
}

SeveralPage::SeveralPage(PipelineDocument& document, const Scope& scope, std::vector<std::string> nodes,
                         QWidget* parent)
    : PropertyPage(parent), m_document(document), m_scope(scope), m_nodes(std::move(nodes)), m_list(new NoteList)
{
    QVBoxLayout* column = makePageLayout(this);
    column->addWidget(new Label(tr("%1 nodes selected").arg(m_nodes.size()), TextStyle::Title));
    column->addWidget(m_list);
    column->addWidget(makeSection(tr("What can be done")));
    const auto keys = [](QKeySequence::StandardKey key) {
        return QKeySequence(key).toString(QKeySequence::NativeText);
    };
    auto* actions = new NoteList;
    column->addWidget(actions);
    actions->showFacts({{tr("Move"), tr("drag one of them")},
                        {tr("Copy"), keys(QKeySequence::Copy)},
                        {tr("Cut"), keys(QKeySequence::Cut)},
                        {tr("Delete"), keys(QKeySequence::Delete)}});
    column->addStretch();
    refresh();
}

void SeveralPage::follow(const std::string& before, const std::string& after)
{
    std::replace(m_nodes.begin(), m_nodes.end(), before, after);
}

void SeveralPage::refresh()
{
    const pipeline::Document* graph = m_document.graph(m_scope);
    if (!graph) return;
    std::vector<std::pair<QString, QString>> rows;
    for (const std::string& id : m_nodes)
        if (const pipeline::Node* node = graph->find(id)) rows.emplace_back(titleOf(id), shown(node->type));
    m_list->showFacts(rows);
}

} // namespace millrace::ui
