// Questions to a real child process: answers, errors, a child that dies, one that is not there.
#include "ui/bridge/runner_answers.h"

#include <QSignalSpy>
#include <QTest>

using namespace millrace;
using namespace millrace::ui;
using namespace Qt::StringLiterals;

namespace {

/// The answers to inspections; a spy cannot keep them, for there is no empty Result.
struct Inspected
{
    explicit Inspected(RunnerAnswers& from)
    {
        QObject::connect(&from, &RunnerAnswers::inspected, &from, [this](quint64 request, const InspectAnswer& answer) {
            answers.emplace_back(request, answer);
        });
    }
    bool wait()
    {
        const auto before = answers.size();
        return QTest::qWaitFor([&] { return answers.size() > before; });
    }
    std::vector<std::pair<quint64, InspectAnswer>> answers;
};

} // namespace

class RunnerAnswersTest : public QObject
{
    Q_OBJECT
private slots:
    void inspectsData();
    void answersEveryRequestOnce();
    void describesAndPredicts();
    void startsAgainAfterItDied();
    void saysThatThereIsNoRunner();
    void refusesGarbage();
};

void RunnerAnswersTest::inspectsData()
{
    RunnerAnswers answers;
    Inspected inspected(answers);
    answers.requestInspect(17, u"{\"id\": \"d\", \"type\": \"data.csv\", \"params\": {\"path\": \"a.csv\"}}"_s,
                           u"/some/folder/"_s);
    QVERIFY(inspected.wait());
    QCOMPARE(inspected.answers[0].first, 17ull);
    const auto answer = inspected.answers[0].second;
    QVERIFY(answer);
    QCOMPARE(answer->rows, std::int64_t(150));
    QCOMPARE(answer->targetName, std::string("/some/folder"));

    answers.requestInspect(18, u"{\"id\": \"d\", \"type\": \"data.csv\", \"params\": {}}"_s, u"/"_s);
    QVERIFY(inspected.wait());
    QCOMPARE(inspected.answers[1].second.error().code, Code::NotFound);
    answers.requestInspect(19, u"no json"_s, u"/"_s);
    QVERIFY(inspected.wait());
    QVERIFY(!inspected.answers[2].second);
}

void RunnerAnswersTest::answersEveryRequestOnce()
{
    RunnerAnswers answers;
    Inspected inspected(answers);
    QSignalSpy predicted(&answers, &RunnerAnswers::predicted);
    for (quint64 i = 0; i < 50; ++i) {
        answers.requestInspect(i, u"{\"type\": \"data.csv\", \"params\": {\"path\": \"a\"}}"_s, u"/"_s);
        answers.predictRow(u"/number"_s, u"1,2"_s);
    }
    QTRY_COMPARE(inspected.answers.size(), std::size_t(50));
    QTRY_COMPARE(predicted.size(), 50);
    for (std::size_t i = 0; i < 50; ++i) QCOMPARE(inspected.answers[i].first, quint64(i));
}

void RunnerAnswersTest::describesAndPredicts()
{
    RunnerAnswers answers;
    QSignalSpy described(&answers, &RunnerAnswers::described), predicted(&answers, &RunnerAnswers::predicted),
        failed(&answers, &RunnerAnswers::failed);
    const RequestId asked = answers.describe(u"/image"_s);
    QVERIFY(described.wait());
    QCOMPARE(described[0][0].toULongLong(), asked);
    const auto model = described[0][1].value<ModelDescription>();
    QVERIFY(model.schema.image);
    QCOMPARE(model.parameters, qint64(41000));
    QCOMPARE(model.columns.size(), 3);

    answers.predictImage(u"/image"_s, 2, 1, {0.5f, 1.0f});
    QVERIFY(predicted.wait());
    const auto classes = predicted[0][1].value<Prediction>();
    QCOMPARE(classes.classes, (QStringList{u"no"_s, u"yes"_s}));
    QCOMPARE(classes.probabilities[1], 0.75);
    answers.predictValues(u"/number"_s, {1, 2});
    QVERIFY(predicted.wait());
    QCOMPARE(predicted[1][1].value<Prediction>().value, 3.25);
    answers.predictRow(u"/table"_s, u"1,bad"_s);
    QVERIFY(failed.wait());
    QCOMPARE(failed[0][1].value<Error>().code, Code::InvalidArgument);
}

void RunnerAnswersTest::startsAgainAfterItDied()
{
    RunnerAnswers answers;
    Inspected inspected(answers);
    QSignalSpy predicted(&answers, &RunnerAnswers::predicted);
    answers.requestInspect(1, u"{\"type\": \"crash\", \"params\": {}}"_s, u"/"_s);
    QVERIFY(inspected.wait());
    QCOMPARE(inspected.answers[0].second.error().code, Code::ProcessDied);
    answers.predictValues(u"/number"_s, {1});
    QVERIFY(predicted.wait());
}

void RunnerAnswersTest::saysThatThereIsNoRunner()
{
    RunnerAnswers answers(u"/no/such/program"_s);
    Inspected inspected(answers);
    QSignalSpy failed(&answers, &RunnerAnswers::failed);
    answers.requestInspect(1, u"{\"type\": \"data.csv\", \"params\": {}}"_s, u"/"_s);
    QVERIFY(inspected.wait());
    const Error error = inspected.answers[0].second.error();
    QCOMPARE(error.code, Code::ProcessDied);
    QVERIFY(error.message.find("/no/such/program") != std::string::npos);
    answers.describe(u"/image"_s);
    QVERIFY(failed.wait());
}

void RunnerAnswersTest::refusesGarbage()
{
    RunnerAnswers answers;
    Inspected inspected(answers);
    answers.requestInspect(1, u"{\"type\": \"garbage\", \"params\": {\"path\": \"a\"}}"_s, u"/"_s);
    QVERIFY(inspected.wait());
    QVERIFY(!inspected.answers[0].second);
}

QTEST_GUILESS_MAIN(RunnerAnswersTest)
#include "runner_answers_test.moc"
