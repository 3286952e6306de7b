// The quick start as its user runs it: real programs, real data, the same bits every time.
#include "tests/system/command.h"

using namespace millrace::test;

class QuickStartTest : public QObject
{
    Q_OBJECT

private slots:
    void reachesItsAccuracyWithTheSameBitsTwice();
    void anUnchangedRunIsCached();
    void settingsAreApplied();
    void theRecordCanBeAsked();
    void wrongUseIsSaid_data();
    void wrongUseIsSaid();
    void startsQuickly();
};

namespace {
QJsonObject stageOf(const QJsonObject& result, const char* id)
{
    for (const auto& stage : result.value(QStringLiteral("stages")).toArray())
        if (stage.toObject().value(QStringLiteral("id")).toString() == QLatin1String(id)) return stage.toObject();
    return {};
}
double metric(const QJsonObject& result, const char* name)
{
    return result.value(QStringLiteral("metrics")).toObject().value(QLatin1String(name)).toDouble(-1);
}
QString text(const QJsonObject& json, const char* name)
{
    return json.value(QLatin1String(name)).toString();
}
} // namespace

void QuickStartTest::reachesItsAccuracyWithTheSameBitsTwice()
{
    const Home first, second;
    const QStringList arguments{QStringLiteral("run"), quickStart(), QStringLiteral("--json")};
    const Outcome a = first.run(arguments);
    QVERIFY2(a.status == 0, a.errors.constData());
    const Outcome b = second.run(arguments);
    QVERIFY2(b.status == 0, b.errors.constData());
    QCOMPARE(text(a.json(), "state"), QStringLiteral("finished"));
    qInfo("test accuracy %.4f in %.2f s", metric(a.json(), "test.accuracy"),
          a.json().value(QStringLiteral("seconds")).toDouble());
    QVERIFY(metric(a.json(), "test.accuracy") >= 0.98);
    QCOMPARE(a.json().value(QStringLiteral("metrics")), b.json().value(QStringLiteral("metrics")));
    const QByteArray model = first.modelBytes(text(a.json(), "run"));
    QVERIFY(model.size() > 1000);
    QVERIFY(model == second.modelBytes(text(b.json(), "run")));
}

void QuickStartTest::anUnchangedRunIsCached()
{
    const Home home;
    const QStringList arguments{QStringLiteral("run"), quickStart(), QStringLiteral("--json"), QStringLiteral("--set"),
                                QStringLiteral("fit.epochs=2")};
    const Outcome first = home.run(arguments);
    QVERIFY2(first.status == 0, first.errors.constData());
    const Outcome second = home.run(arguments);
    QVERIFY2(second.status == 0, second.errors.constData());
    for (const char* stage : {"digits", "split", "fit", "evaluate"}) {
        QVERIFY2(!stageOf(first.json(), stage).value(QStringLiteral("cached")).toBool(), stage);
        QVERIFY2(stageOf(second.json(), stage).value(QStringLiteral("cached")).toBool(), stage);
    }
    QCOMPARE(first.json().value(QStringLiteral("metrics")), second.json().value(QStringLiteral("metrics")));
    QCOMPARE(home.modelBytes(text(first.json(), "run")), home.modelBytes(text(second.json(), "run")));
    // the same bytes are one version, however often they are registered
    QCOMPARE(home.run({QStringLiteral("models"), QStringLiteral("list"), QStringLiteral("--json")}).array().size(), 1);
    // another seed changes the training stage but not the data stages
    const Outcome third = home.run(arguments + QStringList{QStringLiteral("--set"), QStringLiteral("fit.seed=8")});
    QVERIFY2(third.status == 0, third.errors.constData());
    QVERIFY(stageOf(third.json(), "split").value(QStringLiteral("cached")).toBool());
    QVERIFY(!stageOf(third.json(), "fit").value(QStringLiteral("cached")).toBool());
    QVERIFY(home.modelBytes(text(third.json(), "run")) != home.modelBytes(text(first.json(), "run")));
}

void QuickStartTest::settingsAreApplied()
{
    const Home home;
    const Outcome run = home.run({QStringLiteral("run"), quickStart(), QStringLiteral("--json"),
                                  QStringLiteral("--set"), QStringLiteral("fit.epochs=1")});
    QVERIFY2(run.status == 0, run.errors.constData());
    const Outcome shown =
        home.run({QStringLiteral("runs"), QStringLiteral("show"), text(run.json(), "run"), QStringLiteral("--json")});
    QCOMPARE(shown.json().value(QStringLiteral("parameters")).toObject().value(QStringLiteral("fit.epochs")).toInt(),
             1);
}

