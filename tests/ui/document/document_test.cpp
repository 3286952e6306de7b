// The document under change: every change done, undone and redone compared with the file's text; checks; inspections.
#include "ui/document/clipboard.h"
#include "ui/document/pipeline_document.h"
#include "ui/document/text.h"

#include <QSignalSpy>
#include <QtTest>
#include <functional>

using namespace millrace;
using namespace millrace::ui;

namespace {

constexpr char kPipeline[] = R"({
  "format": "millrace/1",
  "name": "Digits",
  "nodes": [
    {"id": "digits", "type": "data.builtin", "at": [0, 0], "params": {"name": "digits"}},
    {"id": "split", "type": "data.split", "at": [240, 0], "params": {"train": 0.8, "seed": 7}},
    {"id": "net", "type": "model.layers", "at": [240, 160]},
    {"id": "fit", "type": "train.supervised", "at": [520, 80], "params": {"epochs": 15}}
  ],
  "links": [["digits.rows", "split.rows"], ["split.train", "fit.train"], ["split.test", "fit.validation"],
            ["net.model", "fit.model"]]
})";

// Answers when it is told to.
class PatientInspector : public Inspector
{
public:
    void requestInspect(quint64 request, const QString& nodeJson, const QString& baseDirectory) override
    {
        requests.append({request, nodeJson, baseDirectory});
    }
    void answer(int index)
    {
        pipeline::RowsSchema schema;
        schema.features = {8, 8, 1};
        schema.rows = 1797;
        schema.image = true;
        schema.target = pipeline::TargetKind::Classes;
        for (char c = '0'; c <= '9'; ++c) schema.classes.push_back(std::string(1, c));
        emit inspected(requests[index].request, schema);
    }

    struct Request
    {
        quint64 request;
        QString nodeJson, baseDirectory;
    };
    QList<Request> requests;
};

pipeline::Document digits()
{
    return *pipeline::parseDocument(kPipeline);
}

} // namespace

class DocumentTest : public QObject
{
    Q_OBJECT

private slots:
    void everyChangeUndoesAndRedoes_data();
    void everyChangeUndoesAndRedoes();
    void longHistoriesComeBackWhole();
    void typingIsOneStep();
    void draggingIsOneStep();
    void renameRefusesWhatIsTaken();
    void layersAreEditedInside();
    void pasteGivesFreshIds();
    void newerFilesAreReadOnly();
    void wrongLinksOpenAndForbidTheRun();
    void inspectionsAreAskedOnceAndRemembered();
    void staleTicksGoWithTheFirstEdit();
};

void DocumentTest::everyChangeUndoesAndRedoes_data()
{
    QTest::addColumn<std::function<void(PipelineDocument&)>>("act");
    using Act = std::function<void(PipelineDocument&)>;
    const auto done = [](Status status) {
        QVERIFY2(status.has_value(), status ? "" : status.error().toString().c_str());
    };
    QTest::newRow("add") << Act([done](PipelineDocument& d) {
        done(d.change(addition(d.pipeline(), {{"csv", "data.csv", 1, 2, {}, {}}}, {}), QStringLiteral("Add")));
    });
    QTest::newRow("remove") << Act([done](PipelineDocument& d) {
        done(d.change(removal(d.pipeline(), {"split"}, {}), QStringLiteral("Delete")));
    });
    QTest::newRow("remove a link") << Act([done](PipelineDocument& d) {
        done(d.change(removal(d.pipeline(), {}, {d.pipeline().links[1]}), QStringLiteral("Delete")));
    });
    QTest::newRow("move") << Act([done](PipelineDocument& d) {
        done(d.change(movement(d.pipeline(), {{"net", {40, 50}}, {"fit", {1, 2}}}), QStringLiteral("Move")));
    });
    QTest::newRow("link") << Act([done](PipelineDocument& d) {
        done(d.change(linking(d.pipeline(), {{"split", "train"}, {"fit", "validation"}}, d.pipeline().links[2]),
                      QStringLiteral("Connect")));
    });
    QTest::newRow("set") << Act([done](PipelineDocument& d) {
        done(d.change(setting(d.pipeline(), "fit", "epochs", pipeline::Json(3)), QStringLiteral("Set")));
    });
    QTest::newRow("set back to the default") << Act([done](PipelineDocument& d) {
        done(d.change(setting(d.pipeline(), "fit", "epochs", std::nullopt), QStringLiteral("Set")));
    });
    QTest::newRow("rename a node") << Act([done](PipelineDocument& d) { done(d.rename({}, "split", "halves")); });
    QTest::newRow("rename the pipeline") << Act(
        [done](PipelineDocument& d) { done(d.setName(QStringLiteral("Other"))); });
    QTest::newRow("replace") << Act([done](PipelineDocument& d) {
        done(d.change(replacement(d.pipeline(), "net", "model.mlp", pipeline::Json::object()),
                      QStringLiteral("Replace")));
    });
    QTest::newRow("edit a layer") << Act([done](PipelineDocument& d) {
        Change change = setting(*d.graph("net"), "hidden", "units", pipeline::Json(99));
        change.scope = "net";
        done(d.change(change, QStringLiteral("Set")));
    });
    QTest::newRow("remove a layer") << Act([done](PipelineDocument& d) {
        Change change = removal(*d.graph("net"), {"relu"}, {});
        change.scope = "net";
        done(d.change(change, QStringLiteral("Delete")));
    });
}

