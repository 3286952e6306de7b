// The palette and the property panel, driven by keys and the mouse as somebody would: what is found, what is added,
// what reaches the document, what is refused and in which words.
#include "ui/design/node_palette.h"
#include "ui/design/palette_model.h"
#include "ui/design/palette_search.h"
#include "ui/design/palette_view.h"
#include "ui/design/param_editor.h"
#include "ui/design/param_editor_value.h"
#include "ui/design/property_panel.h"
#include "ui/document/text.h"
#include "ui/theme/theme.h"
#include "ui/widgets/label.h"

#include <QAbstractItemModelTester>
#include <QAction>
#include <QCheckBox>
#include <QComboBox>
#include <QDir>
#include <QDrag>
#include <QFileDialog>
#include <QHBoxLayout>
#include <QLineEdit>
#include <QMimeData>
#include <QMouseEvent>
#include <QPushButton>
#include <QSignalSpy>
#include <QTemporaryDir>
#include <QToolButton>
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
    {"id": "table", "type": "data.csv", "at": [0, 200], "params": {"path": "rows.csv", "future": {"a": 1}}},
    {"id": "split", "type": "data.split", "at": [240, 0], "params": {"train": 0.8, "seed": 7}},
    {"id": "net", "type": "model.layers", "at": [240, 160]},
    {"id": "mlp", "type": "model.mlp", "at": [240, 260], "params": {"hidden": [512, 256]}},
    {"id": "fit", "type": "train.supervised", "at": [520, 80], "params": {"epochs": 15}},
    {"id": "magic", "type": "data.crystal_ball", "at": [0, 400], "params": {"depth": 3}}
  ],
  "links": [["digits.rows", "split.rows"], ["split.train", "fit.train"], ["split.test", "fit.validation"],
            ["net.model", "fit.model"]]
})";

const pipeline::Catalogue& catalogue()
{
    static const auto all = pipeline::Catalogue::create();
    return all;
}

// What the panel's labels say, hidden ones left out.
QString saidBy(const QWidget& widget)
{
    QStringList texts;
    for (const Label* label : widget.findChildren<Label*>())
        if (label->isVisible()) texts.append(label->text());
    return texts.join(u'\n');
}

} // namespace

class PanelsTest : public QObject
{
    Q_OBJECT

private slots:
    void initTestCase() { theme().apply(); }
    void init();
    void cleanup() { m_window.reset(); }

    void modelIsSound();
    void searchRanks_data();
    void searchRanks();
    void searchThenEnterAdds();
    void listIsReachedAndLeftByKeys();
    void doubleClickAddsAndOneClickSelects();
    void emptySearchSaysSo();
    void layersHaveTheirOwnTypes();
    void dragCarriesTheType();

    void valuesReadAndWrite_data();
    void valuesReadAndWrite();
    void wrongNumberIsRefusedInWords();
    void typingIsOneStepAndUndoBringsItBack();
    void undoKeyBelongsToTheWindow();
    void typedTextSurvivesTheChangeItMakes();
    void scientificNotationIsTaken();
    void escapeTakesBackWhatIsWrong();
    void listOfNumbers();
    void choiceAndCheckBox();
    void pathBelowTheFileIsRelative();
    void unknownParametersAreShown();
    void unknownTypeIsExplained();
    void resetGivesTheDefaultBack();
    void renameSaysWhatIsTaken();
    void problemStandsAtItsField();
    void moreOpensForWhatIsAskedFor();
    void layersOpen();
    void nothingAndSeveralSelected();
    void selectionFollowsRemovalAndUndo();
    void newerFilesCannotBeChanged();
    void pictures_data();
    void pictures();

private:
    std::string params(const std::string& node) const { return m_document->pipeline().find(node)->params.dump(); }
    template <class T> T* field(const char* name) const { return m_panel->findChild<T*>(QString::fromLatin1(name)); }
    ParamEditor* editorOf(const QWidget* inner) const { return qobject_cast<ParamEditor*>(inner->parentWidget()); }
    // Types over everything that stands in the field, key by key.
    static void typeOver(QLineEdit* edit, const QString& text)
    {
        edit->setFocus();
        edit->selectAll();
        QTest::keyClicks(edit, text);
    }

