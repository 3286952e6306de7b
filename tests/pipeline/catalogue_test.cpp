// The catalogue is whole and consistent; settings change what they name; cache keys depend on what a result depends on.
#include "engine/pipeline/cache_key.h"
#include "engine/pipeline/catalogue.h"
#include "engine/pipeline/catalogue_page.h"
#include "engine/pipeline/optimizer_types.h"
#include "engine/pipeline/schedule_types.h"
#include "kernels/base/files.h"
#include "kernels/base/text.h"

#include <QtTest>

#include <algorithm>
#include <set>

using namespace millrace;
using namespace millrace::pipeline;

namespace {
Node makeNode(std::string type, Json params = Json::object())
{
    return {"n", std::move(type), 0, 0, std::move(params), Json::object()};
}

std::string keyOf(const Node& node, const std::map<std::string, std::string>& inputs = {},
                  std::string_view content = {})
{
    return cacheKey(node, *Catalogue::create().find(node.type), inputs, content);
}

Document quickStart()
{
    return *parseDocument(*readFile(str(MILLRACE_SOURCE_DIR, "/resources/templates/quick_start.millrace"), 1 << 20));
}
} // namespace

class CatalogueTest : public QObject
{
    Q_OBJECT

private slots:
    void stableTypesAreThere_data();
    void stableTypesAreThere();
    void everySpecIsComplete();
    void defaultsAreAllowed();
    void valuesAreChecked_data();
    void valuesAreChecked();
    void valuesFallBackToDefaults();
    void defaultsFollowOtherParameters();
    void everyRowOfATableIsAParameter();
    void asJson();
    void pageIsTheProgram();
    void settingsChangeParameters_data();
    void settingsChangeParameters();
    void wrongSettingsAreRefused_data();
    void wrongSettingsAreRefused();
    void cacheKeyDependsOnWhatCounts();
    void cacheKeyOfLayersIgnoresTheCanvas();
};

void CatalogueTest::stableTypesAreThere_data()
{
    QTest::addColumn<QString>("type");
    QTest::addColumn<QString>("ports");
    QTest::addColumn<QString>("params");
    const auto row = [](const char* type, const char* ports, const char* params) {
        QTest::newRow(type) << QString::fromLatin1(type) << QString::fromLatin1(ports) << QString::fromLatin1(params);
    };
    row("data.builtin", "-> rows", "name");
    row("data.csv", "-> rows", "path target delimiter ignore");
    row("data.idx", "-> rows", "images labels");
    row("data.augment", "rows -> rows", "crop flip rotate brightness contrast noise cut_out mix_up");
    row("data.image_folder", "-> rows", "path height width mode bad");
    row("data.text", "-> tokens", "path tokenizer vocabulary vocab merges");
    row("data.split", "rows -> train test", "train seed stratify");
    row("data.standardize", "train test? -> train test", "");
    row("model.layers", "-> model", "layers");
    row("model.mlp", "-> model", "hidden activation dropout");
    row("train.supervised", "train validation? model -> model metrics",
        "epochs batch_size optimizer learning_rate weight_decay schedule warmup seed early_stopping momentum "
        "nesterov beta1 beta2 rho epsilon step_epochs step_factor decay_power final_rate patience loss label_smoothing "
        "class_weights clip_norm clip_value average gradient_accumulation precision rounding recompute");
    row("train.language", "tokens model -> model metrics",
        "steps context batch_size optimizer learning_rate weight_decay schedule warmup seed validation evaluate_every "
        "momentum nesterov beta1 beta2 rho epsilon step_length step_factor decay_power final_rate patience "
        "label_smoothing clip_norm clip_value average gradient_accumulation precision rounding recompute");
    row("evaluate.model", "model rows -> metrics", "");
    row("model.register", "model -> version", "name alias");
}

void CatalogueTest::stableTypesAreThere()
{
    QFETCH(QString, type);
    QFETCH(QString, ports);
    QFETCH(QString, params);
    const Catalogue catalogue = Catalogue::create();
    const NodeSpec* spec = catalogue.find(type.toStdString());
    QVERIFY(spec);
    std::string portText, paramText;
    for (const PortSpec& port : spec->inputs) portText += str(port.id, port.required ? " " : "? ");
    portText += "->";
    for (const PortSpec& port : spec->outputs) portText += " " + port.id;
    for (const ParamSpec& param : spec->params) paramText += str(paramText.empty() ? "" : " ", param.id);
    QCOMPARE(QString::fromStdString(portText), ports);
    QCOMPARE(QString::fromStdString(paramText), params);
}

