// Runs with --device cuda: real runner processes on simulated GPUs, with planted drivers, faults and readings.
#include "tests/system/command.h"

#include <dlfcn.h>

using namespace millrace::test;

namespace {

const QString kFirst = QStringLiteral("GPU-11111111-1111-1111-1111-111111111111");
const QString kSecond = QStringLiteral("GPU-11111111-1111-1111-1111-111111111112");

using Settings = QList<std::pair<const char*, QString>>;

/// The environment of the tests: a driver's libraries of ours, and the module on simulated GPUs.
class Machine
{
public:
    explicit Machine(const Settings& settings)
    {
        set("LD_LIBRARY_PATH", QStringLiteral(MILLRACE_BINARY_DIR "/tests/fake_driver"));
        set("MILLRACE_CUDA_MODULE", QStringLiteral(MILLRACE_SIMULATED_MODULE));
        set("MILLRACE_TUNE", QStringLiteral("off")); // homes without a common cache shall choose the same algorithms
        for (const auto& [name, value] : settings) set(name, value);
    }
    ~Machine()
    {
        for (const char* name : std::as_const(m_names)) qunsetenv(name);
    }
    Machine(const Machine&) = delete;
    Machine& operator=(const Machine&) = delete;

private:
    void set(const char* name, const QString& value)
    {
        qputenv(name, value.toUtf8());
        m_names.append(name);
    }
    QList<const char*> m_names;
};

QStringList arguments(const QStringList& more = {}, const char* device = "cuda")
{
    return QStringList{QStringLiteral("run"), QStringLiteral(MILLRACE_TEST_DATA "/data/digits_mlp.millrace"),
                       QStringLiteral("--json"), QStringLiteral("--device"), QString::fromLatin1(device)} +
           more;
}

QStringList settings(const QStringList& values)
{
    QStringList arguments;
    for (const QString& value : values) arguments << QStringLiteral("--set") << value;
    return arguments;
}

QString text(const QJsonObject& json, const char* name)
{
    return json.value(QLatin1String(name)).toString();
}

/// The journal's events of a kind.
QList<QJsonObject> eventsOf(const Home& home, const QString& run, const char* kind)
{
    QList<QJsonObject> events;
    QFile file(QStringLiteral("%1/runs/%2/journal.jsonl").arg(home.path(), run));
    if (!file.open(QIODevice::ReadOnly)) return events;
    while (!file.atEnd()) {
        const QJsonObject event = QJsonDocument::fromJson(file.readLine()).object();
        if (text(event, "kind") == QLatin1String(kind)) events.append(event);
    }
    return events;
}

} // namespace

class GpuTest : public QObject
{
    Q_OBJECT

private slots:
    void whatIsMissingIsSaid_data();
    void whatIsMissingIsSaid();
    void aRunTrainsThere();
    void aLostGpuIsReplaced();
    void withoutAnotherGpuItFailsAndResumes();
    void tooLittleMemoryIsSaidBefore();
    void memoryThatIsTakenFailsCleanly();
    void batchesAreDividedThen();
    void aNumberThatIsNoneNamesStepAndLayer();
    void whatAGpuDidIsShown();
};

void GpuTest::whatIsMissingIsSaid_data()
{
    QTest::addColumn<Settings>("settings");
    QTest::addColumn<QString>("device");
    QTest::addColumn<QStringList>("said");
    const auto row = [](const char* name, const Settings& settings, const char* device, const QStringList& said) {
        QTest::newRow(name) << settings << QString::fromLatin1(device) << said;
    };
    void* driver = ::dlopen("libcuda.so.1", RTLD_NOW);
    if (!driver) // a machine with a driver has none missing
        row("no driver", {{"LD_LIBRARY_PATH", QString()}}, "cuda",
            {QStringLiteral("No NVIDIA driver was found: libcuda.so.1"), QStringLiteral("--device cpu")});
    row("an old driver", {{"FAKE_CUDA", QStringLiteral("version=12040")}}, "cuda",
        {QStringLiteral("supports CUDA 12.4, but this build needs CUDA %1.0").arg(MILLRACE_CUDA_MAJOR)});
    row("no visible GPU", {{"FAKE_CUDA", QStringLiteral("no-device")}, {"CUDA_VISIBLE_DEVICES", QStringLiteral("7")}},
        "cuda", {QStringLiteral("CUDA_VISIBLE_DEVICES is \"7\"")});
    row("no GPU", {{"FAKE_CUDA", QStringLiteral("no-device")}}, "cuda", {QStringLiteral("knows no GPU")});
    row("driver and library differ", {{"FAKE_CUDA", QStringLiteral("broken=803")}}, "cuda",
        {QStringLiteral("unsupported display driver"), QStringLiteral("restart the computer")});
    row("no module", {{"MILLRACE_CUDA_MODULE", QStringLiteral("/nowhere/module.so")}}, "cuda",
        {QStringLiteral("The GPU module cannot be loaded: /nowhere/module.so")});
    row("another library", {{"MILLRACE_CUDA_MODULE", QStringLiteral("libm.so.6")}}, "cuda",
        {QStringLiteral("is no GPU module of Millrace")});
    row("a module of another build", {{"SIMULATED_IDENTITY", QStringLiteral("millrace 0.0.1")}}, "cuda",
        {QStringLiteral("of another build"), QStringLiteral("millrace 0.0.1")});
    row("a GPU that is elsewhere", {}, "cuda:GPU-99",
        {QStringLiteral("no GPU GPU-99 here"), kFirst, kSecond, QStringLiteral("Simulated GPU")});
    row("an index too many", {}, "cuda:2", {QStringLiteral("no GPU 2 here"), kFirst});
    row("half a UUID", {}, "cuda:GPU-1111", {QStringLiteral("Several GPUs begin with GPU-1111")});
    row("no device at all", {}, "gpu", {QStringLiteral("no device \"gpu\""), QStringLiteral("cuda:INDEX")});
}