    std::unique_ptr<QWidget> m_window;
    PipelineDocument* m_document = nullptr;
    NodePalette* m_palette = nullptr;
    PropertyPanel* m_panel = nullptr;
};

void PanelsTest::init()
{
    theme().setMode(Theme::Mode::Light);
    m_window = std::make_unique<QWidget>();
    m_document = new PipelineDocument(catalogue(), nullptr, m_window.get());
    m_document->reset(*pipeline::parseDocument(kPipeline), u"/data/here/digits.millrace"_s);
    m_palette = new NodePalette(*m_document);
    m_panel = new PropertyPanel(*m_document);
    auto* layout = new QHBoxLayout(m_window.get());
    layout->addWidget(m_palette);
    layout->addStretch();
    layout->addWidget(m_panel);
    m_window->resize(800, 700);
    m_window->show();
    QVERIFY(QTest::qWaitForWindowActive(m_window.get()));
}

void PanelsTest::modelIsSound()
{
    PaletteModel model(catalogue());
    QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::QtTest);
    QCOMPARE(model.index(0).data().toString(), u"Data"_s);
    QVERIFY(model.index(0).data(PaletteModel::HeadingRole).toBool());
    QCOMPARE(model.index(0).flags() & Qt::ItemIsSelectable, Qt::ItemFlags());
    QCOMPARE(model.firstType(), 1);
    QCOMPARE(model.index(1).data(PaletteModel::PortRole).toString(), u"rows"_s);
    model.setQuery(u"split"_s);
    model.setLayers(true);
    model.setQuery({});
    QCOMPARE(model.index(0).data().toString(), u"In and out"_s);
    for (int row = 0; row < model.rowCount(); ++row)
        if (const QString type = model.index(row).data(PaletteModel::TypeRole).toString(); !type.isEmpty())
            QVERIFY2(type.startsWith(u"layer."_s), qPrintable(type));
}

void PanelsTest::searchRanks_data()
{
    QTest::addColumn<QString>("query");
    QTest::addColumn<bool>("layers");
    QTest::addColumn<QString>("first"); // empty: nothing is found
    QTest::newRow("title") << u"split"_s << false << u"data.split"_s;
    QTest::newRow("case") << u"MLP"_s << false << u"model.mlp"_s;
    QTest::newRow("start of a title") << u"st"_s << false << u"data.standardize"_s;
    QTest::newRow("type") << u"data.idx"_s << false << u"data.idx"_s;
    QTest::newRow("help alone") << u"perceptron"_s << false << u"model.mlp"_s;
    QTest::newRow("two words") << u"csv table"_s << false << u"data.csv"_s;
    QTest::newRow("letters left out") << u"stdz"_s << false << u"data.standardize"_s;
    QTest::newRow("letters of two words") << u"bnorm"_s << true << u"layer.batch_norm"_s;
    QTest::newRow("not a layer") << u"softplus"_s << false << QString();
    QTest::newRow("one word of two") << u"csv qqq"_s << false << QString();
}

void PanelsTest::searchRanks()
{
    QFETCH(QString, query);
    QFETCH(bool, layers);
    QFETCH(QString, first);
    const auto found = searchTypes(catalogue(), layers, query);
    QCOMPARE(found.empty() ? QString() : toQt(found.front()->type), first);
}

void PanelsTest::searchThenEnterAdds()
{
    QSignalSpy added(m_palette, &NodePalette::addRequested);
    QLineEdit* search = m_palette->searchField();
    search->setFocus();
    QTest::keyClick(search, Qt::Key_Return); // nothing is searched for: nothing is added
    QCOMPARE(added.count(), 0);
    QTest::keyClicks(search, u"evalu"_s);
    QTest::keyClick(search, Qt::Key_Return);
    QCOMPARE(added.count(), 1);
    QCOMPARE(added[0][0].toString(), u"evaluate.model"_s);
    QTest::keyClicks(search, u"regis"_s); // replaces the search before
    QTest::keyClick(search, Qt::Key_Return);
    QCOMPARE(added.back()[0].toString(), u"model.register"_s);
    QTest::keyClick(search, Qt::Key_Escape);
    QCOMPARE(search->text(), QString());
}