void DocumentTest::everyChangeUndoesAndRedoes()
{
    QFETCH(std::function<void(PipelineDocument&)>, act);
    const auto catalogue = pipeline::Catalogue::create();
    PipelineDocument document(catalogue, nullptr);
    document.reset(digits(), {});
    (void)document.graph("net"); // layers that were looked at have to follow too
    QSignalSpy changed(&document, &PipelineDocument::changed);
    const std::string before = document.text();
    act(document);
    const std::string after = document.text();
    QVERIFY(before != after);
    QCOMPARE(changed.count(), 1);
    QCOMPARE(document.undoStack()->count(), 1);
    QVERIFY(document.isModified());
    const auto layersAfter = document.graph("net") ? pipeline::toText(*document.graph("net")) : std::string();

    document.undoStack()->undo();
    const std::string undone = document.text();
    document.undoStack()->redo();
    QCOMPARE(document.text(), after);
    QCOMPARE(document.graph("net") ? pipeline::toText(*document.graph("net")) : std::string(), layersAfter);
    document.undoStack()->undo();
    QCOMPARE(changed.count(), 4);
    QVERIFY(!document.isModified());
    // a layer's edit writes the default layers out; undone they mean the same
    QCOMPARE(undone, document.text());
    if (!QByteArray(QTest::currentDataTag()).contains("layer")) QCOMPARE(undone, before);
    // what the canvas would have heard leads to the same graph
    pipeline::Document replayed = digits();
    for (const auto& signal : changed)
        if (const auto change = signal[0].value<Change>(); change.scope.empty()) apply(replayed, change);
    if (!QByteArray(QTest::currentDataTag()).contains("layer")) QCOMPARE(pipeline::toText(replayed), before);
}

void DocumentTest::longHistoriesComeBackWhole()
{
    const auto catalogue = pipeline::Catalogue::create();
    PipelineDocument document(catalogue, nullptr);
    document.reset(digits(), {});
    std::vector<std::string> texts{document.text()};
    quint32 random = 12345;
    const auto next = [&](quint32 limit) { return (random = random * 1664525u + 1013904223u) / 65536u % limit; };
    for (int step = 0; step < 200; ++step) {
        const auto& graph = document.pipeline();
        const std::string id = graph.nodes.empty() ? std::string() : graph.nodes[next(quint32(graph.nodes.size()))].id;
        Status status;
        switch (next(5)) {
        case 0:
            status = document.change(addition(graph, {{freeId(graph, "split"), "data.split", 0, 0, {}, {}}}, {}), {});
            break;
        case 1:
            status = document.change(removal(graph, {id}, {}), {});
            break;
        case 2:
            status = document.rename({}, id, freeId(graph, "node"));
            break;
        case 3:
            status = document.change(movement(graph, {{id, {double(next(900)), 0}}}), {});
            break;
        case 4:
            if (graph.nodes.size() > 1)
                status = document.change(linking(graph, {{graph.nodes[0].id, "rows"}, {id, "rows"}}), {});
            break;
        }
        QVERIFY(status.has_value());
        if (int(texts.size()) < document.undoStack()->count() + 1) texts.push_back(document.text());
    }
    QCOMPARE(int(texts.size()), document.undoStack()->count() + 1);
    for (int index = document.undoStack()->count(); index >= 0; --index) {
        document.undoStack()->setIndex(index);
        QCOMPARE(document.text(), texts[std::size_t(index)]);
    }
    document.undoStack()->setIndex(document.undoStack()->count());
    QCOMPARE(document.text(), texts.back());
}