void CatalogueTest::everySpecIsComplete()
{
    const std::set<std::string> categories{"Data", "Prepare", "Model", "Train", "Result"};
    std::set<std::string> types;
    const Catalogue catalogue = Catalogue::create();
    for (const NodeSpec& spec : catalogue.all()) {
        QVERIFY2(types.insert(spec.type).second, spec.type.c_str());
        QVERIFY2(!spec.title.empty() && !spec.category.empty() && spec.help.ends_with('.'), spec.type.c_str());
        QCOMPARE(spec.isLayer, spec.type.starts_with("layer."));
        QCOMPARE(categories.contains(spec.category), !spec.isLayer);
        QVERIFY(!spec.inputs.empty() || !spec.outputs.empty());
        std::set<std::string> params;
        for (const ParamSpec& param : spec.params) {
            QVERIFY2(params.insert(param.id).second, param.id.c_str());
            QVERIFY2(!param.title.empty() && !param.help.empty(), param.id.c_str());
            QCOMPARE(param.kind == ParamKind::Choice, !param.choices.empty());
            const bool ranged = param.kind == ParamKind::Integer || param.kind == ParamKind::Number ||
                                param.kind == ParamKind::IntegerList;
            QCOMPARE(ranged, param.minimum.has_value() && param.maximum.has_value());
        }
    }
}

void CatalogueTest::defaultsAreAllowed()
{
    const Catalogue catalogue = Catalogue::create();
    for (const NodeSpec& spec : catalogue.all())
        for (const ParamSpec& param : spec.params)
            if (!param.defaultValue.is_null()) {
                const Status status = checkParam(param, param.defaultValue);
                QVERIFY2(status, status ? "" : status.error().toString().c_str());
            }
}

void CatalogueTest::valuesAreChecked_data()
{
    QTest::addColumn<QString>("param"); // type/id
    QTest::addColumn<QString>("value");
    QTest::addColumn<bool>("allowed");
    const auto row = [](const char* param, const char* value, bool allowed) {
        QTest::newRow(str(param, " = ", value).c_str())
            << QString::fromLatin1(param) << QString::fromUtf8(value) << allowed;
    };
    row("train.supervised/epochs", "1", true);
    row("train.supervised/epochs", "10000", true);
    row("train.supervised/epochs", "15.0", true);
    row("train.supervised/epochs", "0", false);
    row("train.supervised/epochs", "10001", false);
    row("train.supervised/epochs", "1.5", false);
    row("train.supervised/epochs", "-1", false);
    row("train.supervised/epochs", "18446744073709551615", false);
    row("train.supervised/epochs", "\"3\"", false);
    row("train.supervised/epochs", "null", false);
    row("train.supervised/epochs", "true", false);
    row("train.supervised/learning_rate", "1", true);
    row("train.supervised/learning_rate", "0", false);
    row("train.supervised/learning_rate", "[0.1]", false);
    row("data.split/seed", "9007199254740991", true);
    row("data.split/seed", "9007199254740993", false);
    row("data.split/stratify", "false", true);
    row("data.split/stratify", "0", false);
    row("model.mlp/hidden", "[]", true);
    row("model.mlp/hidden", "[512, 256]", true);
    row("model.mlp/hidden", "[512, 0]", false);
    row("model.mlp/hidden", "[[1]]", false);
    row("model.mlp/hidden", "512", false);
    row("model.mlp/activation", "\"gelu\"", true);
    row("model.mlp/activation", "\"GELU\"", false);
    row("model.register/name", "\"digits-2.v_1\"", true);
    row("model.register/name", "\"\"", false);
    row("model.register/name", "\"../x\"", false);
    row("model.register/name", "\"a b\"", false);
    row("model.register/alias", "\"\"", true);
    row("data.csv/path", "\"in/a b.csv\"", true);
    row("data.csv/path", "\"\"", false);
    row("data.csv/path", "\"a\\u0000b\"", false);
    row("data.csv/path", "\"http://x/y.csv\"", false);
    row("data.csv/target", "\"$(x) %n <b>\"", true);
    row("layer.reshape/shape", "[-1, 4]", true);
    row("layer.reshape/shape", "[-2]", false);
    row("model.layers/layers", "{}", true);
    row("model.layers/layers", "[]", false);
}