void PanelsTest::listIsReachedAndLeftByKeys()
{
    QSignalSpy added(m_palette, &NodePalette::addRequested);
    QLineEdit* search = m_palette->searchField();
    auto* view = m_palette->findChild<PaletteView*>();
    search->setFocus();
    QTest::keyClick(search, Qt::Key_Down);
    QVERIFY(view->hasFocus());
    QCOMPARE(view->currentIndex().data().toString(), u"Built-in set"_s);
    const auto catalogue = pipeline::Catalogue::create();
    const auto sources = std::count_if(catalogue.all().begin(), catalogue.all().end(),
                                       [](const auto& spec) { return spec.category == "Data"; });
    for (int i = 0; i < sources; ++i) QTest::keyClick(view, Qt::Key_Down); // over the heading "Prepare"
    QCOMPARE(view->currentIndex().data().toString(), u"Split"_s);
    QTest::keyClick(view, Qt::Key_Return);
    QCOMPARE(added.count(), 1);
    QCOMPARE(added[0][0].toString(), u"data.split"_s);
    for (int i = 0; i < sources; ++i) QTest::keyClick(view, Qt::Key_Up);
    QTest::keyClick(view, Qt::Key_Up);
    QVERIFY(search->hasFocus());
    QTest::keyClick(search, Qt::Key_Down);
    QTest::keyClicks(view, u"m"_s);
    QVERIFY(search->hasFocus());
    QCOMPARE(search->text(), u"m"_s);
}

void PanelsTest::doubleClickAddsAndOneClickSelects()
{
    QSignalSpy added(m_palette, &NodePalette::addRequested);
    auto* view = m_palette->findChild<PaletteView*>();
    const QModelIndex csv = view->model()->index(2, 0);
    const QPoint at = view->visualRect(csv).center();
    QTest::mouseClick(view->viewport(), Qt::LeftButton, {}, at);
    QCOMPARE(view->currentIndex(), csv);
    QCOMPARE(added.count(), 0);
    QTest::mouseDClick(view->viewport(), Qt::LeftButton, {}, at);
    QCOMPARE(added.count(), 1);
    QCOMPARE(added[0][0].toString(), u"data.csv"_s);
}

void PanelsTest::emptySearchSaysSo()
{
    QTest::keyClicks(m_palette->searchField(), u"unicorn"_s);
    QVERIFY2(saidBy(*m_palette).contains(u"No node is called “unicorn”."_s), qPrintable(saidBy(*m_palette)));
    for (QPushButton* button : m_palette->findChildren<QPushButton*>())
        if (button->text() == u"Show All Nodes"_s) QTest::mouseClick(button, Qt::LeftButton);
    QVERIFY(m_palette->findChild<PaletteView*>()->isVisible());
    QVERIFY(m_palette->searchField()->hasFocus());
}

void PanelsTest::layersHaveTheirOwnTypes()
{
    QSignalSpy added(m_palette, &NodePalette::addRequested);
    m_palette->setScope("net");
    QTest::keyClicks(m_palette->searchField(), u"softplus"_s);
    QTest::keyClick(m_palette->searchField(), Qt::Key_Return);
    QCOMPARE(added.count(), 1);
    QCOMPARE(added[0][0].toString(), u"layer.softplus"_s);
    m_palette->setScope({});
    QVERIFY(saidBy(*m_palette).contains(u"No node is called “softplus”."_s));
}

