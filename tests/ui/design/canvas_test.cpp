// The page Design, driven by real mouse, key and drop events on a shown window: what a gesture does to the document,
// that it is one step, and that undo brings back the same bytes.
#include "ui/design/canvas_scene.h"
#include "ui/design/canvas_view.h"
#include "ui/design/design_page.h"
#include "ui/design/node_palette.h"
#include "ui/document/text.h"
#include "ui/theme/theme.h"
#include "ui/widgets/label.h"
#include "ui/widgets/notice_bar.h"

#include <QApplication>
#include <QClipboard>
#include <QDir>
#include <QDropEvent>
#include <QElapsedTimer>
#include <QGuiApplication>
#include <QLineEdit>
#include <QMenu>
#include <QMimeData>
#include <QMouseEvent>
#include <QPushButton>
#include <QSignalSpy>
#include <QTemporaryDir>
#include <QtTest>
#include <memory>

using namespace millrace;
using namespace millrace::ui;
using namespace Qt::StringLiterals;

namespace {

constexpr char kPipeline[] = R"({
  "format": "millrace/1",
  "name": "Digits quick start",
  "nodes": [
    {"id": "digits", "type": "data.builtin", "at": [0, 0], "params": {"name": "digits"}},
    {"id": "split", "type": "data.split", "at": [260, 0], "params": {"train": 0.8, "seed": 7}},
    {"id": "net", "type": "model.layers", "at": [260, 200]},
    {"id": "mlp", "type": "model.mlp", "at": [0, 360], "params": {"hidden": [32, 16]}},
    {"id": "fit", "type": "train.supervised", "at": [520, 60], "params": {"epochs": 15}},
    {"id": "test", "type": "evaluate.model", "at": [780, 60]}
  ],
  "links": [["digits.rows", "split.rows"], ["split.train", "fit.train"], ["split.test", "fit.validation"],
            ["net.model", "fit.model"], ["fit.model", "test.model"]]
})";

constexpr char kLanguagePipeline[] = R"({
  "format": "millrace/1",
  "name": "Shakespeare",
  "nodes": [
    {"id": "text", "type": "data.text", "at": [0, 0], "params": {"path": "shakespeare.txt"}},
    {"id": "gpt", "type": "model.gpt", "at": [0, 200], "params": {"size": "nano", "context": 32}},
    {"id": "fit", "type": "train.language", "at": [260, 60], "params": {"context": 32}},
    {"id": "alone", "type": "model.resnet", "at": [0, 400]},
    {"id": "register", "type": "model.register", "at": [520, 60], "params": {"name": "bard"}}
  ],
  "links": [["text.tokens", "fit.tokens"], ["gpt.model", "fit.model"], ["fit.model", "register.model"]]
})";

// The built-in digits and a text, known at once.
class KnownData : public Inspector
{
public:
    void requestInspect(quint64 request, const QString& node, const QString&) override
    {
        pipeline::RowsSchema schema;
        if (node.contains(u"data.text"_s)) {
            schema.features = {1};
            schema.rows = 1'115'394;
            schema.vocabulary = 65;
            schema.target = pipeline::TargetKind::NextToken;
            emit inspected(request, schema);
            return;
        }
        schema.features = {8, 8, 1};
        schema.rows = 1797;
        schema.image = true;
        schema.target = pipeline::TargetKind::Classes;
        for (char c = '0'; c <= '9'; ++c) schema.classes.push_back(std::string(1, c));
        emit inspected(request, schema);
    }
};

// With MILLRACE_PICTURES=folder, in both themes.
void picture(QWidget& widget, const QString& name)
{
    const QString folder = qEnvironmentVariable("MILLRACE_PICTURES");
    if (folder.isEmpty()) return;
    for (const auto mode : {Theme::Mode::Dark, Theme::Mode::Light}) {
        theme().setMode(mode);
        QTest::qWait(50);
        const QString suffix = mode == Theme::Mode::Dark ? u"dark"_s : u"light"_s;
        widget.grab().save(QDir(folder).filePath(u"%1-%2.png"_s.arg(name, suffix)));
    }
}

struct Fixture
{
    explicit Fixture(const std::string& text = kPipeline)
        : document(catalogue, &data), files(document, home.path()), page(document, files)
    {
        page.resize(1280, 800);
        page.show();
        QVERIFY(QTest::qWaitForWindowActive(&page));
        document.reset(*pipeline::parseDocument(text), home.filePath(u"open.millrace"_s));
        QTest::qWait(1); // the page fits its view when it has its size
        QCoreApplication::processEvents();
        view.setFocus();
        opened = document.text();
    }