void CatalogueTest::valuesAreChecked()
{
    QFETCH(QString, param);
    QFETCH(QString, value);
    QFETCH(bool, allowed);
    const std::string name = param.toStdString();
    const Catalogue catalogue = Catalogue::create();
    const ParamSpec* spec = catalogue.find(name.substr(0, name.find('/')))->param(name.substr(name.find('/') + 1));
    QVERIFY(spec);
    const Status status = checkParam(*spec, Json::parse(value.toStdString()));
    QCOMPARE(status.has_value(), allowed);
    if (!allowed) QCOMPARE(status.error().subject.parameter, spec->id);
}

void CatalogueTest::valuesFallBackToDefaults()
{
    const Catalogue catalogue = Catalogue::create();
    const NodeSpec& spec = *catalogue.find("train.supervised");
    const Node node = makeNode("train.supervised", {{"epochs", 3}, {"other", 1}});
    QCOMPARE(paramValue(node, spec, "epochs").get<int>(), 3);
    QCOMPARE(paramValue(node, spec, "batch_size").get<int>(), 32);
    QCOMPARE(paramValue(node, spec, "other").get<int>(), 1);
    QVERIFY(paramValue(node, spec, "unheard").is_null());
}

void CatalogueTest::defaultsFollowOtherParameters()
{
    const Catalogue catalogue = Catalogue::create();
    const NodeSpec& spec = *catalogue.find("train.supervised");
    const auto value = [&](Json params, std::string_view id) {
        return paramValue(makeNode("train.supervised", std::move(params)), spec, id);
    };
    QCOMPARE(value({{"optimizer", "lion"}}, "learning_rate").get<double>(), 1e-4);
    QCOMPARE(value({{"optimizer", "lion"}, {"learning_rate", 0.5}}, "learning_rate").get<double>(), 0.5);
    QCOMPARE(value({{"optimizer", 3}}, "learning_rate").get<double>(), 1e-3);
    QCOMPARE(value({{"optimizer", "muon"}}, "nesterov").get<bool>(), true);
    QCOMPARE(value({{"schedule", "exponential"}}, "step_epochs").get<int>(), 1);
    const auto counts = [&](Json params, std::string_view id) {
        return applies(*spec.param(id), makeNode("train.supervised", std::move(params)), spec);
    };
    QVERIFY(counts({{"optimizer", "sgd"}}, "momentum"));
    QVERIFY(!counts({}, "momentum"));
    QVERIFY(counts({}, "learning_rate"));
    QVERIFY(!counts({{"loss", "mse"}}, "class_weights"));
}

void CatalogueTest::everyRowOfATableIsAParameter()
{
    const Catalogue catalogue = Catalogue::create();
    const auto check = [&](const auto& rows, const char* chooser) {
        std::set<std::string_view> ids;
        for (const auto& row : rows) {
            QVERIFY(ids.insert(row.id).second);
            QVERIFY2(!row.title.empty() && row.help.ends_with('.') && !row.formula.empty(), row.id.data());
            const Node node = makeNode("train.supervised", {{chooser, row.id}});
            for (const auto& [id, value] : row.parameters) {
                const NodeSpec& owner = *catalogue.find(id == "step_length" ? "train.language" : "train.supervised");
                const ParamSpec* param = owner.param(id);
                QVERIFY2(param, std::string(id).c_str());
                QVERIFY(applies(*param, node, owner));
                const Json found = paramValue(node, owner, id);
                QCOMPARE(found.is_boolean() ? (found.get<bool>() ? 1.0 : 0.0) : found.get<double>(), value);
                QVERIFY(checkParam(*param, found));
            }
        }
    };
    check(optimizerTypes(), "optimizer");
    check(scheduleTypes(), "schedule");
    QVERIFY(!findOptimizer("adamm"));
    QCOMPARE(findSchedule("cosine")->title, std::string_view("Cosine"));
}