void PanelsTest::dragCarriesTheType()
{
    auto* view = m_palette->findChild<PaletteView*>();
    QVERIFY(view->dragEnabled());
    const QModelIndex csv = view->model()->index(2, 0);
    QVERIFY(csv.flags() & Qt::ItemIsDragEnabled);
    QVERIFY(!(view->model()->index(0, 0).flags() & Qt::ItemIsDragEnabled));
    const std::unique_ptr<QMimeData> mime(view->model()->mimeData({csv}));
    QCOMPARE(mime->data(u"application/x-millrace-node-type"_s), QByteArray("data.csv"));

    // the offscreen platform ends a drag at once; its QDrag lives until the event loop runs
    const QPoint at = view->visualRect(csv).center();
    QTest::mousePress(view->viewport(), Qt::LeftButton, {}, at);
    for (const int moved : {4, 60}) { // QTest's own moves have no button pressed
        const QPointF to = at + QPoint(moved, 0);
        QMouseEvent move(QEvent::MouseMove, to, view->viewport()->mapToGlobal(to), Qt::NoButton, Qt::LeftButton, {});
        QCoreApplication::sendEvent(view->viewport(), &move);
    }
    const auto* drag = view->findChild<QDrag*>();
    QVERIFY(drag);
    QCOMPARE(drag->mimeData()->data(kNodeTypeMime), QByteArray("data.csv"));
    QVERIFY(!drag->pixmap().isNull());
}

void PanelsTest::valuesReadAndWrite_data()
{
    QTest::addColumn<QString>("type");
    QTest::addColumn<QString>("parameter");
    QTest::addColumn<QString>("typed");
    QTest::addColumn<QString>("json"); // empty: refused
    QTest::addColumn<QString>("shown");
    const QString train = u"train.supervised"_s;
    QTest::newRow("integer") << train << u"epochs"_s << u" 12 "_s << u"12"_s << u"12"_s;
    QTest::newRow("integer as 1e3") << train << u"epochs"_s << u"1e3"_s << u"1000"_s << u"1000"_s;
    QTest::newRow("fraction for an integer") << train << u"epochs"_s << u"1.5"_s << QString() << QString();
    QTest::newRow("out of range") << train << u"epochs"_s << u"0"_s << QString() << QString();
    QTest::newRow("number") << train << u"learning_rate"_s << u"2.5e-4"_s << u"0.00025"_s << u"0.00025"_s;
    QTest::newRow("small number") << train << u"learning_rate"_s << u"1e-8"_s << u"1e-08"_s << u"1e-8"_s;
    QTest::newRow("decimal comma") << train << u"learning_rate"_s << u"0,1"_s << QString() << QString();
    QTest::newRow("infinity") << train << u"learning_rate"_s << u"inf"_s << QString() << QString();
    QTest::newRow("nothing") << train << u"epochs"_s << QString() << QString() << QString();
    QTest::newRow("list") << u"model.mlp"_s << u"hidden"_s << u"64,32  8"_s << u"[64,32,8]"_s << u"64, 32, 8"_s;
    QTest::newRow("empty list") << u"model.mlp"_s << u"hidden"_s << u" "_s << u"[]"_s << QString();
    QTest::newRow("list with a word") << u"model.mlp"_s << u"hidden"_s << u"64, x"_s << QString() << QString();
    QTest::newRow("path elsewhere") << u"data.csv"_s << u"path"_s << u"http://a/b"_s << QString() << QString();
}

void PanelsTest::valuesReadAndWrite()
{
    QFETCH(QString, type);
    QFETCH(QString, parameter);
    QFETCH(QString, typed);
    QFETCH(QString, json);
    QFETCH(QString, shown);
    const auto* spec = catalogue().find(type.toStdString())->param(parameter.toStdString());
    const auto value = fieldValue(*spec, typed);
    QCOMPARE(value ? toQt(value->dump()) : QString(), json);
    if (value)
        QCOMPARE(fieldText(*value), shown);
    else
        QVERIFY(!words(value.error()).isEmpty());
}

void PanelsTest::wrongNumberIsRefusedInWords()
{
    m_panel->showSelection({}, {"fit"});
    auto* epochs = field<QLineEdit>("epochs");
    QCOMPARE(epochs->text(), u"15"_s);
    typeOver(epochs, u"abc"_s);
    const QString said = u"Epochs is \"abc\"; a whole number from 1 to 10,000 epochs was expected."_s;
    QCOMPARE(editorOf(epochs)->problem(), said);
    QVERIFY(saidBy(*m_panel).contains(said));
    QVERIFY(epochs->property("problem").toBool());
    QCOMPARE(epochs->accessibleDescription(), said);
    QCOMPARE(params("fit"), std::string(R"({"epochs":15})"));
    QCOMPARE(m_document->undoStack()->count(), 0);
    QTest::keyClick(epochs, Qt::Key_Tab); // what is wrong stays to be seen
    QCOMPARE(epochs->text(), u"abc"_s);
    QCOMPARE(editorOf(epochs)->problem(), said);
    typeOver(epochs, u"7"_s);
    QCOMPARE(editorOf(epochs)->problem(), QString());
    QCOMPARE(params("fit"), std::string(R"({"epochs":7})"));
}