void DocumentTest::typingIsOneStep()
{
    const auto catalogue = pipeline::Catalogue::create();
    PipelineDocument document(catalogue, nullptr);
    document.reset(digits(), {});
    const auto type = [&](int value, const char* parameter) {
        QVERIFY(document.change(setting(document.pipeline(), "fit", parameter, pipeline::Json(value)),
                                QStringLiteral("Set"), QStringLiteral("fit.%1").arg(QLatin1String(parameter))));
    };
    type(2, "epochs");
    type(20, "epochs");
    type(200, "epochs");
    QCOMPARE(document.undoStack()->count(), 1);
    type(16, "batch_size");
    QCOMPARE(document.undoStack()->count(), 2);
    document.endMerge();
    type(32, "batch_size");
    QCOMPARE(document.undoStack()->count(), 3);
    document.undoStack()->setIndex(0);
    QCOMPARE(document.pipeline().find("fit")->params["epochs"].get<int>(), 15);
}

void DocumentTest::draggingIsOneStep()
{
    const auto catalogue = pipeline::Catalogue::create();
    PipelineDocument document(catalogue, nullptr);
    document.reset(digits(), {});
    for (int x = 1; x < 10; ++x)
        QVERIFY(document.change(movement(document.pipeline(), {{"net", {double(x), 0}}}), QStringLiteral("Move"),
                                QStringLiteral("move")));
    QVERIFY(document.change(movement(document.pipeline(), {{"fit", {1, 1}}}), QStringLiteral("Move"),
                            QStringLiteral("move")));
    QCOMPARE(document.undoStack()->count(), 2);
    QSignalSpy checked(&document, &PipelineDocument::checked);
    document.undoStack()->undo();
    document.undoStack()->undo();
    QCOMPARE(document.pipeline().find("net")->x, 240.0);
    QCOMPARE(checked.count(), 0); // a move changes nothing that is checked
}

void DocumentTest::renameRefusesWhatIsTaken()
{
    const auto catalogue = pipeline::Catalogue::create();
    PipelineDocument document(catalogue, nullptr);
    document.reset(digits(), {});
    QVERIFY(!document.rename({}, "split", "fit"));
    QVERIFY(!document.rename({}, "split", ""));
    QVERIFY(!document.rename({}, "split", "a.b"));
    QVERIFY(!document.rename({}, "split", "$(rm)"));
    QCOMPARE(document.undoStack()->count(), 0);
    QVERIFY(document.rename({}, "split", "halves"));
    QCOMPARE(document.pipeline().links[0].to.node, std::string("halves"));
    QCOMPARE(document.pipeline().links[1].from.node, std::string("halves"));
}

void DocumentTest::layersAreEditedInside()
{
    const auto catalogue = pipeline::Catalogue::create();
    PipelineDocument document(catalogue, nullptr);
    document.reset(digits(), {});
    QVERIFY(document.graph("net"));
    QVERIFY(!document.graph("fit"));
    Change change = setting(*document.graph("net"), "hidden", "units", pipeline::Json(99));
    change.scope = "net";
    QVERIFY(document.change(change, QStringLiteral("Set")));
    // the pipeline's own text has it, and a fresh reader sees it
    const auto read = *pipeline::parseDocument(document.text());
    const auto layers = *pipeline::layersFromJson(read.find("net")->params["layers"]);
    QCOMPARE(layers.find("hidden")->params["units"].get<int>(), 99);
    // a whole new value for the parameter shows inside
    QVERIFY(document.change(setting(document.pipeline(), "net", "layers", std::nullopt), QStringLiteral("Set")));
    QCOMPARE(document.graph("net")->find("hidden")->params["units"].get<int>(), 64);
    document.undoStack()->undo();
    QCOMPARE(document.graph("net")->find("hidden")->params["units"].get<int>(), 99);
    // a problem inside is named with its place
    change = removal(*document.graph("net"), {"output"}, {});
    change.scope = "net";
    QVERIFY(document.change(change, QStringLiteral("Delete")));
    QVERIFY(!document.canRun());
    QVERIFY(!document.problemsOf({}, "net").empty());
}

void DocumentTest::pasteGivesFreshIds()
{
    const pipeline::Document graph = digits();
    const QString text = copied(graph, {"split", "fit"});
    const auto part = pasted(graph, text, QPointF(1000, 2000));
    QVERIFY(part.has_value());
    QCOMPARE(part->nodes.size(), std::size_t(2));
    QCOMPARE(part->nodes[0].id, std::string("split_2"));
    QCOMPARE(part->nodes[0].params["train"].get<double>(), 0.8);
    QCOMPARE(part->links.size(), std::size_t(2)); // those between the two, not those that lead out
    QCOMPARE(part->links[0].from.node, std::string("split_2"));
    QCOMPARE(part->nodes[0].x, 1000.0);
    QCOMPARE(part->nodes[0].y, 2000.0);
    QVERIFY(!pasted(graph, QStringLiteral("no pipeline"), {}));
    QVERIFY(!pasted(graph, QString(), {}));
}

