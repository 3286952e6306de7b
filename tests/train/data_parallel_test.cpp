// Several ranks, as threads over real connections, train what one rank trains on the whole batch; and what leaves for
// the other ranks when.
#include "engine/collective/gloo.h"
#include "engine/train/gradient_exchange.h"
#include "engine/train/stepper.h"
#include "tests/train/fixtures.h"

#include <QtTest>

#include <set>
#include <thread>

using namespace millrace;
using namespace millrace::train;
using namespace millrace::train::test;
using collective::Group;

namespace {

constexpr std::int64_t kBatch = 48, kFeatures = 16, kClasses = 4;

/// How a training is divided.
struct Division
{
    int ranks = 1;
    std::int64_t accumulation = 1;
    bool shards = false;
    std::uint64_t bucketBytes = 2048;
};

/// Made-up rows of four classes, some of each around a middle of its own.
struct Rows
{
    std::vector<float> features;
    std::vector<std::int32_t> labels;
};

Rows madeUpRows(std::int64_t count)
{
    Rows rows;
    Random random(3, 0);
    for (std::int64_t i = 0; i < count; ++i) {
        rows.labels.push_back(static_cast<std::int32_t>(i % kClasses));
        for (std::int64_t j = 0; j < kFeatures; ++j)
            rows.features.push_back(static_cast<float>(random.normal() + (j % kClasses == i % kClasses ? 1 : 0)));
    }
    return rows;
}

/// The rank's micro-batches of each batch. The micro-batches of all ranks, in turns, are the batch.
class PartOfBatches : public StepRows
{
public:
    PartOfBatches(const Rows& rows, const Division& division, int rank, bool fullBatch)
        : m_rows(rows), m_division(division), m_rank(rank), m_fullBatch(fullBatch)
    {
    }
    std::int64_t size() const { return kBatch / (m_division.ranks * m_division.accumulation); }
    void goTo(std::int64_t step)
    {
        m_first = m_fullBatch ? 0 : step * kBatch % static_cast<std::int64_t>(m_rows.labels.size());
    }
    Status begin() override
    {
        m_taken = 0;
        return {};
    }
    Result<const MicroBatch*> next() override
    {
        if (m_taken == m_division.accumulation) return nullptr;
        const auto first = static_cast<std::size_t>(m_first + (m_taken * m_division.ranks + m_rank) * size());
        const auto count = static_cast<std::size_t>(size());
        m_taken += 1;
        m_batch.rows = size();
        m_batch.features = std::span(m_rows.features).subspan(first * kFeatures, count * kFeatures);
        m_batch.labels = std::span(m_rows.labels).subspan(first, count);
        m_batch.weight = static_cast<double>(size());
        return &m_batch;
    }

private:
    const Rows& m_rows;
    Division m_division;
    int m_rank;
    bool m_fullBatch;
    std::int64_t m_first = 0, m_taken = 0;
    MicroBatch m_batch;
};

/// What a rank has when the training ends.
struct Outcome
{
    std::vector<float> weights, states;
    std::vector<double> losses;
    StepFigures last;
};

double relativeDistance(const std::vector<float>& a, const std::vector<float>& b)
{
    double difference = 0, norm = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        const double x = static_cast<double>(a[i]), y = static_cast<double>(b[i]);
        difference += (x - y) * (x - y);
        norm += y * y;
    }
    return std::sqrt(difference / norm);
}

template <class T> QString problem(const Result<T>& result)
{
    return result ? QString() : QString::fromStdString(result.error().toString());
}

} // namespace