    QPoint at(const QPointF& scenePoint) const { return view.mapFromScene(scenePoint); }
    QPoint port(const char* node, const char* id, bool output) const
    {
        return at(scene.node(node)->portPosition(id, output));
    }
    QPoint head(const char* node) const { return at(scene.node(node)->pos() + QPointF(100, 20)); }
    bool linked(const char* from, const char* fromPort, const char* to, const char* toPort) const
    {
        const pipeline::Link* link = document.pipeline().linkInto(to, toPort);
        return link != nullptr && link->from == pipeline::Endpoint{from, fromPort};
    }
    void undo() { QTest::keyClick(&view, Qt::Key_Z, Qt::ControlModifier); }
    QAction* command(const QString& text) const
    {
        for (QAction* action : page.commands())
            if (action->text() == text) return action;
        return nullptr;
    }

    void mouse(QEvent::Type type, const QPoint& point, Qt::MouseButton button = Qt::LeftButton) const
    {
        QWidget* target = view.viewport();
        const bool moves = type == QEvent::MouseMove, lets = type == QEvent::MouseButtonRelease;
        QMouseEvent event(type, point, target->mapToGlobal(point), moves ? Qt::NoButton : button,
                          lets ? Qt::NoButton : button, Qt::NoModifier);
        QCoreApplication::sendEvent(target, &event);
    }
    void hold(const QPoint& from, const QPoint& to, Qt::MouseButton button = Qt::LeftButton) const
    {
        mouse(QEvent::MouseButtonPress, from, button);
        for (int part = 1; part <= 8; ++part) mouse(QEvent::MouseMove, from + (to - from) * part / 8, button);
    }
    void drag(const QPoint& from, const QPoint& to, Qt::MouseButton button = Qt::LeftButton) const
    {
        hold(from, to, button);
        mouse(QEvent::MouseButtonRelease, to, button);
    }
    bool drop(const QString& mime, const QByteArray& bytes, const QPoint& point) const
    {
        QMimeData carried;
        carried.setData(mime, bytes);
        QDragEnterEvent enter(point, Qt::CopyAction, &carried, Qt::LeftButton, Qt::NoModifier);
        QCoreApplication::sendEvent(view.viewport(), &enter);
        if (!enter.isAccepted()) return false;
        QDragMoveEvent move(point, Qt::CopyAction, &carried, Qt::LeftButton, Qt::NoModifier);
        QCoreApplication::sendEvent(view.viewport(), &move);
        QDropEvent drop(point, Qt::CopyAction, &carried, Qt::LeftButton, Qt::NoModifier);
        QCoreApplication::sendEvent(view.viewport(), &drop);
        return drop.isAccepted();
    }
    // What stands at the pointer while a link is dragged.
    QString reason() const
    {
        for (const Label* label : view.findChildren<Label*>(QString(), Qt::FindDirectChildrenOnly))
            if (label->isVisible()) return label->text();
        return {};
    }
    NoticeBar* notice() const
    {
        for (NoticeBar* bar : page.findChildren<NoticeBar*>())
            if (!bar->isHidden()) return bar;
        return nullptr;
    }

    QTemporaryDir home;
    pipeline::Catalogue catalogue = pipeline::Catalogue::create();
    KnownData data;
    PipelineDocument document;
    DocumentFiles files;
    DesignPage page;
    CanvasScene& scene = page.scene();
    CanvasView& view = page.view();
    std::string opened; ///< the text before any gesture
};

} // namespace

class CanvasTest : public QObject
{
    Q_OBJECT

private slots:
    void initTestCase() { theme().apply(); }

    void droppedTypeBecomesANode();
    void otherThingsAreNotDropped();
    void doubleClickSearchesAndAdds();

    void dragLinks();
    void dragBackwardsLinks();
    void wrongTypeIsRefusedWithItsReason();
    void linkIsDraggedOff();
    void linkMovesToAnotherInput();
    void linkTakesTheOthersPlace();
    void undoWhileDraggingIsSafe();

    void dragMovesInOneStep();
    void heldArrowsAreOneStep();
    void deleteTakesTheLinksAlong();
    void selectedLinkIsDeleted();
    void copyAndPaste();
    void duplicateKeepsInnerLinks();
    void selectAllAndRubberBand();
    void tabWalks();

    void enterOpensLayersAndBack();
    void layersAreEdited();
    void modelBecomesLayersAndUndoLeavesThem();
    void opensAsLayers_data();
    void opensAsLayers();
    void layersOfWhatIsNotTrainedAreNotKnown();
    void zoomAndFit();
    void newerFileRefuses();
    void problemForbidsTheRun();
    void theGpuIsChosenWhereItIsOffered();
    void problemLeadsToItsLayer();
    void keysOfTheCanvasStayThere();
    void largePipelinesPan();
};

