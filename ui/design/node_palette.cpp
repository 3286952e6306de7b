#include "ui/design/node_palette.h"

#include "ui/design/palette_model.h"
#include "ui/design/palette_view.h"
#include "ui/theme/theme.h"
#include "ui/widgets/button.h"
#include "ui/widgets/label.h"

#include <QCoreApplication>
#include <QKeyEvent>
#include <QLineEdit>
#include <QVBoxLayout>

namespace millrace::ui {

NodePalette::NodePalette(PipelineDocument& document, QWidget* parent)
    : Surface(Role::Surface, Qt::RightEdge, parent), m_model(new PaletteModel(document.catalogue(), this)),
      m_search(new QLineEdit), m_view(new PaletteView), m_nothingFound(makeNothingFound())
{
    setFixedWidth(measure::kPaletteWidth);
    m_search->setPlaceholderText(tr("Search nodes…"));
    m_search->setAccessibleName(tr("Search nodes"));
    m_search->setToolTip(tr("Finds nodes by title, type and description. Enter adds the first one."));
    m_search->setClearButtonEnabled(true);
    m_search->installEventFilter(this);
    m_view->setModel(m_model);
    m_view->setAccessibleName(tr("Node types"));

    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 12, 0, 0);
    layout->setSpacing(12);
    auto* searchRow = new QHBoxLayout;
    searchRow->setContentsMargins(12, 0, 12, 0);
    searchRow->addWidget(m_search);
    layout->addLayout(searchRow);
    layout->addWidget(m_view, 1);
    layout->addWidget(m_nothingFound, 1);
    m_nothingFound->hide();

    connect(m_search, &QLineEdit::textChanged, this, &NodePalette::search);
    connect(m_search, &QLineEdit::returnPressed, this, [this] {
        if (m_view->currentIndex().isValid()) add(m_view->currentIndex());
    });
    connect(m_view, &PaletteView::chosen, this, &NodePalette::add);
    connect(m_view, &PaletteView::leftAtTop, m_search, [this] { m_search->setFocus(Qt::OtherFocusReason); });
    connect(m_view, &PaletteView::typed, m_search, [this](QKeyEvent* event) {
        m_search->setFocus(Qt::OtherFocusReason);
        QCoreApplication::sendEvent(m_search, event);
    });
}

QWidget* NodePalette::makeNothingFound()
{
    auto* page = new QWidget;
    auto* layout = new QVBoxLayout(page);
    layout->setContentsMargins(14, 8, 14, 14);
    layout->setSpacing(6);
    m_nothing = new Label({}, TextStyle::Strong);
    m_nothing->setWordWrap(true);
    auto* what = new Label(tr("The search looks at titles, types and descriptions."), TextStyle::Caption, Role::Muted);
    what->setWordWrap(true);
    auto* all = makeButton(tr("Show All Nodes"), ButtonKind::Link);
    all->setToolTip(tr("Empties the search (Esc)"));
    connect(all, &QPushButton::clicked, m_search, [this] {
        m_search->clear();
        m_search->setFocus(Qt::OtherFocusReason);
    });
    layout->addWidget(m_nothing);
    layout->addWidget(what);
    layout->addWidget(all, 0, Qt::AlignLeft);
    layout->addStretch();
    return page;
}

void NodePalette::setScope(const Scope& scope)
{
    m_model->setLayers(!scope.empty());
    search(m_search->text());
}

void NodePalette::search(const QString& query)
{
    m_model->setQuery(query);
    const bool found = m_model->rowCount() > 0;
    m_nothing->setText(tr("No node is called “%1”.").arg(query.trimmed()));
    m_view->setVisible(found);
    m_nothingFound->setVisible(!found);
    m_view->scrollToTop();
    // what Enter would add is seen; without a query nothing is about to be added
    if (found && !query.trimmed().isEmpty()) m_view->setCurrentIndex(m_model->index(m_model->firstType()));
}

void NodePalette::add(const QModelIndex& index)
{
    m_search->selectAll(); // the next search replaces this one
    emit addRequested(index.data(PaletteModel::TypeRole).toString());
}

bool NodePalette::eventFilter(QObject* watched, QEvent* event)
{
    if (watched != m_search || event->type() != QEvent::KeyPress) return Surface::eventFilter(watched, event);
    const int key = static_cast<QKeyEvent*>(event)->key();
    if (key == Qt::Key_Down && m_view->isVisible()) {
        m_view->setFocus(Qt::TabFocusReason);
        return true;
    }
    if (key == Qt::Key_Escape && !m_search->text().isEmpty()) {
        m_search->clear();
        return true;
    }
    return Surface::eventFilter(watched, event);
}

} // namespace millrace::ui