void DocumentTest::newerFilesAreReadOnly()
{
    const auto catalogue = pipeline::Catalogue::create();
    PipelineDocument document(catalogue, nullptr);
    const std::string newer = R"({"format":"millrace/9", "name":"x", "colour":["ü"],
  "nodes":[{"id":"a","type":"quantum.x","at":[0,0],"spin":1}],"links":[]})";
    document.reset(*pipeline::parseDocument(newer), {});
    QVERIFY(document.isReadOnly());
    const Status status = document.change(removal(document.pipeline(), {"a"}, {}), QStringLiteral("Delete"));
    QVERIFY(!status);
    QCOMPARE(status.error().code, Code::Unsupported);
    QVERIFY(!document.setName(QStringLiteral("y")));
    QCOMPARE(document.undoStack()->count(), 0);
    QCOMPARE(document.text(), newer); // byte for byte
}

void DocumentTest::wrongLinksOpenAndForbidTheRun()
{
    const auto catalogue = pipeline::Catalogue::create();
    PipelineDocument document(catalogue, nullptr);
    auto wrong = digits();
    wrong.links.push_back({{"fit", "model"}, {"split", "rows"}});  // of the wrong type
    wrong.links.push_back({{"fit", "nowhere"}, {"gone", "rows"}}); // to nothing
    wrong.nodes.push_back({"strange", "plugin.thing", 0, 0, {{"keep", 1}}, {}});
    document.reset(wrong, {});
    QVERIFY(!document.canRun());
    QVERIFY(document.problems().size() >= 3);
    const auto marked = [&](std::size_t link) {
        return std::any_of(document.problems().begin(), document.problems().end(),
                           [&](const ProblemLine& line) { return line.link == link; });
    };
    QVERIFY(!marked(0));
    QVERIFY(marked(4));
    QVERIFY(marked(5));
    for (const ProblemLine& line : document.problems()) QVERIFY(!line.text.isEmpty());
    QVERIFY(!document.problemsOf({}, "strange").empty());
    // and it can be mended
    QVERIFY(document.change(removal(document.pipeline(), {"strange"}, {wrong.links[4], wrong.links[5]}),
                            QStringLiteral("Delete")));
    QVERIFY(document.canRun());
}

void DocumentTest::inspectionsAreAskedOnceAndRemembered()
{
    const auto catalogue = pipeline::Catalogue::create();
    PatientInspector inspector;
    PipelineDocument document(catalogue, &inspector);
    document.reset(digits(), QStringLiteral("/somewhere/a.millrace"));
    QCOMPARE(inspector.requests.size(), 1);
    QCOMPARE(inspector.requests[0].baseDirectory, QStringLiteral("/somewhere"));
    QVERIFY(document.isBeingInspected("digits"));
    QVERIFY(document.canRun()); // waiting is no problem
    QVERIFY(document.change(movement(document.pipeline(), {{"net", {1, 1}}}), {}));
    QVERIFY(document.change(setting(document.pipeline(), "fit", "epochs", pipeline::Json(3)), {}));
    QCOMPARE(inspector.requests.size(), 1);

    QSignalSpy checked(&document, &PipelineDocument::checked);
    inspector.answer(0);
    QTRY_COMPARE(checked.count(), 1);
    QVERIFY(!document.isBeingInspected("digits"));
    QCOMPARE(document.report().nodeFacts.at("digits"), std::string("1,797 rows · 10 classes"));
    QCOMPARE(document.report().linkShapes[0], std::string("8×8×1"));
    QCOMPARE(document.schemaFor("net").rows, 1438);
    QVERIFY(!document.report("net").nodeFacts.empty());

    document.refreshInspections();
    QCOMPARE(inspector.requests.size(), 2);
    inspector.answer(1); // the same again: nobody is bothered
    QTest::qWait(20);
    QCOMPARE(checked.count(), 1);
}

void DocumentTest::staleTicksGoWithTheFirstEdit()
{
    const auto catalogue = pipeline::Catalogue::create();
    PipelineDocument document(catalogue, nullptr);
    document.reset(digits(), {});
    RunProgress progress;
    progress.run = QStringLiteral("r");
    progress.stages[QStringLiteral("fit")].state = StageState::Finished;
    QSignalSpy spy(&document, &PipelineDocument::progressChanged);
    document.setProgress(progress);
    document.setProgress(progress);
    QCOMPARE(spy.count(), 1);
    QVERIFY(document.change(movement(document.pipeline(), {{"net", {1, 1}}}), {}));
    QCOMPARE(document.progress(), progress);
    QVERIFY(document.change(setting(document.pipeline(), "fit", "epochs", pipeline::Json(3)), {}));
    QCOMPARE(document.progress(), RunProgress());
}

QTEST_GUILESS_MAIN(DocumentTest)
#include "document_test.moc"