void CanvasTest::droppedTypeBecomesANode()
{
    Fixture f;
    QSignalSpy changed(&f.document, &PipelineDocument::changed);
    const QPoint place = f.at({400, 420});
    QVERIFY(f.drop(u"application/x-millrace-node-type"_s, "data.standardize", place));
    QCOMPARE(changed.count(), 1);
    const pipeline::Node& added = f.document.pipeline().nodes.back();
    QCOMPARE(added.type, std::string("data.standardize"));
    QCOMPARE(added.id, std::string("standardize"));
    QVERIFY(f.scene.node("standardize")->sceneBoundingRect().contains(f.view.mapToScene(place)));
    QCOMPARE(f.scene.selectedNodes(), std::vector<std::string>{"standardize"});
    QVERIFY(f.view.hasFocus());
    f.undo();
    QCOMPARE(f.document.text(), f.opened);
    QVERIFY(f.scene.node("standardize") == nullptr);
}

void CanvasTest::otherThingsAreNotDropped()
{
    Fixture f;
    QVERIFY(!f.drop(u"text/plain"_s, "data.csv", f.at({400, 420})));
    QCOMPARE(f.document.text(), f.opened);
}

void CanvasTest::doubleClickSearchesAndAdds()
{
    Fixture f;
    QSignalSpy wanted(&f.view, &CanvasView::addWanted);
    const QPoint place = f.at({520, 420});
    f.mouse(QEvent::MouseButtonDblClick, place);
    QCOMPARE(wanted.count(), 1);
    QCOMPARE(wanted[0][0].toPoint(), f.view.viewport()->mapToGlobal(place));
    auto* popup = QApplication::activePopupWidget();
    QVERIFY(popup != nullptr);
    auto* field = popup->findChild<NodePalette*>()->searchField();
    QTest::keyClicks(field, u"csv"_s);
    QTest::keyClick(field, Qt::Key_Return);
    QVERIFY(QApplication::activePopupWidget() == nullptr);
    QCOMPARE(f.document.pipeline().nodes.back().type, std::string("data.csv"));
    QCOMPARE(f.scene.selectedNodes(), std::vector<std::string>{"csv"});
}

void CanvasTest::dragLinks()
{
    Fixture f;
    QSignalSpy changed(&f.document, &PipelineDocument::changed);
    f.drag(f.port("split", "test", true), f.port("test", "rows", false));
    QCOMPARE(changed.count(), 1);
    QCOMPARE(f.document.undoStack()->count(), 1);
    QVERIFY(f.linked("split", "test", "test", "rows"));
    f.undo();
    QCOMPARE(f.document.text(), f.opened);
}

void CanvasTest::dragBackwardsLinks()
{
    Fixture f;
    f.drag(f.port("test", "rows", false), f.port("split", "test", true));
    QVERIFY(f.linked("split", "test", "test", "rows"));
    QCOMPARE(f.document.undoStack()->count(), 1);
}

void CanvasTest::wrongTypeIsRefusedWithItsReason()
{
    Fixture f;
    QSignalSpy changed(&f.document, &PipelineDocument::changed);
    const QPoint target = f.port("test", "rows", false);
    f.hold(f.port("net", "model", true), target);
    QVERIFY2(f.reason().contains(u"rows"_s) && f.reason().contains(u"model"_s), qPrintable(f.reason()));
    f.mouse(QEvent::MouseButtonRelease, target);
    QCOMPARE(f.reason(), QString());
    // a circle
    const QPoint circle = f.port("fit", "model", false);
    f.hold(f.port("fit", "model", true), circle);
    QVERIFY(!f.reason().isEmpty());
    f.mouse(QEvent::MouseButtonRelease, circle);
    // two outputs
    const QPoint output = f.port("digits", "rows", true);
    f.hold(f.port("split", "train", true), output);
    QVERIFY(f.reason().contains(u"input"_s));
    f.mouse(QEvent::MouseButtonRelease, output);
    QCOMPARE(changed.count(), 0);
    QCOMPARE(f.document.text(), f.opened);
}

void CanvasTest::linkIsDraggedOff()
{
    Fixture f;
    QSignalSpy changed(&f.document, &PipelineDocument::changed);
    f.drag(f.port("fit", "model", false), f.at({420, 420}));
    QCOMPARE(changed.count(), 1);
    QVERIFY(f.document.pipeline().linkInto("fit", "model") == nullptr);
    f.undo();
    QCOMPARE(f.document.text(), f.opened); // in its old place among the links
    f.drag(f.port("fit", "model", false), f.port("fit", "model", false) + QPoint(2, 2)); // let go where it was
    QCOMPARE(f.document.text(), f.opened);
}