void PanelsTest::typingIsOneStepAndUndoBringsItBack()
{
    m_panel->showSelection({}, {"fit"});
    auto* epochs = field<QLineEdit>("epochs");
    typeOver(epochs, u"12"_s);
    QTest::keyClick(epochs, Qt::Key_Return);
    QCOMPARE(params("fit"), std::string(R"({"epochs":12})"));
    QCOMPARE(m_document->undoStack()->count(), 1);
    typeOver(epochs, u"120"_s); // after Enter it is another step
    QCOMPARE(m_document->undoStack()->count(), 2);
    m_document->undoStack()->undo();
    QCOMPARE(epochs->text(), u"12"_s);
    m_document->undoStack()->undo();
    QCOMPARE(epochs->text(), u"15"_s);
    QCOMPARE(params("fit"), std::string(R"({"epochs":15})"));
}

void PanelsTest::undoKeyBelongsToTheWindow()
{
    QAction undo(m_window.get());
    undo.setShortcut(QKeySequence::Undo);
    connect(&undo, &QAction::triggered, m_document->undoStack(), &QUndoStack::undo);
    m_window->addAction(&undo);
    m_panel->showSelection({}, {"fit"});
    auto* epochs = field<QLineEdit>("epochs");
    typeOver(epochs, u"12"_s);
    QTest::keyClick(epochs, Qt::Key_Z, Qt::ControlModifier);
    QCOMPARE(epochs->text(), u"15"_s);
    QCOMPARE(m_document->undoStack()->index(), 0);
    QVERIFY(epochs->hasFocus());
}

void PanelsTest::typedTextSurvivesTheChangeItMakes()
{
    m_panel->showSelection({}, {"fit"});
    auto* rate = field<QLineEdit>("learning_rate");
    typeOver(rate, u"0.0"_s);
    QCOMPARE(rate->text(), u"0.0"_s);
    // somebody else's change in the same node meanwhile
    QVERIFY(m_document->change(setting(m_document->pipeline(), "fit", "epochs", pipeline::Json(3)), u"Set"_s));
    QCOMPARE(rate->text(), u"0.0"_s);
    QVERIFY(rate->hasFocus());
    QCOMPARE(field<QLineEdit>("epochs")->text(), u"3"_s);
    QTest::keyClicks(rate, u"020"_s);
    QCOMPARE(rate->text(), u"0.0020"_s);
    QCOMPARE(rate->cursorPosition(), 6);
}

void PanelsTest::scientificNotationIsTaken()
{
    m_panel->showSelection({}, {"fit"});
    auto* rate = field<QLineEdit>("learning_rate");
    typeOver(rate, u"2e-3"_s);
    QCOMPARE(params("fit"), std::string(R"({"epochs":15,"learning_rate":0.002})"));
    QCOMPARE(rate->text(), u"2e-3"_s);
    QTest::keyClick(rate, Qt::Key_Return);
    QCOMPARE(rate->text(), u"0.002"_s);
}

void PanelsTest::escapeTakesBackWhatIsWrong()
{
    m_panel->showSelection({}, {"fit"});
    auto* epochs = field<QLineEdit>("epochs");
    typeOver(epochs, u"x"_s);
    QTest::keyClick(epochs, Qt::Key_Escape);
    QCOMPARE(epochs->text(), u"15"_s);
    QCOMPARE(editorOf(epochs)->problem(), QString());
}

void PanelsTest::listOfNumbers()
{
    m_panel->showSelection({}, {"mlp"});
    auto* hidden = field<QLineEdit>("hidden");
    QCOMPARE(hidden->text(), u"512, 256"_s);
    typeOver(hidden, u"64, 32"_s);
    QCOMPARE(m_document->pipeline().find("mlp")->params["hidden"].dump(), std::string("[64,32]"));
    QCOMPARE(m_document->undoStack()->count(), 1);
}