class DataParallelTest : public QObject
{
    Q_OBJECT

private slots:
    void ranksTrainWhatOneRankTrains_data();
    void ranksTrainWhatOneRankTrains();
    void dropoutDrawsWhatItDrawsInPartsOfABatch();
    void shardsAndBucketsChangeNoBit();
    void runningMeansAreRankZeros();
    void aGradientThatIsNotFiniteStopsAllRanks();
    void rulesThatNeedWholeTensorsRefuseShards_data();
    void rulesThatNeedWholeTensorsRefuseShards();
    void bucketsAreDoneWhenTheySay();
    void bucketsLeaveWhileTheWayBackGoesOn();

private:
    TrainingModel model(const char* type, std::map<std::string, pipeline::Json> parameters) const;
    TrainingModel perceptron(double dropout = 0) const
    {
        return model("model.mlp", {{"hidden", {24, 16}}, {"dropout", dropout}});
    }
    /// The outcome of each rank.
    std::vector<Result<Outcome>> train(const TrainingModel& model, StepSettings settings, const Division& division,
                                       double rate, std::int64_t steps) const;
    Result<Outcome> trainRank(const TrainingModel& model, const StepSettings& settings, const Division& division,
                              double rate, std::int64_t steps, int rank) const;

    pipeline::Catalogue m_catalogue = pipeline::Catalogue::create();
    Rows m_rows = madeUpRows(4 * kBatch);
};

TrainingModel DataParallelTest::model(const char* type, std::map<std::string, pipeline::Json> parameters) const
{
    pipeline::RowsSchema schema;
    schema.features = std::string_view(type) == "model.mlp" ? Shape{kFeatures} : Shape{4, 4, 1};
    schema.image = schema.features.rank() == 3;
    schema.target = pipeline::TargetKind::Classes;
    schema.classes = {"a", "b", "c", "d"};
    pipeline::Node node;
    node.id = "net";
    node.type = type;
    for (auto& [name, value] : parameters) node.params[name] = value;
    return {
        pipeline::expandModel(node, m_catalogue, schema).value(), m_catalogue, schema, compile::Loss::CrossEntropy, {}};
}

Result<Outcome> DataParallelTest::trainRank(const TrainingModel& model, const StepSettings& settings,
                                            const Division& division, double rate, std::int64_t steps, int rank) const
{
    PartOfBatches rows(m_rows, division, rank, isFullBatch(settings.optimizer));
    MR_TRY(auto stepper, Stepper::create(model, settings, {rows.size()}));
    Outcome outcome;
    for (std::int64_t step = 0; step < steps; ++step) {
        rows.goTo(step);
        MR_CHECK(stepper->step(rows, step, rate));
        MR_TRY(const auto figures, stepper->figures());
        outcome.last = *figures;
        outcome.losses.push_back(figures->loss);
    }
    const auto weights = stepper->weights()->parameters(), states = stepper->weights()->states();
    outcome.weights.assign(weights.begin(), weights.end());
    outcome.states.assign(states.begin(), states.end());
    return outcome;
}

std::vector<Result<Outcome>> DataParallelTest::train(const TrainingModel& model, StepSettings settings,
                                                     const Division& division, double rate, std::int64_t steps) const
{
    settings.threads = 1;
    settings.seed = 5;
    settings.accumulation = division.accumulation;
    const QTemporaryDir folder;
    std::vector<Result<Outcome>> outcomes(static_cast<std::size_t>(division.ranks),
                                          makeError(Code::Internal, "not run"));
    std::vector<std::jthread> threads;
    for (int rank = 0; rank < division.ranks; ++rank)
        threads.emplace_back([&, settings, rank]() mutable {
            auto group =
                collective::createGlooGroup({.rank = rank,
                                             .worldSize = division.ranks,
                                             .meetingFile = folder.filePath(QStringLiteral("meeting")).toStdString(),
                                             .host = "127.0.0.1"});
            auto& outcome = outcomes[static_cast<std::size_t>(rank)];
            if (!group) {
                outcome = std::move(group).error();
                return;
            }
            if (division.ranks > 1) settings.ranks = {std::move(group).value(), division.shards, division.bucketBytes};
            outcome = trainRank(model, settings, division, rate, steps, rank);
        });
    threads.clear();
    return outcomes;
}