void CanvasTest::linkMovesToAnotherInput()
{
    Fixture f;
    f.drag(f.port("fit", "validation", false), f.port("test", "rows", false));
    QVERIFY(f.linked("split", "test", "test", "rows"));
    QVERIFY(f.document.pipeline().linkInto("fit", "validation") == nullptr);
    QCOMPARE(f.document.undoStack()->count(), 1);
    f.undo();
    QCOMPARE(f.document.text(), f.opened);
    // onto an input that has a link already: both make way in one step
    f.drag(f.port("fit", "validation", false), f.port("fit", "train", false));
    QVERIFY(f.linked("split", "test", "fit", "train"));
    QCOMPARE(f.document.pipeline().links.size(), std::size_t(4));
    f.undo();
    QCOMPARE(f.document.text(), f.opened);
}

void CanvasTest::linkTakesTheOthersPlace()
{
    Fixture f;
    f.drag(f.port("mlp", "model", true), f.port("fit", "model", false));
    QVERIFY(f.linked("mlp", "model", "fit", "model"));
    QCOMPARE(f.document.pipeline().links.size(), std::size_t(5));
    QCOMPARE(f.document.undoStack()->count(), 1);
    f.undo();
    QCOMPARE(f.document.text(), f.opened);
}

void CanvasTest::undoWhileDraggingIsSafe()
{
    Fixture f;
    f.view.addNode(u"evaluate.model"_s, QPointF(900, 420));
    const QPoint target = f.port("model", "rows", false);
    f.hold(f.port("split", "test", true), target);
    f.undo(); // the node under the pointer goes
    f.mouse(QEvent::MouseMove, target + QPoint(3, 0));
    f.mouse(QEvent::MouseButtonRelease, target);
    QCOMPARE(f.document.text(), f.opened);
    f.hold(f.port("split", "test", true), f.port("test", "rows", false));
    f.document.reset({}, {});
    f.mouse(QEvent::MouseButtonRelease, target);
    QVERIFY(f.document.pipeline().links.empty());
}

void CanvasTest::dragMovesInOneStep()
{
    Fixture f;
    QSignalSpy changed(&f.document, &PipelineDocument::changed);
    const QPointF before = f.scene.node("mlp")->pos();
    f.drag(f.head("mlp"), f.head("mlp") + QPoint(60, 40));
    QCOMPARE(changed.count(), 1);
    const pipeline::Node* moved = f.document.pipeline().find("mlp");
    QVERIFY(moved->x > before.x() + 20 && moved->y > before.y() + 10);
    QCOMPARE(std::fmod(moved->x, 10), 0.0); // on the grid, so that files stay tidy
    QCOMPARE(f.scene.node("mlp")->pos(), QPointF(moved->x, moved->y));
    f.undo();
    QCOMPARE(f.document.text(), f.opened);
    QCOMPARE(f.scene.node("mlp")->pos(), before);
    // several at once
    f.scene.select({"digits", "split"});
    f.drag(f.head("split"), f.head("split") + QPoint(0, -30));
    QCOMPARE(f.document.undoStack()->count(), 1);
    QVERIFY(f.document.pipeline().find("digits")->y < 0);
    f.undo();
    QCOMPARE(f.document.text(), f.opened);
    // a click moves nothing
    f.drag(f.head("split"), f.head("split"));
    QCOMPARE(f.document.text(), f.opened);
}

void CanvasTest::heldArrowsAreOneStep()
{
    Fixture f;
    f.scene.select({"digits"});
    for (int i = 0; i < 3; ++i) QTest::keyPress(&f.view, Qt::Key_Right);
    QTest::keyRelease(&f.view, Qt::Key_Right);
    QTest::keyClick(&f.view, Qt::Key_Down, Qt::ShiftModifier);
    QCOMPARE(f.document.pipeline().find("digits")->x, 30.0);
    QCOMPARE(f.document.pipeline().find("digits")->y, 50.0);
    QCOMPARE(f.document.undoStack()->count(), 2); // a key held is one step, the next key another
    f.undo();
    QCOMPARE(f.document.pipeline().find("digits")->x, 30.0);
    f.undo();
    QCOMPARE(f.document.text(), f.opened);
}

void CanvasTest::deleteTakesTheLinksAlong()
{
    Fixture f;
    f.scene.select({"split"});
    QTest::keyClick(&f.view, Qt::Key_Delete);
    QVERIFY(f.document.pipeline().find("split") == nullptr);
    QCOMPARE(f.document.pipeline().links.size(), std::size_t(2));
    QCOMPARE(f.document.undoStack()->count(), 1);
    QVERIFY(!f.page.runAction()->isEnabled());
    f.undo();
    QCOMPARE(f.document.text(), f.opened);
    QTest::keyClick(&f.view, Qt::Key_Z, Qt::ControlModifier | Qt::ShiftModifier);
    QVERIFY(f.document.pipeline().find("split") == nullptr);
    f.undo();
    QCOMPARE(f.document.text(), f.opened);
}