void PanelsTest::choiceAndCheckBox()
{
    m_panel->showSelection({}, {"fit"});
    auto* optimizer = field<QComboBox>("optimizer");
    QCOMPARE(optimizer->currentText(), u"adamw"_s);
    optimizer->setFocus();
    QTest::keyClick(optimizer, Qt::Key_Down);
    QCOMPARE(params("fit"), std::string(R"({"epochs":15,"optimizer":"adam"})"));
    m_document->undoStack()->undo();
    QCOMPARE(optimizer->currentText(), u"adamw"_s);

    m_panel->showSelection({}, {"split"});
    auto* stratify = field<QCheckBox>("stratify");
    QVERIFY(stratify->isChecked());
    stratify->setFocus();
    QTest::keyClick(stratify, Qt::Key_Space);
    QCOMPARE(params("split"), std::string(R"({"train":0.8,"seed":7,"stratify":false})"));
    m_document->undoStack()->undo();
    QVERIFY(stratify->isChecked());
}

void PanelsTest::pathBelowTheFileIsRelative()
{
    QCOMPARE(relativePath(u"/data/here/sub/a.csv"_s, u"/data/here"_s), u"sub/a.csv"_s);
    QCOMPARE(relativePath(u"/data/there/a.csv"_s, u"/data/here"_s), u"/data/there/a.csv"_s);
    QCOMPARE(relativePath(u"/data/a.csv"_s, QString()), u"/data/a.csv"_s);

    QTemporaryDir folder;
    QVERIFY(QDir(folder.path()).mkpath(u"sub"_s));
    QFile file(folder.filePath(u"sub/a.csv"_s));
    QVERIFY(file.open(QIODevice::WriteOnly));
    file.close();
    m_document->setFilePath(folder.filePath(u"p.millrace"_s));
    m_panel->showSelection({}, {"table"});
    auto* path = field<QLineEdit>("path");
    QTest::mouseClick(editorOf(path)->findChild<QPushButton*>(), Qt::LeftButton);
    auto* dialog = m_panel->findChild<QFileDialog*>();
    QVERIFY(dialog && dialog->isVisible());
    dialog->setDirectory(folder.filePath(u"sub"_s));
    dialog->selectFile(u"a.csv"_s);
    QMetaObject::invokeMethod(dialog, "accept");
    QCOMPARE(path->text(), u"sub/a.csv"_s);
    QCOMPARE(m_document->pipeline().find("table")->params["path"].get<std::string>(), std::string("sub/a.csv"));
    QCOMPARE(m_document->undoStack()->count(), 1);
}

void PanelsTest::unknownParametersAreShown()
{
    m_panel->showSelection({}, {"table"});
    const QString said = saidBy(*m_panel);
    QVERIFY2(said.contains(u"not used by this version"_s), qPrintable(said));
    QVERIFY2(said.contains(u"future\n{\"a\":1}"_s), qPrintable(said));
    m_panel->showSelection({}, {"split"});
    QVERIFY(!saidBy(*m_panel).contains(u"not used by this version"_s));
}

void PanelsTest::unknownTypeIsExplained()
{
    m_panel->showSelection({}, {"magic"});
    const QString said = saidBy(*m_panel);
    QVERIFY2(said.contains(u"does not know nodes of the type “data.crystal_ball”"_s), qPrintable(said));
    QVERIFY2(said.contains(u"depth\n3"_s), qPrintable(said));
}

void PanelsTest::resetGivesTheDefaultBack()
{
    m_panel->showSelection({}, {"fit"});
    auto* epochs = field<QLineEdit>("epochs");
    auto* button = editorOf(epochs)->findChild<QToolButton*>();
    QVERIFY(button->isVisible());
    QVERIFY(!editorOf(field<QLineEdit>("batch_size"))->findChild<QToolButton*>()->isVisible());
    typeOver(epochs, u"9"_s);
    QTest::mouseClick(button, Qt::LeftButton);
    QCOMPARE(params("fit"), std::string("{}"));
    QCOMPARE(epochs->text(), u"10"_s);
    QVERIFY(!button->isVisible());
    m_document->undoStack()->undo();
    QCOMPARE(epochs->text(), u"9"_s);
    QVERIFY(button->isVisible());
}