void CatalogueTest::asJson()
{
    const Catalogue catalogue = Catalogue::create();
    const Json all = toJson(catalogue);
    QCOMPARE(all.size(), catalogue.all().size());
    const Json split = toJson(*catalogue.find("data.split"));
    QCOMPARE(split["inputs"].dump(), std::string(R"([{"id":"rows","title":"Rows","type":"rows","required":true}])"));
    QCOMPARE(split["params"][1].dump(),
             std::string(R"({"id":"seed","title":"Seed","kind":"integer","required":false,"default":7,"minimum":0,)"
                         R"("maximum":9007199254740991,"help":"The same seed always gives the same split."})"));
}

// resources/catalogue.md is what `millrace nodes --page` prints.
void CatalogueTest::pageIsTheProgram()
{
    const auto kept = readFile(str(MILLRACE_SOURCE_DIR, "/resources/catalogue.md"), 4 << 20);
    QVERIFY(kept);
    const auto wanted = split(*kept, '\n');
    const std::string page = cataloguePage(Catalogue::create());
    const auto printed = split(page, '\n');
    for (std::size_t line = 0; line < std::min(wanted.size(), printed.size()); ++line)
        QCOMPARE(QString::fromStdString(str(line + 1, ": ", printed[line])),
                 QString::fromStdString(str(line + 1, ": ", wanted[line])));
    QCOMPARE(printed.size(), wanted.size());
}

void CatalogueTest::settingsChangeParameters_data()
{
    QTest::addColumn<QString>("setting");
    QTest::addColumn<QString>("pointer");
    QTest::addColumn<QString>("value");
    const auto row = [](const char* setting, const char* pointer, const char* value) {
        QTest::newRow(setting) << QString::fromUtf8(setting) << QString::fromLatin1(pointer)
                               << QString::fromUtf8(value);
    };
    row("fit.epochs=1", "/fit/epochs", "1");
    row("fit.learning_rate=1e-3", "/fit/learning_rate", "0.001");
    row("fit.optimizer=sgd", "/fit/optimizer", "\"sgd\"");
    row("fit.optimizer=\"sgd\"", "/fit/optimizer", "\"sgd\"");
    row("split.stratify=false", "/split/stratify", "false");
    row("register.name=123", "/register/name", "\"123\"");
    row("register.name=true", "/register/name", "\"true\"");
    row("net/conv1.channels=8", "/net/layers/nodes/1/params/channels", "8");
    row("net/norm1.epsilon=0.01", "/net/layers/nodes/2/params/epsilon", "0.01");
}

void CatalogueTest::settingsChangeParameters()
{
    QFETCH(QString, setting);
    QFETCH(QString, pointer);
    QFETCH(QString, value);
    Document document = quickStart();
    const Status status = applySetting(document, setting.toStdString());
    QVERIFY2(status, status ? "" : status.error().toString().c_str());
    Json params;
    for (const Node& node : document.nodes) params[node.id] = node.params;
    QCOMPARE(params.at(Json::json_pointer(pointer.toStdString())).dump(), value.toStdString());
}

void CatalogueTest::wrongSettingsAreRefused_data()
{
    QTest::addColumn<QString>("setting");
    QTest::addColumn<QString>("error");
    const auto row = [](const char* setting, const char* error) {
        QTest::newRow(setting) << QString::fromUtf8(setting) << QString::fromUtf8(error);
    };
    row("fit.epochs", "The setting 'fit.epochs' is not of the form node.param=value. For example fit.epochs=1, or "
                      "net/conv1.channels=8 for a layer.");
    row("epochs=1", "The setting 'epochs=1' is not of the form");
    row("fit.=1", "The setting 'fit.=1' is not of the form");
    row(".epochs=1", "The setting '.epochs=1' is not of the form");
    row("=", "The setting '=' is not of the form");
    row("fitt.epochs=1", "There is no node 'fitt'. Did you mean fit?");
    row("fit.epoch=1", "node fit, parameter epoch: Train has no parameter 'epoch'. Did you mean epochs");
    row("fit.epochs=0",
        "node fit, parameter epochs: Epochs is 0; a whole number from 1 to 10,000 epochs was expected.");
    row("fit.epochs=many", "node fit, parameter epochs: Epochs is \"many\"; a whole number");
    row("fit.optimizer=adamm",
        "node fit, parameter optimizer: Optimizer is \"adamm\"; one of adamw, adam, sgd, nadam, ");
    row("net/conv9.channels=8", "There is no layer 'conv9'. Did you mean conv1 or conv2?");
    row("net/conv1.channels=0", "node net/conv1, parameter channels: Channels is 0;");
    row("fit/conv1.channels=8", "node fit: The node 'fit' has no layers.");
}