void DataParallelTest::ranksTrainWhatOneRankTrains_data()
{
    QTest::addColumn<QString>("optimizer");
    QTest::addColumn<double>("rate");
    QTest::addColumn<int>("ranks");
    QTest::addColumn<int>("accumulation");
    QTest::addColumn<bool>("shards");
    QTest::addColumn<double>("clipNorm");
    const auto add = [](const char* optimizer, double rate, int ranks, int accumulation, bool shards, double clip = 0) {
        QTest::addRow("%s, %d ranks, %d parts%s%s", optimizer, ranks, accumulation, shards ? ", shards" : "",
                      clip > 0 ? ", clipped" : "")
            << QString::fromLatin1(optimizer) << rate << ranks << accumulation << shards << clip;
    };
    for (const bool shards : {false, true})
        for (const int ranks : {2, 4}) {
            add("sgd", 0.05, ranks, 1, shards);
            add("adamw", 2e-3, ranks, 1, shards);
        }
    add("adamw", 2e-3, 2, 3, false);
    add("adamw", 2e-3, 4, 2, true);
    add("sgd", 0.05, 2, 2, false, 0.2);
    add("sgd", 0.05, 3, 1, true, 0.2);
    add("adam", 2e-3, 2, 1, true);
    add("nadam", 2e-3, 2, 1, true);
    add("rmsprop", 1e-3, 2, 2, true);
    add("adagrad", 0.02, 4, 1, true);
    add("adadelta", 0.5, 2, 1, true);
    add("lion", 1e-3, 2, 1, true);
    add("lamb", 0.01, 2, 1, false);
    add("muon", 0.01, 2, 1, false);
    add("lbfgs", 0.5, 2, 1, false);
}

void DataParallelTest::ranksTrainWhatOneRankTrains()
{
    QFETCH(const QString, optimizer);
    QFETCH(const double, rate);
    QFETCH(const int, ranks);
    QFETCH(const int, accumulation);
    QFETCH(const bool, shards);
    QFETCH(const double, clipNorm);
    StepSettings settings;
    settings.optimizer = OptimizerSettings::of(optimizer.toStdString());
    settings.clipNorm = clipNorm;
    settings.average = 0.9;
    const bool common = optimizer == QStringLiteral("sgd") || optimizer == QStringLiteral("adamw");
    const std::int64_t steps = isFullBatch(settings.optimizer) ? 5 : common ? 60 : 20;
    const auto alone = train(perceptron(), settings, {}, rate, steps);
    const auto together = train(perceptron(), settings, {ranks, accumulation, shards}, rate, steps);
    QVERIFY2(alone[0], qPrintable(problem(alone[0])));
    for (const auto& outcome : together) {
        QVERIFY2(outcome, qPrintable(problem(outcome)));
        QVERIFY(outcome->weights == together[0]->weights);
        QVERIFY(outcome->losses == together[0]->losses);
        QCOMPARE(outcome->last.rows, kBatch);
        QCOMPARE(outcome->last.weight, static_cast<double>(kBatch));
    }
    const double distance = relativeDistance(together[0]->weights, alone[0]->weights);
    QVERIFY2(distance < 1e-5, qPrintable(QString::number(distance)));
    for (std::size_t step = 0; step < alone[0]->losses.size(); ++step)
        QVERIFY(std::abs(together[0]->losses[step] - alone[0]->losses[step]) < 1e-5 * alone[0]->losses[step]);
    QCOMPARE(together[0]->last.correct, alone[0]->last.correct);
    QVERIFY(alone[0]->losses.back() < alone[0]->losses.front());
}

void DataParallelTest::dropoutDrawsWhatItDrawsInPartsOfABatch()
{
    StepSettings settings;
    const auto alone = train(perceptron(0.3), settings, {.ranks = 1, .accumulation = 4}, 2e-3, 20);
    const auto together = train(perceptron(0.3), settings, {.ranks = 2, .accumulation = 2}, 2e-3, 20);
    QVERIFY2(alone[0], qPrintable(problem(alone[0])));
    QVERIFY2(together[0], qPrintable(problem(together[0])));
    QVERIFY(relativeDistance(together[0]->weights, alone[0]->weights) < 1e-5);
}

