// The memory that is predicted for training, beside what the executor allocates for the same programs.
#include "engine/compile/fusion.h"
#include "engine/compile/program.h"
#include "engine/compile/storage.h"
#include "engine/execute/executor.h"
#include "engine/pipeline/model_builder.h"
#include "engine/plan/memory.h"
#include "kernels/base/text.h"

#include <QtTest>

using namespace millrace;
using namespace millrace::pipeline;

namespace {
RowsSchema images()
{
    RowsSchema schema;
    schema.features = {28, 28, 1};
    schema.image = true;
    schema.rows = 1000;
    schema.target = TargetKind::Classes;
    for (int i = 0; i < 10; ++i) schema.classes.push_back(str(i));
    return schema;
}

RowsSchema text()
{
    RowsSchema schema;
    schema.features = {1};
    schema.rows = 100000;
    schema.target = TargetKind::NextToken;
    schema.vocabulary = 65;
    return schema;
}

Result<RowsSchema> inspect(const Node& node, const NodeSpec&)
{
    return node.type == "data.text" ? text() : images();
}

// A model on images, or GPT on a text, and how it is trained.
Document pipelineOf(const std::string& model, Json params)
{
    const bool language = model == "model.gpt";
    Document document;
    const auto add = [&](std::string id, std::string type, Json values) {
        document.nodes.push_back({std::move(id), std::move(type), 0, 0, std::move(values), Json::object()});
    };
    add("data", language ? "data.text" : "data.builtin", language ? Json{{"path", "text.txt"}} : Json::object());
    add("net", model, language ? Json{{"size", "nano"}} : Json::object());
    if (language) params["context"] = 64;
    add("fit", language ? "train.language" : "train.supervised", std::move(params));
    document.links.push_back({{"data", language ? "tokens" : "rows"}, {"fit", language ? "tokens" : "train"}});
    document.links.push_back({{"net", "model"}, {"fit", "model"}});
    return document;
}

plan::TrainingMemory memoryOf(const std::string& model, Json params, plan::Machine machine = plan::Machine::Cpu)
{
    const Catalogue catalogue = Catalogue::create();
    const Document document = pipelineOf(model, std::move(params));
    const CheckReport report = check(document, catalogue, inspect);
    for (const Problem& problem : report.problems) qWarning("%s", problem.error.toString().c_str());
    const auto all = plan::trainingMemory(document, catalogue, report, machine);
    return all.contains("fit") ? all.at("fit") : plan::TrainingMemory{};
}
} // namespace

class MemoryTest : public QObject
{
    Q_OBJECT

private slots:
    void arenasAreWhatIsAllocated_data();
    void arenasAreWhatIsAllocated();
    void everyCopyIsCounted();
    void blocksComputedAgainTakeLess();
    void aGpuStoresWhatItComputes_data() { arenasAreWhatIsAllocated_data(); }
    void aGpuStoresWhatItComputes();
    void aGpuKeepsNoRows();
    void tooMuchIsSaid();
};

void MemoryTest::arenasAreWhatIsAllocated_data()
{
    QTest::addColumn<QString>("model");
    for (const char* model : {"model.mlp", "model.lenet", "model.lstm", "model.gpt"})
        QTest::newRow(model) << QString::fromLatin1(model);
}

void MemoryTest::arenasAreWhatIsAllocated()
{
    QFETCH(QString, model);
    const std::string type = model.toStdString();
    const bool language = type == "model.gpt";
    const plan::TrainingMemory memory = memoryOf(type, {{"batch_size", 20}}); // divides the rows: one program
    const RowsSchema schema = language ? windowsOf(text(), 64) : images();
    const Catalogue catalogue = Catalogue::create();
    const Node node = pipelineOf(type, Json::object()).nodes[1];
    auto graph = buildModel(*expandModel(node, catalogue, schema), catalogue, schema, 20);
    QVERIFY(graph);
    auto whole = compile::withGradients(*std::move(graph), compile::Loss::CrossEntropy);
    QVERIFY(whole);
    auto program = compile::plan(*std::move(whole), compile::Mode::Training);
    QVERIFY(program);
    const auto weights = execute::Weights::create(*program, 1);
    QVERIFY(weights);
    const auto executor = execute::Executor::create(*std::move(program), *weights, 1);
    QVERIFY2(executor, executor ? "" : executor.error().toString().c_str());
    const double arenas = static_cast<double>(memory.weights + memory.gradients + memory.activations);
    const auto allocated = static_cast<double>((*executor)->memoryBytes());
    qInfo("predicted %.0f bytes, allocated %.0f: %.2f %% are the kernels' own", arenas, allocated,
          100 * (allocated / arenas - 1));
    QVERIFY(allocated >= arenas);
}

