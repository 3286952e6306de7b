// The answering runner: one JSON object a line in, one a line out, whatever the line is.
#include "engine/pipeline/model_builder.h"
#include "engine/run/answers.h"
#include "engine/run/stage_results.h"
#include "engine/train/model_tensors.h"
#include "tests/generate/language_models.h"

#include <QtTest>

#include <sstream>

using namespace millrace;

class AnswersTest : public QObject
{
    Q_OBJECT

private slots:
    void everyLineHasOneAnswer();
    void aTableIsInspected();
    void aModelAnswersRawRows();
    void aModelOfTextGoesOn();

private:
    static std::vector<nlohmann::json> ask(const std::string& lines)
    {
        std::istringstream requests(lines);
        std::ostringstream answers;
        run::answerRequests(requests, answers);
        std::vector<nlohmann::json> all;
        std::istringstream back(answers.str());
        for (std::string line; std::getline(back, line);) all.push_back(nlohmann::json::parse(line));
        return all;
    }
};

void AnswersTest::everyLineHasOneAnswer()
{
    const auto answers = ask("not json\n{\"id\": 4}\n{\"id\": 5, \"inspect\": {\"type\": \"data.cvs\"}}\n[1]\n"
                             "{\"id\": 6, \"predict\": {\"model\": \"/nowhere\", \"row\": \"1\"}}\n"
                             "{\"id\": 7, \"predict\": 3}\n");
    QCOMPARE(answers.size(), std::size_t{6});
    for (const auto& answer : answers) QVERIFY2(answer.contains("error"), answer.dump().c_str());
    QCOMPARE(answers[1]["id"].get<int>(), 4);
    QVERIFY(answers[2]["error"].dump().find("data.csv") != std::string::npos);
}

void AnswersTest::aTableIsInspected()
{
    QTemporaryDir folder;
    QFile file(folder.filePath(QStringLiteral("t.csv")));
    QVERIFY(file.open(QIODevice::WriteOnly));
    file.write("a,b,kind\n1,2,x\n3,4,y\n5,6,x\n");
    file.close();
    const auto answers = ask(R"({"id": 1, "inspect": {"type": "data.csv", "params": {"path": "t.csv"}, "base": ")" +
                             folder.path().toStdString() + "\"}}\n");
    QCOMPARE(answers.size(), std::size_t{1});
    QVERIFY2(answers[0].contains("schema"), answers[0].dump().c_str());
    const auto schema = pipeline::rowsSchemaFromJson(answers[0]["schema"]);
    QVERIFY(schema);
    QCOMPARE(schema->features, Shape({2}));
    QCOMPARE(schema->classes.size(), std::size_t{2});
}

void AnswersTest::aModelAnswersRawRows()
{
    formats::Model model;
    model.schema.features = Shape{2};
    model.schema.target = pipeline::TargetKind::Classes;
    model.schema.classes = {"no", "yes"};
    model.schema.columns = {{"a"}, {"b"}};
    model.preprocessing.steps = nlohmann::json::parse(R"([{"kind": "scale", "offset": [10, 0], "factor": [1, 1]}])");
    const auto catalogue = pipeline::Catalogue::create();
    pipeline::Node node;
    node.id = "net";
    node.type = "model.mlp";
    node.params = pipeline::Json::parse(R"({"hidden": []})");
    const auto layers = pipeline::expandModel(node, catalogue, model.schema);
    QVERIFY2(layers, layers ? "" : layers.error().toString().c_str());
    model.layers = pipeline::layersToJson(*layers);
    auto graph = pipeline::buildModel(*layers, catalogue, model.schema, 1);
    QVERIFY(graph);
    for (const auto& tensor : graph->tensors()) {
        if (tensor.role != graph::Role::Parameter) continue;
        std::vector<float> values(static_cast<std::size_t>(tensor.shape.elements()), 0.0f);
        if (tensor.shape == Shape({2, 2})) values = {0, 0, 1, 0}; // the logit of "yes" is a − 10
        model.tensors.push_back({tensor.name, tensor.shape, values});
    }
    QTemporaryDir folder;
    QVERIFY(formats::saveModel(model, folder.path().toStdString()));
    const std::string path = folder.path().toStdString();
    const auto answers = ask(R"({"id": 1, "predict": {"model": ")" + path +
                             R"(", "row": "10,3"}})"
                             "\n"
                             R"({"id": 2, "predict": {"model": ")" +
                             path +
                             R"(", "values": [20, 0]}})"
                             "\n"
                             R"({"id": 3, "predict": {"model": ")" +
                             path +
                             R"(", "row": "10,three"}})"
                             "\n"
                             R"({"id": 4, "describe": {"model": ")" +
                             path +
                             R"("}})"
                             "\n");
    QCOMPARE(answers.size(), std::size_t{4});
    QVERIFY2(answers[0].contains("prediction"), answers[0].dump().c_str());
    QCOMPARE(answers[0]["prediction"]["probabilities"][1].get<double>(), 0.5);
    QVERIFY(answers[1]["prediction"]["probabilities"][1].get<double>() > 0.9999);
    QVERIFY2(answers[2]["error"].dump().find("three") != std::string::npos, answers[2].dump().c_str());
    QCOMPARE(answers[3]["model"]["classes"], nlohmann::json({"no", "yes"}));
    QCOMPARE(answers[3]["model"]["parameters"].get<int>(), 6);
}

void AnswersTest::aModelOfTextGoesOn()
{
    QTemporaryDir folder;
    QVERIFY(formats::saveModel(tests::reciter("abc"), folder.path().toStdString()));
    const nlohmann::json question{
        {"model", folder.path().toStdString()}, {"prompt", "a"}, {"tokens", 4}, {"temperature", 0}};
    nlohmann::json wrong = question;
    wrong["top_p"] = 7;
    const auto line = [](const nlohmann::json& request) { return request.dump() + "\n"; };
    const auto answers = ask(line({{"cancel", 2}}) + line({{"id", 1}, {"generate", question}}) +
                             line({{"id", 2}, {"generate", question}}) + line({{"id", 3}, {"generate", wrong}}) +
                             line({{"id", 4}, {"predict", {{"model", question["model"]}, {"values", {1}}}}}) +
                             line({{"id", 5}, {"describe", {{"model", question["model"]}}}}));
    QCOMPARE(answers.size(), std::size_t{9});
    std::string text;
    for (std::size_t i = 0; i < 4; ++i) {
        QCOMPARE(answers[i]["id"].get<int>(), 1);
        QCOMPARE(answers[i]["more"].get<bool>(), true);
        text += answers[i]["text"].get<std::string>();
    }
    QCOMPARE(text, std::string("bcab"));
    QCOMPARE(answers[4]["generated"]["tokens"].get<int>(), 4);
    QCOMPARE(answers[4]["generated"]["stopped"].get<bool>(), false);
    QCOMPARE(answers[5]["generated"]["tokens"].get<int>(), 0); // cancelled before it began
    QCOMPARE(answers[5]["generated"]["stopped"].get<bool>(), true);
    QVERIFY(answers[6]["error"].dump().find("top-p") != std::string::npos);
    QVERIFY(answers[7].contains("error"));
    QCOMPARE(answers[8]["model"]["schema"]["vocabulary"].get<int>(), 256);
}

QTEST_GUILESS_MAIN(AnswersTest)
#include "answers_test.moc"