void PanelsTest::renameSaysWhatIsTaken()
{
    m_panel->showSelection({}, {"split"});
    auto* name = field<QLineEdit>("node_name");
    QPointer<QLineEdit> before = name;
    typeOver(name, u"fit"_s);
    QTest::keyClick(name, Qt::Key_Return);
    QVERIFY(saidBy(*m_panel).contains(u"There is a node 'fit' already."_s));
    QVERIFY(m_document->pipeline().find("split"));
    typeOver(name, u"halves"_s);
    QTest::keyClick(name, Qt::Key_Return);
    QVERIFY(m_document->pipeline().find("halves"));
    QVERIFY(!saidBy(*m_panel).contains(u"already"_s));
    QVERIFY2(before, "renaming keeps the page");
    typeOver(field<QLineEdit>("train"), u"0.5"_s); // goes to the renamed node
    QCOMPARE(m_document->pipeline().find("halves")->params["train"].get<double>(), 0.5);
    m_document->undoStack()->undo();
    m_document->undoStack()->undo();
    QCOMPARE(name->text(), u"split"_s);
}

void PanelsTest::problemStandsAtItsField()
{
    QVERIFY(m_document->change(setting(m_document->pipeline(), "fit", "optimizer", pipeline::Json("adamx")), u"Set"_s));
    m_panel->showSelection({}, {"fit"});
    auto* optimizer = field<QComboBox>("optimizer");
    QCOMPARE(optimizer->currentText(), u"adamx"_s);
    const QString problem = editorOf(optimizer)->problem();
    QVERIFY2(problem.contains(u"adamx"_s) && problem.contains(u"adamw"_s), qPrintable(problem));
    m_document->undoStack()->undo();
    QCOMPARE(editorOf(optimizer)->problem(), QString());
    QCOMPARE(optimizer->findText(u"adamx"_s), -1);
    m_panel->showSelection({}, {"magic"}); // what has no field stands at the top
    QCOMPARE(m_document->problemsOf({}, "magic").size(), std::size_t(1));
    QVERIFY(saidBy(*m_panel).contains(m_document->problemsOf({}, "magic").front().text));
}

void PanelsTest::moreOpensForWhatIsAskedFor()
{
    m_panel->showSelection({}, {"fit"});
    auto* beta = field<QLineEdit>("beta1");
    QVERIFY(!beta->isVisible());
    QTest::mouseClick(field<QPushButton>("more"), Qt::LeftButton);
    QVERIFY(beta->isVisible());
    QVERIFY(!field<QLineEdit>("momentum")->isVisible()); // AdamW takes none
    QTest::mouseClick(field<QPushButton>("more"), Qt::LeftButton);
    QVERIFY(!beta->isVisible());
    m_panel->focusParameter("clip_norm");
    QVERIFY(field<QLineEdit>("clip_norm")->isVisible());
    QVERIFY(field<QLineEdit>("clip_norm")->hasFocus());
    m_panel->focusParameter("no_such_thing");
}

void PanelsTest::layersOpen()
{
    QSignalSpy opened(m_panel, &PropertyPanel::openLayersRequested);
    m_panel->showSelection({}, {"net"});
    QTest::mouseClick(field<QPushButton>("layers"), Qt::LeftButton);
    QCOMPARE(opened.count(), 1);
    QCOMPARE(opened[0][0].toString(), u"net"_s);
    m_panel->showSelection("net", {"hidden"});
    typeOver(field<QLineEdit>("units"), u"48"_s);
    QCOMPARE(m_document->graph("net")->find("hidden")->params["units"].get<int>(), 48);
    m_panel->showSelection("net", {});
    QVERIFY2(saidBy(*m_panel).contains(u"Layers of Net"_s), qPrintable(saidBy(*m_panel)));
}