void QuickStartTest::theRecordCanBeAsked()
{
    const Home home;
    const auto run = [&](const char* rate) {
        return home.run({QStringLiteral("run"), quickStart(), QStringLiteral("--json"), QStringLiteral("--set"),
                         QStringLiteral("fit.epochs=1"), QStringLiteral("--set"),
                         QStringLiteral("fit.learning_rate=") + QLatin1String(rate)});
    };
    const Outcome a = run("0.001"), b = run("0.002");
    QVERIFY2(a.status == 0 && b.status == 0, b.errors.constData());
    const QString idA = text(a.json(), "run"), idB = text(b.json(), "run");

    const auto list = home.run({QStringLiteral("runs"), QStringLiteral("list"), QStringLiteral("--json")}).array();
    QCOMPARE(list.size(), 2);
    QCOMPARE(text(list.at(0).toObject(), "run"), idB); // newest first

    const auto compared =
        home.run({QStringLiteral("runs"), QStringLiteral("compare"), idA, idB, QStringLiteral("--json")}).json();
    const auto differing = compared.value(QStringLiteral("differing")).toObject();
    QVERIFY(differing.contains(QStringLiteral("fit.learning_rate")));
    QVERIFY(!differing.contains(QStringLiteral("fit.epochs")));

    const Outcome exported = home.run({QStringLiteral("runs"), QStringLiteral("export"), idA});
    QVERIFY(exported.output.startsWith("metric,step,time_ms,value\n"));
    QVERIFY(exported.output.contains("train.loss,1,"));

    const Outcome watched = home.run({QStringLiteral("runs"), QStringLiteral("watch"), idA, QStringLiteral("--json")});
    QCOMPARE(watched.status, 0);
    const auto lines = watched.output.trimmed().split('\n');
    for (int i = 0; i < lines.size(); ++i)
        QCOMPARE(QJsonDocument::fromJson(lines[i]).object().value(QStringLiteral("seq")).toInt(), i + 1);

    // a run whose model is registered is kept until the model goes; the error says so
    const Outcome gone = home.run({QStringLiteral("runs"), QStringLiteral("delete"), idA});
    if (gone.status == 0)
        QCOMPARE(home.run({QStringLiteral("runs"), QStringLiteral("list"), QStringLiteral("--json")}).array().size(),
                 1);
    else
        QVERIFY2(gone.errors.contains("model"), gone.errors.constData());
}

void QuickStartTest::wrongUseIsSaid_data()
{
    QTest::addColumn<QStringList>("arguments");
    QTest::addColumn<int>("status");
    QTest::addColumn<QByteArray>("says");
    QTest::newRow("no such verb") << QStringList{QStringLiteral("fly")} << 2 << QByteArray("fly");
    QTest::newRow("no file given") << QStringList{QStringLiteral("run")} << 2 << QByteArray("FILE");
    QTest::newRow("no such file") << QStringList{QStringLiteral("run"), QStringLiteral("/nowhere/a.millrace")} << 1
                                  << QByteArray("/nowhere/a.millrace");
    QTest::newRow("no such parameter") << QStringList{QStringLiteral("run"), quickStart(), QStringLiteral("--set"),
                                                      QStringLiteral("fit.epoch=3")}
                                       << 1 << QByteArray("epochs");
    QTest::newRow("out of range") << QStringList{QStringLiteral("check"), quickStart(), QStringLiteral("--set"),
                                                 QStringLiteral("fit.epochs=0")}
                                  << 1 << QByteArray("fit");
    QTest::newRow("no such run") << QStringList{QStringLiteral("runs"), QStringLiteral("show"),
                                                QStringLiteral("nobody")}
                                 << 1 << QByteArray("nobody");
    QTest::newRow("no such device") << QStringList{QStringLiteral("run"), quickStart(), QStringLiteral("--device"),
                                                   QStringLiteral("cuda")}
                                    << 1 << QByteArray("cuda");
    QTest::newRow("no such type") << QStringList{QStringLiteral("nodes"), QStringLiteral("data.cvs")} << 1
                                  << QByteArray("data.csv");
}

void QuickStartTest::wrongUseIsSaid()
{
    QFETCH(QStringList, arguments);
    QFETCH(int, status);
    QFETCH(QByteArray, says);
    const Home home;
    const Outcome outcome = home.run(arguments);
    QCOMPARE(outcome.status, status);
    QVERIFY2(outcome.errors.contains(says), outcome.errors.constData());
}

void QuickStartTest::startsQuickly()
{
    const Home home;
    QList<qint64> times;
    for (int i = 0; i < 11; ++i) {
        QElapsedTimer timer;
        timer.start();
        QCOMPARE(home.run({QStringLiteral("--version")}).status, 0);
        times << timer.nsecsElapsed();
    }
    std::sort(times.begin(), times.end());
    qInfo("millrace --version: median %.1f ms (goal: under 20 ms)", static_cast<double>(times[5]) / 1e6);
    QVERIFY(times[5] < 500'000'000); // far above the goal: a shared machine must not make the test fail
}

QTEST_GUILESS_MAIN(QuickStartTest)
#include "quick_start_test.moc"