void GpuTest::whatIsMissingIsSaid()
{
    QFETCH(const Settings, settings);
    QFETCH(const QString, device);
    QFETCH(const QStringList, said);
    const Machine machine(settings);
    const Home home;
    const Outcome outcome = home.run(arguments({}, device.toLatin1().constData()));
    QCOMPARE(outcome.status, 1);
    for (const QString& words : said)
        QVERIFY2(QString::fromUtf8(outcome.errors).contains(words), outcome.errors.constData());
    // nothing was begun
    const QString run = text(outcome.json(), "run");
    for (const QJsonObject& event : eventsOf(home, run, "stage")) QCOMPARE(text(event, "state"), QString());
}

void GpuTest::aRunTrainsThere()
{
    const Machine machine({});
    const Home home, again;
    const Outcome outcome = home.run(arguments());
    QVERIFY2(outcome.status == 0, outcome.errors.constData());
    const QString run = text(outcome.json(), "run");
    const auto telemetry = eventsOf(home, run, "telemetry");
    QVERIFY(!telemetry.isEmpty());
    const QJsonObject device = telemetry.first().value(QStringLiteral("devices")).toArray().at(0).toObject();
    QCOMPARE(text(device, "uuid"), kFirst);
    QCOMPARE(device.value(QStringLiteral("power_watts")).toDouble(), 512.345);
    const Outcome second = again.run(arguments({}, "cuda:1"));
    QVERIFY2(second.status == 0, second.errors.constData());
    QVERIFY(!home.modelBytes(run).isEmpty());
    QVERIFY(home.modelBytes(run) == again.modelBytes(text(second.json(), "run"))); // the same bits on another one
}

void GpuTest::aLostGpuIsReplaced()
{
    const Home undisturbed, home;
    QByteArray bits;
    {
        const Machine machine({});
        bits = undisturbed.modelBytes(text(undisturbed.run(arguments()).json(), "run"));
    }
    QVERIFY(!bits.isEmpty());
    const Machine machine({{"SIMULATED_GPU", QStringLiteral("lose=400")}, {"FAKE_NVML", QStringLiteral("xid=79")}});
    const Outcome outcome = home.run(arguments());
    QVERIFY2(outcome.status == 0, outcome.errors.constData());
    const QString run = text(outcome.json(), "run");
    QVERIFY(home.modelBytes(run) == bits);
    const auto errors = eventsOf(home, run, "error");
    QCOMPARE(errors.size(), 1);
    QCOMPARE(text(errors.first(), "device"), kFirst);
    QCOMPARE(errors.first().value(QStringLiteral("xid")).toInt(), 79);
    QCOMPARE(text(errors.first().value(QStringLiteral("error")).toObject(), "code"), QStringLiteral("device_lost"));
    const auto telemetry = eventsOf(home, run, "telemetry");
    QVERIFY(!telemetry.isEmpty());
    QCOMPARE(text(telemetry.last().value(QStringLiteral("devices")).toArray().at(0).toObject(), "uuid"), kSecond);
    QStringList states; // it never ended in between
    for (const QJsonObject& event : eventsOf(home, run, "state")) states.append(text(event, "state"));
    QCOMPARE(states, (QStringList{QStringLiteral("starting"), QStringLiteral("running"), QStringLiteral("finished")}));
}