void CanvasTest::selectedLinkIsDeleted()
{
    Fixture f;
    const QPointF middle =
        (f.scene.node("digits")->portPosition("rows", true) + f.scene.node("split")->portPosition("rows", false)) / 2;
    f.drag(f.at(middle), f.at(middle));
    QCOMPARE(f.scene.selectedLinks().size(), std::size_t(1));
    QTest::keyClick(&f.view, Qt::Key_Delete);
    QVERIFY(f.document.pipeline().linkInto("split", "rows") == nullptr);
    QCOMPARE(f.document.pipeline().nodes.size(), std::size_t(6));
    f.undo();
    QCOMPARE(f.document.text(), f.opened);
}

void CanvasTest::copyAndPaste()
{
    Fixture f;
    f.scene.select({"digits", "split"});
    QTest::keyClick(&f.view, Qt::Key_C, Qt::ControlModifier);
    QTest::keyClick(&f.view, Qt::Key_V, Qt::ControlModifier);
    QCOMPARE(f.scene.selectedNodes(), (std::vector<std::string>{"digits_2", "split_2"}));
    QVERIFY(f.linked("digits_2", "rows", "split_2", "rows"));
    QCOMPARE(f.document.pipeline().links.size(), std::size_t(6));
    for (const pipeline::Node& node : f.document.pipeline().nodes) QCOMPARE(std::fmod(node.x, 10), 0.0);
    f.undo();
    QCOMPARE(f.document.text(), f.opened);
    // cut and paste are two steps
    f.scene.select({"net"});
    QTest::keyClick(&f.view, Qt::Key_X, Qt::ControlModifier);
    QVERIFY(f.document.pipeline().find("net") == nullptr);
    QTest::keyClick(&f.view, Qt::Key_V, Qt::ControlModifier);
    QVERIFY(f.document.pipeline().find("net") != nullptr);
    f.undo();
    f.undo();
    QCOMPARE(f.document.text(), f.opened);
    QGuiApplication::clipboard()->setText(u"not a pipeline"_s);
    QTest::keyClick(&f.view, Qt::Key_V, Qt::ControlModifier);
    QCOMPARE(f.document.text(), f.opened);
    QVERIFY(f.notice() != nullptr);
}

void CanvasTest::duplicateKeepsInnerLinks()
{
    Fixture f;
    f.scene.select({"fit", "test"});
    QTest::keyClick(&f.view, Qt::Key_D, Qt::ControlModifier);
    QVERIFY(f.linked("fit_2", "model", "test_2", "model"));
    QVERIFY(f.document.pipeline().linkInto("fit_2", "train") == nullptr);
    QCOMPARE(f.scene.selectedNodes(), (std::vector<std::string>{"fit_2", "test_2"}));
    f.undo();
    QCOMPARE(f.document.text(), f.opened);
}

void CanvasTest::selectAllAndRubberBand()
{
    Fixture f;
    QTest::keyClick(&f.view, Qt::Key_A, Qt::ControlModifier);
    QCOMPARE(f.scene.selectedNodes().size(), std::size_t(6));
    QTest::keyClick(&f.view, Qt::Key_Escape);
    QVERIFY(f.scene.selectedNodes().empty());
    f.drag(f.at({-30, -30}), f.at({460, 90}));
    QCOMPARE(f.scene.selectedNodes(), (std::vector<std::string>{"digits", "split"}));
    QCOMPARE(f.document.text(), f.opened);
}

void CanvasTest::tabWalks()
{
    Fixture f;
    std::vector<std::string> walked;
    for (int i = 0; i < 6; ++i) {
        QTest::keyClick(&f.view, Qt::Key_Tab);
        walked.push_back(f.scene.selectedNodes().at(0));
    }
    QCOMPARE(walked, (std::vector<std::string>{"digits", "split", "net", "mlp", "fit", "test"}));
    QTest::keyClick(&f.view, Qt::Key_Backtab, Qt::ShiftModifier);
    QCOMPARE(f.scene.selectedNodes(), std::vector<std::string>{"fit"});
    QTest::keyClick(&f.view, Qt::Key_Tab);
    QVERIFY(f.view.hasFocus());
    QTest::keyClick(&f.view, Qt::Key_Tab); // past the last one
    QVERIFY(!f.view.hasFocus());
}