void MemoryTest::everyCopyIsCounted()
{
    const plan::TrainingMemory adam = memoryOf("model.mlp", {{"batch_size", 20}});
    const std::uint64_t parameters = adam.optimizer / 2;
    QVERIFY(parameters > 0);
    QCOMPARE(adam.rows, std::uint64_t{1000 * (784 + 1) * 4});
    QCOMPARE(adam.averages, std::uint64_t{0});
    const auto with = [](Json params) {
        params["batch_size"] = 20;
        return memoryOf("model.mlp", std::move(params));
    };
    QCOMPARE(with({{"optimizer", "lion"}}).optimizer, parameters);
    QCOMPARE(with({{"optimizer", "lbfgs"}}).optimizer, 23 * parameters);
    QCOMPARE(with({{"optimizer", "lbfgs"}}).gradients, adam.gradients + parameters);
    QCOMPARE(with({{"average", 0.999}}).averages, parameters);
    const plan::TrainingMemory parts = with({{"gradient_accumulation", 4}});
    QCOMPARE(parts.gradients, adam.gradients + parameters);
    QVERIFY(parts.activations < adam.activations);
    // 1,000 rows are 15 batches of 64 and one of 40, for which a second program is made
    const plan::TrainingMemory rest = memoryOf("model.mlp", {{"batch_size", 64}});
    QCOMPARE(rest.gradients, 2 * adam.gradients);
    const plan::TrainingMemory language = memoryOf("model.gpt", {{"batch_size", 2}});
    QCOMPARE(language.rows, std::uint64_t{100000 * 4});
    QVERIFY(language.evaluation > 0);
}

void MemoryTest::blocksComputedAgainTakeLess()
{
    const plan::TrainingMemory kept = memoryOf("model.gpt", {{"batch_size", 4}});
    const plan::TrainingMemory again = memoryOf("model.gpt", {{"batch_size", 4}, {"recompute", "blocks"}});
    QVERIFY(again.activations < kept.activations);
    QCOMPARE(kept.otherActivations, again.activations);
    QCOMPARE(again.otherActivations, kept.activations);
    QVERIFY(again.stepFlops > kept.stepFlops);
    QCOMPARE(kept.otherFlops, again.stepFlops);
}

void MemoryTest::aGpuStoresWhatItComputes()
{
    QFETCH(QString, model);
    const std::string type = model.toStdString();
    const RowsSchema schema = type == "model.gpt" ? windowsOf(text(), 64) : images();
    const Catalogue catalogue = Catalogue::create();
    const Node node = pipelineOf(type, Json::object()).nodes[1];
    const auto forward = buildModel(*expandModel(node, catalogue, schema), catalogue, schema, 20);
    const auto fused = compile::withFusion(*compile::withGradients(*forward, compile::Loss::CrossEntropy));
    for (const char* precision : {"f32", "tf32", "bf16", "f16"}) {
        const plan::TrainingMemory memory =
            memoryOf(type, {{"batch_size", 20}, {"precision", precision}}, plan::Machine::Gpu);
        auto graph = *fused;
        const bool stored = std::string_view(precision).ends_with("16");
        if (stored) graph = *compile::withStorage(*fused, DType::BF16);
        const auto program = compile::plan(graph, compile::Mode::Training);
        QCOMPARE(memory.weights, program->parameterBytes + program->stateBytes);
        QCOMPARE(memory.mirror, stored ? program->parameterBytes / 2 : 0);
        QCOMPARE(memory.gradients, program->gradientBytes);
        QCOMPARE(memory.optimizer, 2 * program->parameterBytes);
        QCOMPARE(memory.activations, program->workBytes);
        QVERIFY(memory.staging > 0);
        QCOMPARE(memory.total(), memory.weights + memory.mirror + memory.gradients + memory.optimizer +
                                     memory.activations + memory.evaluation + memory.staging);
    }
    // f16 is a GPU's alone
    QCOMPARE(memoryOf(type, {{"batch_size", 20}, {"precision", "f16"}}).total(), std::uint64_t{0});
}

void MemoryTest::aGpuKeepsNoRows()
{
    const Json params{{"batch_size", 20}};
    const plan::TrainingMemory cpu = memoryOf("model.mlp", params);
    const plan::TrainingMemory gpu = memoryOf("model.mlp", params, plan::Machine::Gpu);
    QCOMPARE(gpu.rows, cpu.rows);
    QVERIFY(gpu.total() < cpu.total());
    QCOMPARE(gpu.staging, std::uint64_t{3 * 20 * (784 + 1) * 4});
    QCOMPARE(plan::toJson(gpu).at("machine"), "gpu");
    QCOMPARE(plan::toJson(gpu).at("total").get<std::uint64_t>(), gpu.total());
}

void MemoryTest::tooMuchIsSaid()
{
    QVERIFY(plan::freeMemoryBytes() > 0);
    plan::TrainingMemory memory;
    memory.weights = 2'000'000;
    memory.activations = 6'000'000;
    QVERIFY(plan::memoryProblems({{"fit", memory}}, 8'000'000).empty());
    QVERIFY(plan::memoryProblems({{"fit", memory}}, 0).empty()); // not known
    const auto problems = plan::memoryProblems({{"fit", memory}}, 4'000'000);
    QCOMPARE(problems.size(), std::size_t{1});
    QCOMPARE(problems[0].error.code, Code::OutOfMemory);
    QCOMPARE(
        QString::fromStdString(problems[0].error.toString()),
        QStringLiteral("node fit: Training would need 8 MB of memory, 6 MB of it for activations, but this "
                       "machine has 4 MB free. Take a smaller batch, gradient accumulation or recompute blocks."));
}

QTEST_GUILESS_MAIN(MemoryTest)
#include "memory_test.moc"