void CatalogueTest::wrongSettingsAreRefused()
{
    QFETCH(QString, setting);
    QFETCH(QString, error);
    Document document = quickStart();
    const Status status = applySetting(document, setting.toStdString());
    QVERIFY(!status);
    QCOMPARE(QString::fromStdString(status.error().toString()).left(error.size()), error);
    QVERIFY(document == quickStart());
}

void CatalogueTest::cacheKeyDependsOnWhatCounts()
{
    const std::string key = keyOf(makeNode("data.split"), {{"rows", "k"}}, "c");
    QCOMPARE(key.size(), std::size_t{64});

    Node moved = makeNode("data.split");
    moved.id = "other";
    moved.x = 100;
    QCOMPARE(keyOf(moved, {{"rows", "k"}}, "c"), key);
    QCOMPARE(keyOf(makeNode("data.split", {{"seed", 7}, {"train", 0.8}}), {{"rows", "k"}}, "c"), key); // the defaults
    QCOMPARE(keyOf(makeNode("data.split", {{"seed", 7.0}}), {{"rows", "k"}}, "c"), key);

    std::set<std::string> keys{key};
    const auto isNew = [&](const std::string& other) { return keys.insert(other).second; };
    QVERIFY(isNew(keyOf(makeNode("data.split", {{"seed", 8}}), {{"rows", "k"}}, "c")));
    QVERIFY(isNew(keyOf(makeNode("data.split", {{"unknown", 8}}), {{"rows", "k"}}, "c")));
    QVERIFY(isNew(keyOf(makeNode("data.split"), {{"rows", "l"}}, "c")));
    QVERIFY(isNew(keyOf(makeNode("data.split"), {{"row", "k"}}, "c")));
    QVERIFY(isNew(keyOf(makeNode("data.split"), {}, "c")));
    QVERIFY(isNew(keyOf(makeNode("data.split"), {{"rows", "k"}}, "d")));
    QVERIFY(isNew(keyOf(makeNode("data.standardize"), {{"rows", "k"}}, "c")));
    NodeSpec newer = *Catalogue::create().find("data.split");
    ++newer.codeVersion;
    QVERIFY(isNew(cacheKey(makeNode("data.split"), newer, {{"rows", "k"}}, "c")));
}

void CatalogueTest::cacheKeyOfLayersIgnoresTheCanvas()
{
    const Document document = quickStart();
    const Node net = *document.find("net");
    const std::string key = keyOf(net);
    const auto changed = [&](auto change) {
        Document layers = *layersFromJson(net.params.at("layers"));
        change(layers);
        Node copy = net;
        copy.params["layers"] = layersToJson(layers);
        return keyOf(copy);
    };
    QCOMPARE(changed([](Document& layers) { layers.find("conv1")->x += 20; }), key);
    QCOMPARE(changed([](Document& layers) { std::swap(layers.links[0], layers.links[5]); }), key);
    QCOMPARE(changed([](Document& layers) { layers.find("conv1")->params["stride"] = 1; }), key); // the default
    QVERIFY(changed([](Document& layers) { layers.find("conv1")->params["stride"] = 2; }) != key);
    QVERIFY(changed([](Document& layers) { layers.find("relu1")->type = "layer.gelu"; }) != key);
    QVERIFY(changed([](Document& layers) { layers.links[0].to.node = "norm1"; }) != key);
}

QTEST_GUILESS_MAIN(CatalogueTest)
#include "catalogue_test.moc"