void CanvasTest::enterOpensLayersAndBack()
{
    Fixture f;
    f.scene.select({"net"});
    QTest::keyClick(&f.view, Qt::Key_Return);
    QCOMPARE(f.scene.scope(), Scope("net"));
    QVERIFY(f.scene.node("digits") == nullptr);
    QTest::keyClick(&f.view, Qt::Key_Left, Qt::AltModifier);
    QCOMPARE(f.scene.scope(), Scope());
    QVERIFY(f.scene.node("digits") != nullptr);
    f.mouse(QEvent::MouseButtonDblClick, f.head("net"));
    QCOMPARE(f.scene.scope(), Scope("net"));
    f.command(u"Back to the Pipeline"_s)->trigger();
    f.scene.select({"digits"}); // has nothing inside
    QTest::keyClick(&f.view, Qt::Key_Return);
    QCOMPARE(f.scene.scope(), Scope());
    QCOMPARE(f.document.text(), f.opened);
}

void CanvasTest::layersAreEdited()
{
    Fixture f;
    f.scene.setScope("net");
    QCoreApplication::processEvents();
    const auto before = f.scene.graph().nodes.size();
    QVERIFY(f.drop(u"application/x-millrace-node-type"_s, "layer.relu", f.view.viewport()->rect().center()));
    QCOMPARE(f.scene.graph().nodes.size(), before + 1);
    QVERIFY(f.document.text() != f.opened); // the layers are the node's parameter
    f.undo();
    QCOMPARE(f.scene.graph().nodes.size(), before);
    QCOMPARE(f.scene.scope(), Scope("net"));
}

void CanvasTest::modelBecomesLayersAndUndoLeavesThem()
{
    Fixture f;
    f.drag(f.port("mlp", "model", true), f.port("fit", "model", false)); // so that its rows are known
    const auto linked = f.document.text();
    f.scene.select({"mlp"});
    QTest::keyClick(&f.view, Qt::Key_Return);
    QCOMPARE(f.scene.scope(), Scope());
    QVERIFY(f.notice() != nullptr);
    QTest::mouseClick(f.notice()->button(0), Qt::LeftButton);
    QCOMPARE(f.scene.scope(), Scope("mlp"));
    QCOMPARE(f.document.pipeline().find("mlp")->type, std::string("model.layers"));
    QVERIFY(f.scene.graph().nodes.size() >= 5);
    QCOMPARE(f.document.undoStack()->count(), 2);
    f.view.setFocus();
    f.undo();
    QCOMPARE(f.document.text(), linked);
    QCOMPARE(f.scene.scope(), Scope()); // there are no layers to be in any more
    QVERIFY(f.scene.node("mlp") != nullptr);
}

void CanvasTest::opensAsLayers_data()
{
    QTest::addColumn<QString>("by");
    for (const char* by : {"shortcut", "command", "button", "menu"}) QTest::newRow(by) << QString::fromUtf8(by);
}

void CanvasTest::opensAsLayers()
{
    QFETCH(QString, by);
    Fixture f(kLanguagePipeline);
    QAction* open = f.command(u"Open as Layers"_s);
    QVERIFY(open != nullptr && !open->statusTip().isEmpty() && !open->shortcut().isEmpty());
    QVERIFY(!open->isEnabled());
    f.scene.select({"register"}); // a model goes into it, but it draws none
    QVERIFY(!open->isEnabled());
    f.scene.select({"gpt"});
    QVERIFY(open->isEnabled());
    if (by == u"shortcut"_s) {
        QTest::keyClick(&f.view, Qt::Key_L, Qt::ControlModifier | Qt::ShiftModifier);
    } else if (by == u"command"_s) {
        open->trigger();
    } else if (by == u"button"_s) {
        auto* button = f.page.findChild<QPushButton*>(u"open_as_layers"_s);
        QVERIFY(button != nullptr && !button->toolTip().isEmpty());
        picture(f.page, u"open-as-layers"_s);
        QTest::mouseClick(button, Qt::LeftButton);
    } else {
        f.scene.clearSelection(); // the menu selects what it is about
        emit f.view.customContextMenuRequested(f.head("gpt"));
        auto* menu = qobject_cast<QMenu*>(QApplication::activePopupWidget());
        QVERIFY(menu != nullptr);
        QCOMPARE(menu->actions().at(0), open);
        QVERIFY(menu->toolTipsVisible());
        picture(*menu, u"node-menu"_s);
        open->trigger();
        menu->close();
        f.page.window()->activateWindow(); // the popup was the active window
        QVERIFY(QTest::qWaitForWindowActive(f.page.window()));
    }
    QCOMPARE(f.scene.scope(), Scope("gpt"));
    QVERIFY(f.linked("gpt", "model", "fit", "model"));
    QVERIFY(f.scene.node("block3.attention") != nullptr);
    QCOMPARE(f.document.undoStack()->count(), 1);
    QVERIFY(f.document.report({}).ok());
    QTest::qWait(1);
    picture(f.page, u"gpt-layers"_s);

    // what is inside is edited as any layers are
    Change change = setting(f.scene.graph(), "block1.attention", "heads", pipeline::Json(1));
    change.scope = "gpt";
    QVERIFY(f.document.change(std::move(change), u"Set Heads"_s));
    f.view.setFocus();
    f.undo();
    f.undo();
    QCOMPARE(f.document.text(), f.opened);
    QCOMPARE(f.scene.scope(), Scope());
}

