// The graphs that kernels/cuda builds, shown to the real cuDNN with the descriptions of devices that need not be there:
// for each it must have engines of the wanted precision, and plans where those need no driver.
#include "kernels/base/files.h"
#include "kernels/cuda/attention_graph.h"
#include "kernels/cuda/convolution_graph.h"

#include <QTest>

#include <algorithm>
#include <functional>

using namespace millrace;
using namespace millrace::kernels;
using namespace millrace::kernels::cuda;

namespace {

using Kind = NetworkGraph::Convolution;
using Build = std::function<Status(NetworkGraph&)>;

struct Case
{
    std::string name;
    bool isExact = false;     ///< no TF32
    bool needsDriver = false; ///< its engines are compiled for the device, and loaded by the driver
    Build build;
};

Case convolutionCase(const std::string& name, Kind kind, const Conv2d& conv, DType type, bool bias)
{
    return {name + ": " + convolutionKey(kind, conv, type, bias), type == DType::F32, false,
            [=](NetworkGraph& graph) { return buildConvolution(graph, kind, conv, type, bias); }};
}

std::vector<Case> cases()
{
    const std::pair<const char*, Conv2d> convolutions[] = {
        {"ResNet 3x3", {64, 56, 56, 64, 64, 3, 3, 1, 1, 1, 1, 1}},
        {"ResNet stem", {64, 224, 224, 3, 64, 7, 7, 1, 2, 2, 3, 3}},
        {"ResNet 1x1", {64, 56, 56, 64, 256, 1, 1}},
        {"ResNet shortcut", {64, 56, 56, 256, 512, 1, 1, 1, 2, 2}},
        {"depthwise", {32, 56, 56, 96, 96, 3, 3, 96, 1, 1, 1, 1}},
        {"two groups", {8, 14, 14, 64, 64, 3, 3, 2, 1, 1, 1, 1}},
        {"grey digits", {32, 8, 8, 1, 16, 3, 3, 1, 1, 1, 1, 1}},
        {"odd", {3, 7, 5, 3, 5, 3, 2, 1, 2, 1, 1, 0, 1, 2}},
    };
    std::vector<Case> all;
    for (const auto& [name, conv] : convolutions) {
        for (const DType type : {DType::F32, DType::BF16, DType::F16}) {
            for (const Kind kind : {Kind::Forward, Kind::Data, Kind::Weights})
                all.push_back(convolutionCase(name, kind, conv, type, false));
            all.push_back(convolutionCase(name, Kind::Forward, conv, type, true));
        }
    }
    const std::pair<const char*, Attention> attentions[] = {
        {"GPT-2", {16, 1024, 768, 12, true}},
        {"wide heads", {2, 64, 512, 4, true}},
        {"both ways", {4, 100, 256, 4, false}},
        {"odd steps", {2, 33, 96, 4, true}},
    };
    for (const auto& [name, attention] : attentions) {
        for (const DType type : {DType::BF16, DType::F16}) {
            const std::string text = std::string(name) + " attention " + std::string(millrace::name(type));
            all.push_back({text + " forward", false, true,
                           [=](NetworkGraph& graph) { return buildAttention(graph, attention, type); }});
            all.push_back({text + " backward", false, true,
                           [=](NetworkGraph& graph) { return buildAttentionBackward(graph, attention, type); }});
        }
    }
    return all;
}

Result<Descriptor> describeDevice(const std::string& name)
{
    MR_TRY(const std::string json, readFile(std::string(MILLRACE_TEST_DATA) + "/devices/" + name + ".json", 1 << 16));
    return makeDescriptor(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR,
                          {Attribute(CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR,
                                     static_cast<std::int64_t>(json.size()), json.data())});
}

} // namespace

class GraphsTest : public QObject
{
    Q_OBJECT

private slots:
    void accepted_data()
    {
        QTest::addColumn<QString>("device");
        QTest::addColumn<std::size_t>("index");
        const auto all = cases();
        for (const char* device : {"h100", "a100"}) {
            for (std::size_t i = 0; i < all.size(); ++i)
                QTest::addRow("%s %s", device, all[i].name.c_str()) << device << i;
        }
    }

    void accepted()
    {
        QFETCH(QString, device);
        QFETCH(std::size_t, index);
        const Case wanted = cases()[index];
        const auto description = describeDevice(device.toStdString());
        QVERIFY2(description.has_value(), description ? "" : description.error().message.c_str());
        NetworkGraph graph;
        const auto built = wanted.build(graph);
        QVERIFY2(built.has_value(), built ? "" : built.error().message.c_str());
        const auto finalized = graph.finalize();
        QVERIFY2(finalized.has_value(), finalized ? "" : finalized.error().message.c_str());

        auto engines = proposeEngines(graph, {.exactF32 = wanted.isExact}, description->get());
        QVERIFY2(engines.has_value(), engines ? "" : engines.error().message.c_str());
        if (wanted.needsDriver) return;
        const auto hasPlan = [&](Descriptor& engine) {
            return makePlan(std::move(engine), description->get()).has_value();
        };
        QVERIFY(std::any_of(engines->begin(), engines->end(), hasPlan));
    }
};

QTEST_APPLESS_MAIN(GraphsTest)
#include "graphs_test.moc"