void DataParallelTest::shardsAndBucketsChangeNoBit()
{
    StepSettings settings;
    const auto whole = train(perceptron(), settings, {.ranks = 3, .bucketBytes = 1 << 20}, 2e-3, 10);
    QVERIFY2(whole[0], qPrintable(problem(whole[0])));
    for (const bool shards : {false, true})
        for (const std::uint64_t bytes : {64U, 3000U}) {
            const auto cut =
                train(perceptron(), settings, {.ranks = 3, .shards = shards, .bucketBytes = bytes}, 2e-3, 10);
            QVERIFY2(cut[0], qPrintable(problem(cut[0])));
            QVERIFY(cut[0]->weights == whole[0]->weights);
        }
}

void DataParallelTest::runningMeansAreRankZeros()
{
    const auto net = model("model.resnet", {{"depth", "18"}, {"width", 4}});
    const auto outcomes = train(net, {}, {.ranks = 2, .bucketBytes = 100'000}, 1e-3, 3);
    for (const auto& outcome : outcomes) {
        QVERIFY2(outcome, qPrintable(problem(outcome)));
        QVERIFY(!outcome->states.empty());
        QVERIFY(outcome->states == outcomes[0]->states);
        QVERIFY(outcome->weights == outcomes[0]->weights);
    }
}

void DataParallelTest::aGradientThatIsNotFiniteStopsAllRanks()
{
    m_rows.features[kBatch * kFeatures / 2] = std::numeric_limits<float>::infinity(); // of rank 1
    const auto outcomes = train(perceptron(), {}, {.ranks = 2}, 2e-3, 3);
    m_rows = madeUpRows(4 * kBatch);
    for (const auto& outcome : outcomes) {
        QVERIFY(!outcome);
        QVERIFY2(outcome.error().code == Code::Diverged, qPrintable(problem(outcome)));
    }
    QVERIFY(outcomes[1].error().message.find("it first appeared in layer") != std::string::npos);
}

void DataParallelTest::rulesThatNeedWholeTensorsRefuseShards_data()
{
    QTest::addColumn<QString>("optimizer");
    for (const char* id : {"lamb", "muon", "lbfgs", "cg"}) QTest::newRow(id) << QString::fromLatin1(id);
}

void DataParallelTest::rulesThatNeedWholeTensorsRefuseShards()
{
    QFETCH(const QString, optimizer);
    StepSettings settings;
    settings.optimizer = OptimizerSettings::of(optimizer.toStdString());
    for (const auto& outcome : train(perceptron(), settings, {.ranks = 2, .shards = true}, 0.01, 1)) {
        QVERIFY(!outcome);
        QCOMPARE(outcome.error().code, Code::Unsupported);
        QVERIFY2(outcome.error().message.starts_with("The optimizer " + optimizer.toStdString()),
                 qPrintable(problem(outcome)));
    }
}

namespace {

Result<compile::Program> programOf(const TrainingModel& model)
{
    StepSettings settings;
    settings.threads = 1;
    return trainingProgram(model, settings, 8);
}

} // namespace

// After the operation that a bucket names its gradients are as they stay; before it one of them was not yet written.
void DataParallelTest::bucketsAreDoneWhenTheySay()
{
    auto program = programOf(perceptron());
    QVERIFY2(program, qPrintable(problem(program)));
    const auto buckets = gradientBuckets(*program, 200);
    QVERIFY(buckets.size() > 2);
    std::vector<GradientBucket> byPlace = buckets;
    std::ranges::sort(byPlace, {}, &GradientBucket::begin);
    std::set<std::size_t> borders;
    for (const auto& placement : program->placements)
        if (placement.arena == compile::Placement::Arena::Parameters) borders.insert(placement.offset / sizeof(float));
    std::size_t end = 0;
    for (const GradientBucket& bucket : byPlace) {
        QCOMPARE(bucket.begin, end);
        QVERIFY(borders.contains(bucket.begin));
        end = bucket.end;
    }
    QCOMPARE(end * sizeof(float), program->gradientBytes);

    auto weights = execute::Weights::create(*program, 1);
    auto executor = execute::Executor::create(*std::move(program), *weights, 1);
    QVERIFY2(executor, qPrintable(problem(executor)));
    const auto features = (*executor)->floats("features").value();
    std::ranges::copy(std::span(m_rows.features).first(features.size()), features.begin());
    const auto gradients = (*executor)->gradients();
    const float unwritten = std::numeric_limits<float>::quiet_NaN();
    for (const auto& segment : parameterLayout((*executor)->program()).segments)
        std::fill(gradients.begin() + static_cast<std::ptrdiff_t>(segment.begin),
                  gradients.begin() + static_cast<std::ptrdiff_t>(segment.end), unwritten);
    std::map<std::size_t, std::vector<float>> seen; // by bucket
    bool early = false;
    (*executor)->afterEach([&](std::size_t operation) {
        for (std::size_t i = 0; i < buckets.size(); ++i) {
            const auto part = gradients.subspan(buckets[i].begin, buckets[i].end - buckets[i].begin);
            const bool written = std::ranges::none_of(part, [](float value) { return std::isnan(value); });
            early = early || (written && operation < buckets[i].readyAfter);
            if (operation == buckets[i].readyAfter) seen[i].assign(part.begin(), part.end());
        }
    });
    QVERIFY((*executor)->run(1, 0));
    QVERIFY(!early);
    for (std::size_t i = 0; i < buckets.size(); ++i) {
        const auto part = gradients.subspan(buckets[i].begin, buckets[i].end - buckets[i].begin);
        QVERIFY(std::ranges::equal(seen[i], part));
    }
}

// A group that only writes down what is started and waited for.
class NotingGroup : public Group
{
public:
    NotingGroup() : Group(0, 2) {}
    collective::Memory memory() const override { return collective::Memory::Host; }
    collective::Ticket startAllReduce(std::span<float> values) override { return note(values.size_bytes()); }
    collective::Ticket startReduceScatter(std::span<float> values) override { return note(values.size_bytes()); }
    collective::Ticket startAllGather(std::span<std::byte> values, std::size_t) override { return note(values.size()); }
    collective::Ticket startBroadcast(std::span<std::byte> values, int) override { return note(values.size()); }
    Status wait(collective::Ticket) override { return {}; }
    Status status() override { return {}; }
    Status barrier() override { return {}; }
    std::vector<collective::Member> members() const override { return {}; }

    std::vector<std::size_t> started; ///< bytes

private:
    collective::Ticket note(std::size_t bytes)
    {
        started.push_back(bytes);
        return {started.size()};
    }
};

void DataParallelTest::bucketsLeaveWhileTheWayBackGoesOn()
{
    const auto program = programOf(perceptron());
    QVERIFY(program);
    const auto group = std::make_shared<NotingGroup>();
    const auto exchange = GradientExchange::create({group, true, 200}, OptimizerSettings::of("adamw"), *program);
    QVERIFY2(exchange, qPrintable(problem(exchange)));
    const auto buckets = gradientBuckets(*program, 200);
    std::vector<float> gradients(program->gradientBytes / sizeof(float));
    for (int step = 0; step < 2; ++step) {
        group->started.clear();
        std::size_t prepared = 0;
        (*exchange)->begin(gradients, [&](const GradientBucket& bucket) {
            QCOMPARE(bucket, buckets[prepared]);
            prepared += 1;
        });
        std::size_t due = 0;
        for (std::size_t operation = 0; operation + 1 < program->graph.operations().size(); ++operation) {
            (*exchange)->completed(operation);
            while (due < buckets.size() && buckets[due].readyAfter <= operation) ++due;
            QCOMPARE(group->started.size(), due);
        }
        QVERIFY(due > 0 && due < buckets.size()); // some have left, some wait for the last operation
        QVERIFY((*exchange)->finish());
        QCOMPARE(group->started.size(), buckets.size());
        QCOMPARE(prepared, buckets.size());
    }
}

QTEST_GUILESS_MAIN(DataParallelTest)
#include "data_parallel_test.moc"