void CanvasTest::layersOfWhatIsNotTrainedAreNotKnown()
{
    Fixture f(kLanguagePipeline);
    f.scene.select({"alone"});
    QTest::keyClick(&f.view, Qt::Key_L, Qt::ControlModifier | Qt::ShiftModifier);
    QCOMPARE(f.scene.scope(), Scope());
    QVERIFY(f.notice() != nullptr);
    bool said = false;
    for (const Label* label : f.notice()->findChildren<Label*>())
        said = said || label->text().contains(u"depends on what it is trained on"_s);
    QVERIFY(said);
    QCOMPARE(f.document.text(), f.opened);
}

void CanvasTest::zoomAndFit()
{
    Fixture f;
    const double before = f.view.transform().m11();
    QTest::keyClick(&f.view, Qt::Key_Plus, Qt::ControlModifier);
    QVERIFY(f.view.transform().m11() > before);
    for (int i = 0; i < 40; ++i) f.view.zoomBy(1.5);
    QCOMPARE(f.view.transform().m11(), 2.5);
    QTest::keyClick(&f.view, Qt::Key_0, Qt::ControlModifier);
    const QRect seen = f.view.viewport()->rect();
    for (const pipeline::Node& node : f.document.pipeline().nodes)
        QVERIFY(seen.contains(f.view.mapFromScene(f.scene.node(node.id)->sceneBoundingRect()).boundingRect()));
    // the middle button pans
    const QPointF centre = f.view.mapToScene(seen.center());
    f.drag(seen.center(), seen.center() + QPoint(50, 30), Qt::MiddleButton);
    QVERIFY(QLineF(f.view.mapToScene(seen.center()), centre).length() > 20);
    QCOMPARE(f.document.text(), f.opened);
}

void CanvasTest::newerFileRefuses()
{
    std::string newer = kPipeline;
    newer.replace(newer.find("millrace/1"), 10, "millrace/9");
    Fixture f(newer);
    QVERIFY(f.document.isReadOnly());
    f.scene.select({"mlp"});
    const QTransform looked = f.view.transform();
    const QPointF place = f.scene.node("mlp")->pos();
    f.drag(f.head("mlp"), f.head("mlp") + QPoint(60, 40));
    QCOMPARE(f.scene.node("mlp")->pos(), place); // back where it was
    QCOMPARE(f.view.transform(), looked);
    QCOMPARE(f.scene.selectedNodes(), std::vector<std::string>{"mlp"});
    QTest::keyClick(&f.view, Qt::Key_Right);
    QTest::keyClick(&f.view, Qt::Key_Delete);
    QTest::keyClick(&f.view, Qt::Key_D, Qt::ControlModifier);
    f.drag(f.port("split", "test", true), f.port("test", "rows", false));
    f.drop(u"application/x-millrace-node-type"_s, "data.csv", f.at({400, 420}));
    QCOMPARE(f.document.text(), newer);
    QCOMPARE(f.document.undoStack()->count(), 0);
}

void CanvasTest::problemForbidsTheRun()
{
    Fixture f;
    QVERIFY(!f.page.runAction()->isEnabled()); // Evaluate has no rows yet
    f.drag(f.port("split", "test", true), f.port("test", "rows", false));
    QVERIFY(f.page.runAction()->isEnabled());
    QSignalSpy run(&f.page, &DesignPage::runRequested);
    QTest::keyClick(&f.view, Qt::Key_R, Qt::ControlModifier);
    QCOMPARE(run.count(), 1);
    QVERIFY(f.document.change(setting(f.document.pipeline(), "split", "train", pipeline::Json(7)), u"Set"_s));
    QVERIFY(!f.page.runAction()->isEnabled());
    QCOMPARE(f.scene.node("split")->view().sign, Sign::Failed);
    QTest::keyClick(&f.view, Qt::Key_R, Qt::ControlModifier);
    QCOMPARE(run.count(), 1);
}

