#include "ui/design/property_node.h"

#include "ui/design/param_editor.h"
#include "ui/design/param_editor_value.h"
#include "ui/document/text.h"
#include "ui/theme/theme.h"
#include "ui/widgets/button.h"
#include "ui/widgets/label.h"

#include <QLineEdit>
#include <QVBoxLayout>
#include <algorithm>

namespace millrace::ui {

NodePage::NodePage(PipelineDocument& document, const Scope& scope, const std::string& id, bool moreOpen,
                   QWidget* parent)
    : PropertyPage(parent), m_document(document), m_scope(scope), m_node(id)
{
    const pipeline::Node* shownNode = node();
    m_spec = m_document.spec(*shownNode);
    makePageLayout(this);
    makeHead(*shownNode);
    if (m_spec) makeEditors(moreOpen);
    m_unknownSection = makeSection(tr("Kept, not used by this version"));
    m_unknown = new NoteList;
    layout()->addWidget(m_unknownSection);
    layout()->addWidget(m_unknown);
    static_cast<QVBoxLayout*>(layout())->addStretch();
    refresh();
}

const pipeline::Node* NodePage::node() const
{
    const pipeline::Document* graph = m_document.graph(m_scope);
    return graph ? graph->find(m_node) : nullptr;
}

void NodePage::makeHead(const pipeline::Node& shownNode)
{
    auto* title = new Label(m_spec ? toQt(m_spec->title) : tr("Unknown node"), TextStyle::Title);
    auto* type = new Label(shown(shownNode.type), TextStyle::Caption, Role::Faint);
    type->setElided(true);
    type->setAlignment(Qt::AlignRight | Qt::AlignVCenter);
    auto* line = new QHBoxLayout;
    line->setSpacing(8);
    line->addWidget(title);
    line->addWidget(type, 1);
    const QString unknown = tr("This version of Millrace does not know nodes of the type “%1”. The node is kept as it "
                               "is in the file, but the pipeline cannot run with it.");
    auto* help =
        new Label(m_spec ? toQt(m_spec->help) : unknown.arg(shown(shownNode.type)), TextStyle::Caption, Role::Muted);
    help->setWordWrap(true);
    auto* head = new QVBoxLayout;
    head->setSpacing(4);
    head->addLayout(line);
    head->addWidget(help);
    m_fact = new Label({}, TextStyle::Caption);
    m_fact->setWordWrap(true);
    head->addWidget(m_fact);
    m_problems = new NoteList;

    m_nameFrame = new FieldFrame(tr("Name"), {});
    m_name = new QLineEdit;
    m_name->setObjectName(QStringLiteral("node_name"));
    m_name->setToolTip(tr("The node's name in the file and on the command line: letters, digits, '_' and '-'."));
    m_name->setReadOnly(m_document.isReadOnly());
    m_nameFrame->setField(m_name);
    wireLineEdit(m_name, nullptr, [this] {
        m_name->setText(shown(m_node));
        m_name->setModified(false);
        m_nameFrame->setProblem({});
    });
    connect(m_name, &QLineEdit::editingFinished, this, &NodePage::rename);

    auto* column = static_cast<QVBoxLayout*>(layout());
    column->addLayout(head);
    column->addWidget(m_problems);
    column->addWidget(m_nameFrame);
}

void NodePage::makeEditors(bool moreOpen)
{
    const bool hasLayers = std::any_of(m_spec->params.begin(), m_spec->params.end(), [](const auto& param) {
        return param.kind == pipeline::ParamKind::Layers;
    });
    if (!hasLayers && m_scope.empty() && m_document.drawsModel(*node())) {
        auto* open = makeButton(tr("Open as Layers"), ButtonKind::Secondary, QStringLiteral("layers"));
        open->setObjectName(QStringLiteral("open_as_layers"));
        open->setToolTip(tr("Turns this node into Layers that can be seen and edited one by one; Undo brings it back"));
        open->setEnabled(!m_document.isReadOnly());
        connect(open, &QPushButton::clicked, this, [this] { emit openLayersRequested(toQt(m_node)); });
        static_cast<QVBoxLayout*>(layout())->addWidget(open, 0, Qt::AlignLeft);
    }
    std::vector<const pipeline::ParamSpec*> more;
    for (const pipeline::ParamSpec& spec : m_spec->params) {
        if (spec.advanced)
            more.push_back(&spec);
        else
            layout()->addWidget(makeEditor(spec));
    }
    if (!more.empty()) makeMore(more, moreOpen);
}

void NodePage::makeMore(const std::vector<const pipeline::ParamSpec*>& specs, bool open)
{
    m_moreButton = makeButton(tr("More"), ButtonKind::Flat);
    m_moreButton->setObjectName(QStringLiteral("more"));
    m_moreButton->setStyleSheet(QStringLiteral("padding: 0 6px 0 0;")); // the arrow stands where labels begin
    m_moreButton->setToolTip(tr("Parameters that are seldom changed"));
    static_cast<QVBoxLayout*>(layout())->addWidget(m_moreButton, 0, Qt::AlignLeft);
    m_more = new QWidget;
    auto* column = new QVBoxLayout(m_more);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(10);
    for (const pipeline::ParamSpec* spec : specs) column->addWidget(makeEditor(*spec));
    layout()->addWidget(m_more);
    connect(m_moreButton, &QPushButton::clicked, this, [this] {
        setMoreOpen(m_more->isHidden());
        emit moreToggled(!m_more->isHidden());
    });
    setMoreOpen(open);
}

ParamEditor* NodePage::makeEditor(const pipeline::ParamSpec& spec)
{
    auto* made = new ParamEditor(spec);
    made->setBaseDirectory(m_document.baseDirectory());
    made->setReadOnly(m_document.isReadOnly());
    connect(made, &ParamEditor::valueEdited, this, [this, &spec](const pipeline::Json& value) { set(spec, value); });
    connect(made, &ParamEditor::resetRequested, this, [this, &spec] { set(spec, std::nullopt); });
    connect(made, &ParamEditor::editingFinished, &m_document, &PipelineDocument::endMerge);
    connect(made, &ParamEditor::openLayersRequested, this, [this] { emit openLayersRequested(toQt(m_node)); });
    m_editors.push_back(made);
    return made;
}

void NodePage::setMoreOpen(bool open)
{
    if (!m_more) return;
    m_more->setVisible(open);
    m_moreButton->setIcon(icon(open ? QStringLiteral("chevron_down") : QStringLiteral("chevron_right"), Role::Muted));
    m_moreButton->setAccessibleDescription(open ? tr("Shown") : tr("Hidden"));
}

void NodePage::rename()
{
    if (!m_name->isModified()) return;
    const Status status = m_document.rename(m_scope, m_node, m_name->text().trimmed().toStdString());
    m_nameFrame->setProblem(status ? QString() : words(status.error()));
    if (!status) return;
    m_name->setText(shown(m_node));
    m_name->setModified(false);
}

void NodePage::set(const pipeline::ParamSpec& spec, const std::optional<pipeline::Json>& value)
{
    const pipeline::Document* graph = m_document.graph(m_scope);
    if (!graph) return;
    Change change = setting(*graph, m_node, spec.id, value);
    change.scope = m_scope;
    const QString name = QStringLiteral("%1/%2/%3").arg(toQt(m_scope), toQt(m_node), toQt(spec.id));
    const QString what = value ? tr("Set %1 of %2") : tr("Reset %1 of %2");
    const Status status = m_document.change(std::move(change), what.arg(toQt(spec.title), titleOf(m_node)), name);
    if (!status)
        if (ParamEditor* field = editor(spec.id)) field->showProblem(words(status.error()), false);
}

void NodePage::follow(const std::string& before, const std::string& after)
{
    if (m_node == before) m_node = after;
}

void NodePage::refresh()
{
    const pipeline::Node* shownNode = node();
    if (!shownNode) return;
    if (!m_name->isModified()) {
        m_name->setText(shown(m_node));
        m_nameFrame->setProblem({});
    }
    for (ParamEditor* field : m_editors) {
        const auto given = shownNode->params.find(field->spec().id);
        field->setBaseDirectory(m_document.baseDirectory());
        field->setDefault(pipeline::defaultOf(field->spec(), *shownNode, *m_spec));
        field->setVisible(given != shownNode->params.end() || pipeline::applies(field->spec(), *shownNode, *m_spec));
        field->showValue(given == shownNode->params.end() ? std::nullopt : std::optional<pipeline::Json>(*given));
    }
    const auto& facts = m_document.report(m_scope).nodeFacts;
    const auto fact = facts.find(m_node);
    m_fact->setText(fact == facts.end() ? QString() : shown(fact->second));
    m_fact->setVisible(!m_fact->text().isEmpty());
    refreshProblems();
    refreshUnknown(*shownNode);
}

void NodePage::refreshProblems()
{
    std::vector<std::pair<QString, ProblemLine>> elsewhere;
    std::map<ParamEditor*, ProblemLine> atField;
    for (const ProblemLine& line : m_document.problemsOf(m_scope, m_node)) {
        const bool own = line.scope == m_scope;
        ParamEditor* field = own ? editor(line.parameter) : nullptr;
        if (field)
            atField.emplace(field, line);
        else
            elsewhere.emplace_back(own ? QString() : titleOf(line.node), line);
    }
    for (ParamEditor* field : m_editors) {
        const auto found = atField.find(field);
        if (found == atField.end())
            field->showProblem({}, false);
        else
            field->showProblem(found->second.text, found->second.severity == pipeline::Severity::Warning);
        if (found != atField.end() && field->spec().advanced) setMoreOpen(true);
    }
    m_problems->showProblems(elsewhere);
}

void NodePage::refreshUnknown(const pipeline::Node& shownNode)
{
    std::vector<std::pair<QString, QString>> kept;
    for (const auto& [key, value] : shownNode.params.items())
        if (!m_spec || !m_spec->param(key)) kept.emplace_back(shown(key), shown(fieldText(value).toStdString()));
    m_unknownSection->setVisible(!kept.empty());
    m_unknown->showFacts(kept, Role::Muted);
}

ParamEditor* NodePage::editor(const std::string& parameter) const
{
    const auto found = std::find_if(m_editors.begin(), m_editors.end(),
                                    [&](const ParamEditor* field) { return field->spec().id == parameter; });
    return found == m_editors.end() ? nullptr : *found;
}

bool NodePage::focusParameter(const std::string& parameter)
{
    ParamEditor* field = editor(parameter);
    if (!field) return false;
    if (field->spec().advanced) setMoreOpen(true);
    field->setFocus(Qt::OtherFocusReason);
    if (auto* edit = qobject_cast<QLineEdit*>(field->focusProxy())) edit->selectAll();
    return true;
}

} // namespace millrace::ui
