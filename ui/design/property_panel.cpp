#include "ui/design/property_panel.h"

#include "ui/design/property_graph.h"
#include "ui/design/property_node.h"

#include <QScrollArea>
#include <QVBoxLayout>

namespace millrace::ui {

PropertyPanel::PropertyPanel(PipelineDocument& document, QWidget* parent)
    : Surface(Role::Surface, Qt::LeftEdge, parent), m_document(document), m_scroll(new QScrollArea)
{
    setFixedWidth(measure::kPanelWidth);
    setAccessibleName(tr("Properties"));
    m_scroll->setWidgetResizable(true);
    m_scroll->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    m_scroll->setFrameShape(QFrame::NoFrame);
    m_scroll->setFocusPolicy(Qt::NoFocus);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->addWidget(m_scroll);
    connect(&document, &PipelineDocument::changed, this, &PropertyPanel::take);
    connect(&document, &PipelineDocument::checked, this, &PropertyPanel::refresh);
    connect(&document, &PipelineDocument::resetDone, this, [this] {
        m_scope.clear();
        m_nodes.clear();
        rebuild(subject());
    });
    rebuild(subject());
}

void PropertyPanel::showSelection(const Scope& scope, const std::vector<std::string>& nodes)
{
    m_scope = scope;
    m_nodes = nodes;
    refresh();
}

void PropertyPanel::focusParameter(const std::string& parameter)
{
    m_page->focusParameter(parameter);
}

PropertyPanel::Subject PropertyPanel::subject() const
{
    Subject now{m_scope, {}, m_document.isReadOnly()};
    const pipeline::Document* graph = m_document.graph(m_scope);
    if (!graph) return {{}, {}, now.readOnly};
    for (const std::string& id : m_nodes)
        if (const pipeline::Node* node = graph->find(id)) now.nodes.emplace_back(id, node->type);
    return now;
}

// Renamed nodes stay selected, and the model node whose layers are shown may be renamed too. The values follow when
// the document has been checked, which it is after every change but a move.
void PropertyPanel::take(const Change& change)
{
    for (const Change::Edit& edit : change.edits) {
        if (edit.before.id == edit.after.id) continue;
        if (change.scope.empty() && edit.before.id == m_scope) m_scope = edit.after.id;
        if (change.scope != m_scope) continue;
        for (std::string& id : m_nodes)
            if (id == edit.before.id) id = edit.after.id;
        for (auto& [id, type] : m_shown.nodes)
            if (id == edit.before.id) id = edit.after.id;
        m_page->follow(edit.before.id, edit.after.id);
    }
}

void PropertyPanel::refresh()
{
    if (Subject now = subject(); now != m_shown)
        rebuild(std::move(now));
    else
        m_page->refresh();
}

void PropertyPanel::rebuild(Subject now)
{
    PropertyPage* page = nullptr;
    if (now.nodes.empty()) {
        page = new GraphPage(m_document, now.scope);
    } else if (now.nodes.size() == 1) {
        auto* node = new NodePage(m_document, now.scope, now.nodes.front().first, m_moreOpen);
        connect(node, &NodePage::openLayersRequested, this, &PropertyPanel::openLayersRequested);
        connect(node, &NodePage::moreToggled, this, [this](bool open) { m_moreOpen = open; });
        page = node;
    } else {
        std::vector<std::string> ids;
        for (const auto& [id, type] : now.nodes) ids.push_back(id);
        page = new SeveralPage(m_document, now.scope, std::move(ids));
    }
    // Taking the old page away makes the field in it that has the focus commit what was typed, which comes back here
    // through the document; by then the new page is in place.
    m_shown = std::move(now);
    m_page = page;
    if (QWidget* old = m_scroll->takeWidget()) {
        old->hide();
        old->deleteLater(); // it may be the one whose signal led here
    }
    m_scroll->setWidget(page);
    page->show();
}

} // namespace millrace::ui