void CanvasTest::theGpuIsChosenWhereItIsOffered()
{
    Fixture f;
    const auto press = [&] { QTest::keyClick(&f.view, Qt::Key_G, Qt::ControlModifier | Qt::ShiftModifier); };
    press();
    QCOMPARE(f.page.device(), u"cpu"_s); // there is none
    f.page.offerGpu();
    QCOMPARE(f.page.device(), u"cpu"_s);
    press();
    QCOMPARE(f.page.device(), u"cuda"_s);
    press();
    QCOMPARE(f.page.device(), u"cpu"_s);
}

void CanvasTest::problemLeadsToItsLayer()
{
    Fixture f;
    f.scene.setScope("net");
    const std::string layer = f.scene.graph().nodes.at(1).id;
    f.scene.setScope({});
    ProblemLine problem;
    problem.scope = "net";
    problem.node = layer;
    f.page.showProblem(problem);
    QCOMPARE(f.scene.scope(), Scope("net"));
    QCOMPARE(f.scene.selectedNodes(), std::vector<std::string>{layer});
}

void CanvasTest::keysOfTheCanvasStayThere()
{
    Fixture f;
    f.scene.select({"mlp"});
    QLineEdit* search = f.page.palette().searchField();
    search->setFocus();
    QTest::keyClicks(search, u"l"_s);
    QTest::keyClick(search, Qt::Key_Delete);
    QTest::keyClick(search, Qt::Key_D, Qt::ControlModifier);
    QTest::keyClick(search, Qt::Key_A, Qt::ControlModifier);
    QCOMPARE(search->text(), u"l"_s);
    QCOMPARE(search->selectedText(), u"l"_s);
    QCOMPARE(f.document.text(), f.opened);
    QCOMPARE(f.scene.selectedNodes(), std::vector<std::string>{"mlp"});
}

void CanvasTest::largePipelinesPan()
{
    pipeline::Document large;
    large.name = "Large";
    for (int i = 0; i < 1000; ++i) {
        const double x = i % 25 * 560, y = i / 25 * 140;
        large.nodes.push_back({str("rows_", i), "data.builtin", x, y, {{"name", "digits"}}, {}});
        large.nodes.push_back({str("split_", i), "data.split", x + 260, y, {}, {}});
        large.links.push_back({{str("rows_", i), "rows"}, {str("split_", i), "rows"}});
    }
    Fixture f(pipeline::toText(large));
    QCOMPARE(f.document.pipeline().nodes.size(), std::size_t(2000));
    const auto frames = [&](const char* what) {
        QWidget* viewport = f.view.viewport();
        QImage frame(viewport->size(), QImage::Format_RGB32);
        constexpr int kFrames = 30;
        double slowest = 0, all = 0;
        QPoint at = viewport->rect().center();
        f.mouse(QEvent::MouseButtonPress, at, Qt::MiddleButton);
        for (int i = 0; i < kFrames; ++i) {
            QElapsedTimer timer;
            timer.start();
            at += QPoint(i % 10 < 5 ? 12 : -12, 7);
            f.mouse(QEvent::MouseMove, at, Qt::MiddleButton);
            viewport->render(&frame);
            const double ms = static_cast<double>(timer.nsecsElapsed()) / 1e6;
            slowest = std::max(slowest, ms);
            all += ms;
        }
        f.mouse(QEvent::MouseButtonRelease, at, Qt::MiddleButton);
        qInfo("2,000 nodes, panned %s: %.1f ms a frame, slowest %.1f ms", what, all / kFrames, slowest);
    };
    f.view.fitToView();
    frames("with all of them in view");
    f.view.setTransform({});
    f.view.centerOn(f.scene.node("rows_512"));
    const QPointF before = f.view.mapToScene(QPoint());
    frames("at full size");
    QVERIFY(f.view.mapToScene(QPoint()) != before);

    const auto timed = [](const char* what, auto work) {
        QElapsedTimer timer;
        timer.start();
        work();
        qInfo("2,000 nodes, %s: %.1f ms", what, static_cast<double>(timer.nsecsElapsed()) / 1e6);
    };
    f.scene.select({"rows_512"});
    timed("a node moved by a key", [&] { QTest::keyClick(&f.view, Qt::Key_Right); });
    timed("a run's progress shown", [&] {
        RunProgress progress;
        progress.run = u"r"_s;
        progress.active = true;
        progress.stages[u"rows_512"_s].state = StageState::Running;
        f.page.showRunProgress(progress);
    });
    timed("the pipeline checked", [&] {
        (void)pipeline::check(f.document.pipeline(), f.catalogue, [](const auto&, const auto&) {
            return Result<pipeline::RowsSchema>(pipeline::RowsSchema{});
        });
    });
    timed("a node deleted", [&] { QTest::keyClick(&f.view, Qt::Key_Delete); });
    QCOMPARE(f.document.pipeline().nodes.size(), std::size_t(1999));
}

QTEST_MAIN(CanvasTest)
#include "canvas_test.moc"