void PanelsTest::nothingAndSeveralSelected()
{
    m_panel->showSelection({}, {});
    QVERIFY(saidBy(*m_panel).contains(u"Nodes\n7"_s));
    auto* name = field<QLineEdit>("pipeline_name");
    QCOMPARE(name->text(), u"Digits quick start"_s);
    typeOver(name, u"Other"_s);
    QCOMPARE(m_document->name(), u"Other"_s);
    QTest::keyClick(name, Qt::Key_Return);
    QCOMPARE(m_document->undoStack()->count(), 1);
    m_document->undoStack()->undo();
    QCOMPARE(name->text(), u"Digits quick start"_s);
    m_panel->showSelection({}, {"fit", "net", "mlp"});
    QVERIFY(saidBy(*m_panel).contains(u"3 nodes selected"_s));
}

void PanelsTest::selectionFollowsRemovalAndUndo()
{
    m_panel->showSelection({}, {"fit"});
    typeOver(field<QLineEdit>("node_name"), u"half done"_s); // commits, refused, while its page goes away
    QVERIFY(m_document->change(removal(m_document->pipeline(), {"fit"}, {}), u"Delete"_s));
    QVERIFY(field<QLineEdit>("pipeline_name"));
    m_document->undoStack()->undo();
    QVERIFY(field<QLineEdit>("epochs"));
    m_document->reset({}, {});
    QVERIFY(saidBy(*m_panel).contains(u"Nothing is drawn yet."_s));
}

void PanelsTest::newerFilesCannotBeChanged()
{
    pipeline::Document newer = m_document->pipeline();
    newer.readOnly = true;
    m_document->reset(newer, {});
    QVERIFY(saidBy(*m_panel).contains(u"newer version"_s));
    m_panel->showSelection({}, {"fit"});
    auto* epochs = field<QLineEdit>("epochs");
    typeOver(epochs, u"3"_s);
    QCOMPARE(epochs->text(), u"15"_s);
    QVERIFY(!field<QComboBox>("optimizer")->isEnabled());
    QVERIFY(!editorOf(epochs)->findChild<QToolButton*>()->isVisible());
}

void PanelsTest::pictures_data()
{
    QTest::addColumn<bool>("dark");
    QTest::newRow("light") << false;
    QTest::newRow("dark") << true;
}

// For the eyes of whoever changes the panels: <build>/pictures/panels-*.png. Checked is only that nothing is cut off.
void PanelsTest::pictures()
{
    QFETCH(bool, dark);
    theme().setMode(dark ? Theme::Mode::Dark : Theme::Mode::Light);
    const QString folder = QStringLiteral(MILLRACE_BINARY_DIR "/pictures");
    QVERIFY(QDir().mkpath(folder));
    const auto grab = [&](const QString& what) {
        QCoreApplication::processEvents();
        const QString name = u"%1/panels-%2-%3.png"_s.arg(folder, what, dark ? u"dark"_s : u"light"_s);
        QVERIFY(m_window->grab().save(name));
        for (const Label* label : m_panel->findChildren<Label*>())
            if (label->isVisible())
                QVERIFY2(label->mapTo(m_panel, QPoint(label->width(), 0)).x() <= m_panel->width(),
                         qPrintable(label->text()));
    };
    m_window->layout()->setContentsMargins(0, 0, 0, 0);
    m_window->resize(640, 900);
    m_panel->showSelection({}, {});
    grab(u"pipeline"_s);
    m_panel->showSelection({}, {"fit"});
    typeOver(field<QLineEdit>("epochs"), u"abc"_s);
    m_panel->focusParameter("clip_norm");
    m_palette->findChild<PaletteView*>()->setCurrentIndex(m_palette->findChild<PaletteView*>()->model()->index(2, 0));
    grab(u"train"_s);
    m_panel->showSelection({}, {"table"});
    QTest::keyClicks(m_palette->searchField(), u"mod"_s);
    grab(u"table"_s);
    m_panel->showSelection({}, {"split"});
    QTest::keyClicks(m_palette->searchField(), u"zzz"_s);
    grab(u"split"_s);
    m_panel->showSelection({}, {"fit", "net", "mlp"});
    m_palette->setScope("net");
    m_palette->searchField()->clear();
    grab(u"several"_s);
    m_panel->showSelection({}, {"net"});
    grab(u"net"_s);
}

QTEST_MAIN(PanelsTest)
#include "panels_test.moc"