void GpuTest::withoutAnotherGpuItFailsAndResumes()
{
    const Home undisturbed, home;
    QByteArray bits;
    {
        const Machine machine({});
        bits = undisturbed.modelBytes(text(undisturbed.run(arguments()).json(), "run"));
    }
    QString run;
    {
        const Machine machine({{"SIMULATED_GPU", QStringLiteral("lose=400,lose-all")}});
        const Outcome outcome = home.run(arguments());
        QCOMPARE(outcome.status, 1);
        run = text(outcome.json(), "run");
        QCOMPARE(eventsOf(home, run, "error").size(), 2); // one after the other was tried
        QVERIFY2(outcome.errors.contains("The run has no GPU any more"), outcome.errors.constData());
        QVERIFY2(outcome.errors.contains("--resume"), outcome.errors.constData());
    }
    const Machine machine({});
    const Outcome resumed =
        home.run({QStringLiteral("run"), QStringLiteral("--resume"), run, QStringLiteral("--json")});
    QVERIFY2(resumed.status == 0, resumed.errors.constData());
    QVERIFY(home.modelBytes(run) == bits);
}

void GpuTest::tooLittleMemoryIsSaidBefore()
{
    const Machine machine({{"SIMULATED_GPU", QStringLiteral("memory=3")}});
    const QStringList large = settings({QStringLiteral("net.hidden=[512]"), QStringLiteral("fit.batch_size=256")});
    const Home home;
    const Outcome outcome = home.run(arguments(large));
    QCOMPARE(outcome.status, 1);
    for (const char* words : {"Training would need 3.", "MB free", "gradient_accumulation 2", "--fit-memory"})
        QVERIFY2(outcome.errors.contains(words), outcome.errors.constData());
    QVERIFY(eventsOf(home, text(outcome.json(), "run"), "checkpoint").isEmpty());

    const Outcome divided = home.run(arguments(large + QStringList{QStringLiteral("--fit-memory")}));
    QVERIFY2(divided.status == 0, divided.errors.constData());
    QVERIFY2(divided.errors.contains("its batches are divided: gradient_accumulation 2"), divided.errors.constData());

    const Outcome larger = home.run(arguments(settings({QStringLiteral("net.hidden=[4096]")})));
    QCOMPARE(larger.status, 1);
    QVERIFY2(larger.errors.contains("Not even one row at a time fits"), larger.errors.constData());
}

void GpuTest::memoryThatIsTakenFailsCleanly()
{
    const Machine machine({{"SIMULATED_GPU", QStringLiteral("refuse=10")}});
    const Home home;
    const Outcome outcome = home.run(arguments());
    QCOMPARE(outcome.status, 1);
    for (const char* words : {"memory free, but activations need", "--fit-memory", "The last checkpoint is whole"})
        QVERIFY2(outcome.errors.contains(words), outcome.errors.constData());
    QCOMPARE(text(outcome.json(), "state"), QStringLiteral("failed"));
}

void GpuTest::batchesAreDividedThen()
{
    const Machine machine({{"SIMULATED_GPU", QStringLiteral("refuse=10")}});
    const Home home;
    const Outcome outcome = home.run(arguments({QStringLiteral("--fit-memory")}));
    QVERIFY2(outcome.status == 0, outcome.errors.constData());
    QVERIFY2(outcome.errors.contains("gradient_accumulation 2 instead of 1"), outcome.errors.constData());
}

void GpuTest::aNumberThatIsNoneNamesStepAndLayer()
{
    const Machine machine({});
    const Home home;
    const Outcome outcome = home.run(arguments(settings(
        {QStringLiteral("fit.optimizer=sgd"), QStringLiteral("fit.epochs=5"), QStringLiteral("fit.learning_rate=10"),
         QStringLiteral("net.hidden=[64,64,64]"), QStringLiteral("net.activation=gelu")})));
    QCOMPARE(outcome.status, 1);
    const QJsonObject cause = outcome.json().value(QStringLiteral("cause")).toObject();
    QCOMPARE(text(cause, "code"), QStringLiteral("diverged"));
    for (const char* words : {"step", "layer"})
        QVERIFY2(text(cause, "message").contains(QLatin1String(words)), outcome.errors.constData());
}

void GpuTest::whatAGpuDidIsShown()
{
    const Machine machine({});
    const Home home;
    const QString run = text(home.run(arguments()).json(), "run");
    const Outcome shown = home.run({QStringLiteral("runs"), QStringLiteral("show"), run});
    QCOMPARE(shown.status, 0);
    for (const char* words : {"NVIDIA Planted 80GB", "97 % busy", "512 W", "71 °C", "power cap"})
        QVERIFY2(shown.output.contains(words), shown.output.constData());
}

QTEST_GUILESS_MAIN(GpuTest)
#include "gpu_test.moc"
