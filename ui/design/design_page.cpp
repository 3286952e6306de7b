#include "ui/design/design_page.h"

#include "engine/pipeline/model_builder.h"
#include "ui/design/add_popup.h"
#include "ui/design/canvas_scene.h"
#include "ui/design/canvas_view.h"
#include "ui/design/file_notices.h"
#include "ui/design/node_palette.h"
#include "ui/design/property_panel.h"
#include "ui/document/clipboard.h"
#include "ui/document/text.h"
#include "ui/theme/theme.h"
#include "ui/widgets/button.h"
#include "ui/widgets/empty_state.h"
#include "ui/widgets/label.h"
#include "ui/widgets/notice_bar.h"
#include "ui/widgets/page_header.h"

#include <QCheckBox>
#include <QClipboard>
#include <QFileDialog>
#include <QGuiApplication>
#include <QHBoxLayout>
#include <QInputDialog>
#include <QLineEdit>
#include <QMenu>
#include <QPushButton>
#include <QTimer>
#include <QVBoxLayout>
#include <thread>

namespace millrace::ui {

namespace {
const QString kFileFilter = QStringLiteral("*.millrace");
}

DesignPage::DesignPage(PipelineDocument& document, DocumentFiles& files, QWidget* parent)
    : QWidget(parent), m_document(document), m_files(files)
{
    m_header = new PageHeader(tr("Untitled"));
    m_notice = new NoticeBar;
    m_notice->QWidget::hide();
    m_conversion = new NoticeBar;
    m_conversion->QWidget::hide();
    m_recent = new QMenu(tr("Open Recent"), this);
    m_addPopup = new AddPopup(document, this);
    QWidget* body = makeBody();
    makeFileActions();
    makeEditActions();
    makeViewActions();
    makeRunActions();

    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(0);
    layout->addWidget(m_header);
    layout->addWidget(m_notice);
    layout->addWidget(m_conversion);
    layout->addWidget(body, 1);

    auto* notices = new FileNotices(files, *m_notice, this);
    connect(notices, &FileNotices::saveAsWanted, this, &DesignPage::chooseFileToSave);
    connect(&files, &DocumentFiles::saveAsWanted, this, &DesignPage::chooseFileToSave);
    connect(m_conversion, &NoticeBar::buttonClicked, this, [this] { openAsLayers(m_convertNode); });
    connect(&document, &PipelineDocument::titleChanged, this, &DesignPage::updateHeader);
    connect(&document, &PipelineDocument::checked, this, &DesignPage::updateActions);
    connect(&document, &PipelineDocument::resetDone, this, [this] {
        updateHeader();
        QTimer::singleShot(0, m_view, &CanvasView::fitToView); // when the page has its size
    });
    connectSelection();
    updateHeader();
}

QWidget* DesignPage::makeBody()
{
    m_palette = new NodePalette(m_document);
    m_scene = new CanvasScene(m_document, this);
    m_view = new CanvasView(*m_scene);
    m_properties = new PropertyPanel(m_document);
    m_empty =
        new EmptyState(QStringLiteral("design"), tr("An empty pipeline"),
                       tr("Drag a data set from the left, then what prepares it, a model and Train. Or double-click "
                          "here and type a name."),
                       QString(), m_view);
    m_empty->setAttribute(Qt::WA_TransparentForMouseEvents);
    auto* centre = new QVBoxLayout(m_view->viewport());
    centre->addWidget(m_empty, 0, Qt::AlignCenter);
    auto* body = new QWidget;
    auto* layout = new QHBoxLayout(body);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(0);
    layout->addWidget(m_palette);
    layout->addWidget(m_view, 1);
    layout->addWidget(m_properties);
    connect(m_palette, &NodePalette::addRequested, this, [this](const QString& type) {
        m_view->addNode(type, m_view->mapToScene(m_view->viewport()->rect().center()));
        m_view->setFocus();
    });
    connect(m_addPopup, &AddPopup::addRequested, this, [this](const QString& type) {
        m_view->addNode(type, m_view->mapToScene(m_view->mapFromGlobal(m_addPopup->pos())));
        m_view->setFocus();
    });
    connect(m_view, &CanvasView::addWanted, this,
            [this](const QPoint& place) { m_addPopup->open(m_scene->scope(), place); });
    connect(m_view, &CanvasView::nodeActivated, this, &DesignPage::openLayers);
    connect(m_properties, &PropertyPanel::openLayersRequested, this,
            [this](const QString& node) { openAsLayers(node.toStdString()); });
    m_view->setContextMenuPolicy(Qt::CustomContextMenu);
    connect(m_view, &QWidget::customContextMenuRequested, this, &DesignPage::showMenu);
    return body;
}

void DesignPage::connectSelection()
{
    const auto showSelection = [this] {
        m_properties->showSelection(m_scene->scope(), m_scene->selectedNodes());
        updateActions();
    };
    connect(m_scene, &QGraphicsScene::selectionChanged, this, showSelection);
    connect(m_scene, &CanvasScene::scopeChanged, this, [this, showSelection] {
        m_palette->setScope(m_scene->scope());
        m_conversion->QWidget::hide();
        updateHeader();
        showSelection();
        QTimer::singleShot(0, m_view, &CanvasView::fitToView);
    });
    connect(m_scene, &CanvasScene::contentChanged, this,
            [this] { m_empty->setVisible(m_scene->graph().nodes.empty()); });
    m_empty->setVisible(m_scene->graph().nodes.empty());
    showSelection();
}

QAction* DesignPage::add(const QString& text, const QKeySequence& shortcut, const QString& tip,
                         std::function<void()> slot)
{
    auto* action = new QAction(text, this);
    action->setShortcut(shortcut);
    action->setStatusTip(tip);
    action->setToolTip(tip);
    connect(action, &QAction::triggered, this, std::move(slot));
    addAction(action);
    m_commands << action;
    return action;
}

void DesignPage::makeFileActions()
{
    add(tr("New Pipeline"), QKeySequence::New, tr("Begin an empty pipeline"), [this] { m_files.newPipeline(); });
    add(tr("Open…"), QKeySequence::Open, tr("Open a pipeline file"), [this] { chooseFileToOpen(); });
    add(tr("Save"), QKeySequence::Save, tr("Save the pipeline"), [this] { m_files.save(); });
    add(tr("Save As…"), QKeySequence::SaveAs, tr("Save the pipeline to another file"), [this] { chooseFileToSave(); });
    connect(&m_files, &DocumentFiles::recentChanged, this, &DesignPage::fillRecentMenu);
    fillRecentMenu();

    m_back = makeButton(tr("Pipeline"), ButtonKind::Flat, QStringLiteral("chevron_left"));
    m_header->addLeading(m_back);
    auto* file = makeButton(tr("File"), ButtonKind::Secondary);
    file->setProperty("menu", true);
    auto* menu = new QMenu(file);
    menu->addActions(m_commands);
    menu->insertMenu(m_commands.value(2), m_recent);
    file->setMenu(menu);
    m_header->addAction(file);
}

void DesignPage::makeEditActions()
{
    m_undo = m_document.undoStack()->createUndoAction(this, tr("Undo"));
    m_undo->setShortcut(QKeySequence::Undo);
    m_redo = m_document.undoStack()->createRedoAction(this, tr("Redo"));
    m_redo->setShortcuts({QKeySequence(Qt::CTRL | Qt::SHIFT | Qt::Key_Z), QKeySequence(Qt::CTRL | Qt::Key_Y)});
    for (QAction* action : {m_undo, m_redo}) {
        addAction(action);
        m_commands << action;
    }
    // these act on the canvas alone, so that a text field keeps its own keys
    const auto onCanvas = [this](QAction* action) {
        removeAction(action);
        action->setShortcutContext(Qt::WidgetWithChildrenShortcut);
        m_view->addAction(action);
        m_forSelection << action;
    };
    m_openAsLayers = add(tr("Open as Layers"), QKeySequence(Qt::CTRL | Qt::SHIFT | Qt::Key_L),
                         tr("Open the selected model's layers; a model of one node becomes Layers, and Undo brings "
                            "it back"),
                         [this] { openAsLayers(m_scene->selectedNodes().at(0)); });
    onCanvas(m_openAsLayers);
    m_forSelection.removeLast(); // it needs more than a selection
    onCanvas(add(tr("Cut"), QKeySequence::Cut, tr("Cut the selected nodes"), [this] {
        copy();
        m_view->deleteSelection();
    }));
    onCanvas(add(tr("Copy"), QKeySequence::Copy, tr("Copy the selected nodes"), [this] { copy(); }));
    onCanvas(add(tr("Duplicate"), QKeySequence(Qt::CTRL | Qt::Key_D), tr("Duplicate the selected nodes"),
                 [this] { duplicate(); }));
    onCanvas(
        add(tr("Delete"), QKeySequence::Delete, tr("Delete what is selected"), [this] { m_view->deleteSelection(); }));
    onCanvas(add(tr("Rename…"), QKeySequence(Qt::Key_F2), tr("Rename the selected node"), [this] { rename(); }));
    onCanvas(add(tr("Link to…"), QKeySequence(Qt::Key_L), tr("Choose what the selected node is linked to"),
                 [this] { m_view->linkByMenu(); }));
    onCanvas(add(tr("Paste"), QKeySequence::Paste, tr("Paste nodes"), [this] { paste(); }));
    m_forSelection.removeLast(); // pasting needs no selection
    onCanvas(add(tr("Select All"), QKeySequence::SelectAll, tr("Select all nodes"), [this] { m_view->selectAll(); }));
    m_forSelection.removeLast();
}

void DesignPage::makeViewActions()
{
    add(tr("Add Node…"), QKeySequence(Qt::CTRL | Qt::Key_Space), tr("Search for a node and add it"), [this] {
        m_addPopup->open(m_scene->scope(), m_view->mapToGlobal(m_view->rect().center() - QPoint(120, 180)));
    });
    add(tr("Search Nodes"), QKeySequence(Qt::CTRL | Qt::Key_F), tr("Go to the list of nodes"), [this] {
        m_palette->searchField()->setFocus();
        m_palette->searchField()->selectAll();
    });
    add(tr("Fit to View"), QKeySequence(Qt::CTRL | Qt::Key_0), tr("Show the whole graph"),
        [this] { m_view->fitToView(); });
    add(tr("Zoom In"), QKeySequence::ZoomIn, tr("Zoom in"), [this] { m_view->zoomBy(1.25); });
    add(tr("Zoom Out"), QKeySequence::ZoomOut, tr("Zoom out"), [this] { m_view->zoomBy(0.8); });
    m_backAction = add(tr("Back to the Pipeline"), QKeySequence(Qt::ALT | Qt::Key_Left),
                       tr("Leave the layers and show the pipeline"), [this] { m_scene->setScope({}); });
    connect(m_back, &QPushButton::clicked, m_backAction, &QAction::trigger);
    m_back->setToolTip(toolTipWithShortcut(*m_backAction));
    add(tr("Look at the Data Again"), QKeySequence(Qt::Key_F5), tr("Read again what the data files hold"),
        [this] { m_document.refreshInspections(); });
}

void DesignPage::makeRunActions()
{
    const auto cores = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
    auto* target = new Label(cores == 1 ? tr("This Computer · 1 core") : tr("This Computer · %1 cores").arg(cores),
                             TextStyle::Body, Role::Muted);
    m_header->addAction(target);
    m_gpu = new QCheckBox(tr("GPU"));
    m_gpu->hide();
    m_header->addAction(m_gpu);
    m_stop =
        add(tr("Stop"), QKeySequence(Qt::CTRL | Qt::Key_Period), tr("Stop the run at its next step, with a checkpoint"),
            [this] { emit stopRequested(m_document.progress().run); });
    m_run = add(tr("Run"), QKeySequence(Qt::CTRL | Qt::Key_R), tr("Run the pipeline"), [this] { emit runRequested(); });
    m_stop->setEnabled(false);
    m_header->addAction(makeActionButton(m_stop, ButtonKind::Secondary));
    m_header->addAction(makeActionButton(m_run, ButtonKind::Primary, QStringLiteral("play")));
}

void DesignPage::offerGpu()
{
    QAction* action = add(tr("Compute on the GPU"), QKeySequence(Qt::CTRL | Qt::SHIFT | Qt::Key_G),
                          tr("Compute runs on the NVIDIA GPU of this computer"), [] {});
    action->setCheckable(true);
    connect(action, &QAction::toggled, m_gpu, &QCheckBox::setChecked);
    connect(m_gpu, &QCheckBox::toggled, action, &QAction::setChecked);
    m_gpu->setToolTip(toolTipWithShortcut(*action));
    m_gpu->show();
}

QString DesignPage::device() const
{
    return m_gpu->isChecked() ? QStringLiteral("cuda") : QStringLiteral("cpu");
}

void DesignPage::openLayers(const QString& id)
{
    if (!m_scene->scope().empty()) return;
    const pipeline::Node* node = m_document.pipeline().find(id.toStdString());
    if (node == nullptr || !m_document.drawsModel(*node)) return;
    if (m_document.graph(node->id) != nullptr) {
        m_scene->setScope(node->id);
        return;
    }
    m_convertNode = node->id;
    m_conversion->show(
        Sign::None,
        tr("%1 is a model of one node. Convert it to layers to see and edit them; Undo brings the node back.")
            .arg(titleOf(node->id)),
        {tr("Convert to Layers")});
}

void DesignPage::openAsLayers(const std::string& id)
{
    const pipeline::Node* node = m_scene->scope().empty() ? m_document.pipeline().find(id) : nullptr;
    if (node == nullptr || !m_document.drawsModel(*node)) return;
    if (m_document.graph(id) != nullptr) return m_scene->setScope(id);
    const pipeline::RowsSchema schema = m_document.schemaFor(id);
    if (schema.features.rank() == 0)
        return m_conversion->show(Sign::Warning,
                                  tr("Which layers %1 has depends on what it is trained on, and that is not known yet. "
                                     "Link it to a training node whose data can be read, then open it again.")
                                      .arg(titleOf(id)));
    const auto layers = pipeline::expandModel(*node, m_document.catalogue(), schema);
    if (!layers) return m_conversion->show(Sign::Failed, words(layers.error()));
    pipeline::Json params = pipeline::Json::object();
    params["layers"] = pipeline::layersToJson(*layers);
    Change change = replacement(m_document.pipeline(), id, "model.layers", std::move(params));
    if (m_document.change(std::move(change), tr("Convert to Layers"))) m_scene->setScope(id);
}

void DesignPage::showMenu(const QPoint& at)
{
    if (const auto* item = qgraphicsitem_cast<NodeItem*>(m_view->itemAt(at)); item && !item->isSelected())
        m_scene->select({item->view().id});
    auto* menu = new QMenu(this);
    menu->setAttribute(Qt::WA_DeleteOnClose);
    menu->setToolTipsVisible(true);
    menu->addActions(m_view->actions());
    menu->insertSeparator(menu->actions().value(1));
    menu->popup(m_view->viewport()->mapToGlobal(at));
}

void DesignPage::rename()
{
    const auto selected = m_scene->selectedNodes();
    if (selected.size() != 1) return;
    auto* dialog = new QInputDialog(this);
    dialog->setAttribute(Qt::WA_DeleteOnClose);
    dialog->setWindowTitle(tr("Rename"));
    dialog->setLabelText(tr("Name of the node"));
    dialog->setTextValue(toQt(selected[0]));
    const Scope scope = m_scene->scope();
    connect(dialog, &QInputDialog::textValueSelected, this, [this, scope, id = selected[0]](const QString& name) {
        const Status renamed = m_document.rename(scope, id, name.toStdString());
        if (renamed)
            m_scene->select({name.toStdString()});
        else
            m_notice->show(Sign::Failed, words(renamed.error()));
    });
    dialog->open();
}

void DesignPage::copy()
{
    const auto nodes = m_scene->selectedNodes();
    if (!nodes.empty()) QGuiApplication::clipboard()->setText(copied(m_scene->graph(), {nodes.begin(), nodes.end()}));
}

void DesignPage::paste()
{
    const QString text = QGuiApplication::clipboard()->text();
    const auto part = pasted(m_scene->graph(), text, m_view->placeForNew());
    if (!part) {
        m_notice->show(Sign::Warning, tr("The clipboard holds no nodes."));
        return;
    }
    Change change = addition(m_scene->graph(), part->nodes, part->links);
    change.scope = m_scene->scope();
    if (!m_document.change(std::move(change), tr("Paste"))) return;
    std::vector<std::string> ids;
    for (const pipeline::Node& node : part->nodes) ids.push_back(node.id);
    m_scene->select(ids);
}

void DesignPage::duplicate()
{
    const auto nodes = m_scene->selectedNodes();
    if (nodes.empty()) return;
    const NodeItem* first = m_scene->node(nodes.front());
    const auto part = pasted(m_scene->graph(), copied(m_scene->graph(), {nodes.begin(), nodes.end()}),
                             first->pos() + QPointF(30, 30));
    if (!part) return;
    Change change = addition(m_scene->graph(), part->nodes, part->links);
    change.scope = m_scene->scope();
    std::vector<std::string> ids;
    for (const pipeline::Node& node : part->nodes) ids.push_back(node.id);
    if (m_document.change(std::move(change), tr("Duplicate"))) m_scene->select(ids);
}

void DesignPage::chooseFileToOpen()
{
    auto* dialog =
        new QFileDialog(this, tr("Open a Pipeline"), m_document.baseDirectory(), tr("Pipelines (%1)").arg(kFileFilter));
    dialog->setAttribute(Qt::WA_DeleteOnClose);
    dialog->setFileMode(QFileDialog::ExistingFile);
    connect(dialog, &QFileDialog::fileSelected, this, [this](const QString& path) { m_files.open(path); });
    dialog->open();
}

void DesignPage::chooseFileToSave()
{
    auto* dialog = new QFileDialog(this, tr("Save the Pipeline"), m_document.baseDirectory(),
                                   tr("Pipelines (%1)").arg(kFileFilter));
    dialog->setAttribute(Qt::WA_DeleteOnClose);
    dialog->setAcceptMode(QFileDialog::AcceptSave);
    dialog->setDefaultSuffix(QStringLiteral("millrace"));
    dialog->selectFile(m_document.fileName());
    connect(dialog, &QFileDialog::fileSelected, this, [this](const QString& path) { m_files.saveAs(path); });
    dialog->open();
}

void DesignPage::fillRecentMenu()
{
    m_recent->clear();
    for (const QString& path : m_files.recentFiles())
        connect(m_recent->addAction(path), &QAction::triggered, this, [this, path] { m_files.open(path); });
    m_recent->setEnabled(!m_recent->isEmpty());
}

void DesignPage::showProblem(const ProblemLine& problem)
{
    if (problem.scope != m_scene->scope()) m_scene->setScope(problem.scope);
    if (problem.node.empty()) return;
    m_scene->select({problem.node});
    if (const NodeItem* item = m_scene->node(problem.node)) m_view->ensureVisible(item);
    if (!problem.parameter.empty()) m_properties->focusParameter(problem.parameter);
}

void DesignPage::showRunProgress(const RunProgress& progress)
{
    m_document.setProgress(progress);
    updateActions();
}

void DesignPage::updateHeader()
{
    const QString name = m_document.name().isEmpty() ? tr("Untitled") : m_document.name();
    const bool layers = !m_scene->scope().empty();
    m_header->setTitle(layers ? titleOf(m_scene->scope()) : name);
    m_back->setVisible(layers);
    m_back->setText(name);
    const QString state = m_document.isReadOnly()   ? tr("made by a newer Millrace, read-only")
                          : m_document.isModified() ? tr("unsaved changes")
                                                    : tr("saved");
    m_header->setSubtitle(m_document.filePath().isEmpty() ? tr("not saved yet")
                                                          : tr("%1 · %2").arg(m_document.fileName(), state));
    updateActions();
}

void DesignPage::updateActions()
{
    const bool any = !m_scene->selectedItems().isEmpty();
    for (QAction* action : std::as_const(m_forSelection)) action->setEnabled(any);
    const auto selected = m_scene->selectedNodes();
    const pipeline::Node* only =
        m_scene->scope().empty() && selected.size() == 1 ? m_document.pipeline().find(selected[0]) : nullptr;
    m_openAsLayers->setEnabled(only != nullptr && m_document.drawsModel(*only));
    m_backAction->setEnabled(!m_scene->scope().empty());
    const bool active = m_document.progress().active;
    m_run->setEnabled(m_document.canRun() && !m_document.pipeline().nodes.empty() && !active);
    m_stop->setEnabled(active);
}

} // namespace millrace::ui
