// NVML as the engine reads it, against a library that says planted values.
#include "engine/telemetry/nvml.h"
#include "engine/telemetry/sampler.h"

#include <QtTest>

using namespace millrace;
using telemetry::Nvml;

namespace {
const std::string kFirst = "GPU-11111111-1111-1111-1111-111111111111";
const std::string kSecond = "GPU-11111111-1111-1111-1111-111111111112";
const std::string kLibrary = MILLRACE_FAKE_NVML;
} // namespace

class NvmlTest : public QObject
{
    Q_OBJECT

private slots:
    void init() { tell(""); }
    void everyFieldIsThere();
    void whatIsNotSupportedIsLeftOut();
    void aLostGpuIsSaidToBe();
    void moreProcessesThanRoom();
    void xidsAreTold();
    void whatIsMissingIsSaid();
    void theSamplerHasTheDevices();

private:
    static void tell(const char* words) { qputenv("FAKE_NVML", words); }
};

void NvmlTest::everyFieldIsThere()
{
    const auto nvml = Nvml::open(kLibrary);
    QVERIFY2(nvml, nvml ? "" : nvml.error().toString().c_str());
    QCOMPARE((*nvml)->driverVersion(), std::string("580.65.06"));
    QCOMPARE((*nvml)->devices(), (std::vector<std::string>{kFirst, kSecond}));
    const nlohmann::json expected = {{"uuid", kFirst},
                                     {"name", "NVIDIA Planted 80GB"},
                                     {"utilization_percent", 97},
                                     {"memory_used_bytes", 30ull << 30},
                                     {"memory_bytes", 80ull << 30},
                                     {"power_watts", 512.345},
                                     {"power_limit_watts", 700.0},
                                     {"temperature_celsius", 71},
                                     {"sm_clock_mhz", 1755},
                                     {"memory_clock_mhz", 2619},
                                     {"throttle", {"power cap", "hardware thermal slowdown"}},
                                     {"processes", {{{"pid", 100}, {"memory_bytes", 1ull << 30}}, {{"pid", 101}}}}};
    QCOMPARE((*nvml)->sample(kFirst).dump(), expected.dump());
    QCOMPARE((*nvml)->sample(kSecond).at("throttle").dump(), std::string("[]")); // it only idles
}

void NvmlTest::whatIsNotSupportedIsLeftOut()
{
    tell("few-fields");
    const auto nvml = Nvml::open(kLibrary);
    QVERIFY(nvml);
    const nlohmann::json fields = (*nvml)->sample(kFirst);
    for (const char* name :
         {"power_watts", "power_limit_watts", "sm_clock_mhz", "memory_clock_mhz", "lost", "utilization_percent"})
        QVERIFY2(!fields.contains(name), name);
    QCOMPARE(fields.at("temperature_celsius").get<int>(), 71);
    QCOMPARE((*nvml)->sample(kSecond).at("utilization_percent").get<int>(), 97);
}

void NvmlTest::aLostGpuIsSaidToBe()
{
    const auto nvml = Nvml::open(kLibrary);
    QVERIFY(nvml);
    tell("lost");
    QCOMPARE((*nvml)->sample(kFirst).dump(), nlohmann::json({{"uuid", kFirst}, {"lost", true}}).dump());
    QCOMPARE((*nvml)->devices(), std::vector<std::string>{kSecond});
    QVERIFY((*nvml)->sample(kSecond).contains("power_watts"));
}

void NvmlTest::moreProcessesThanRoom()
{
    tell("crowded");
    const auto nvml = Nvml::open(kLibrary);
    QVERIFY(nvml);
    QCOMPARE((*nvml)->sample(kFirst).at("processes").size(), std::size_t{11});
}

void NvmlTest::xidsAreTold()
{
    tell("xid=79");
    const auto nvml = Nvml::open(kLibrary);
    QVERIFY(nvml);
    QVERIFY((*nvml)->takeXids().empty()); // nobody listened
    (*nvml)->watchXids(kFirst);
    tell("lost,xid=79"); // it cannot be asked for its UUID any more
    const auto xids = (*nvml)->takeXids(50);
    QCOMPARE(xids.size(), std::size_t{1});
    QVERIFY((xids[0] == telemetry::Xid{kFirst, 79}));
    QVERIFY((*nvml)->takeXids().empty());
}

void NvmlTest::whatIsMissingIsSaid()
{
    const auto nowhere = Nvml::open("/nowhere/libnvidia-ml.so.1");
    QVERIFY(!nowhere && nowhere.error().code == Code::NotFound);
    QVERIFY(nowhere.error().message.find("/nowhere/libnvidia-ml.so.1") != std::string::npos);
    tell("no-driver");
    const auto unloaded = Nvml::open(kLibrary);
    QVERIFY(!unloaded && unloaded.error().code == Code::Unsupported);
    QVERIFY(unloaded.error().message.find("Driver Not Loaded") != std::string::npos);
    const auto other = Nvml::open("libm.so.6"); // a library that is there and is none
    QVERIFY(!other && other.error().message.find("nvmlInit_v2") != std::string::npos);
}

void NvmlTest::theSamplerHasTheDevices()
{
    telemetry::Sampler alone;
    QVERIFY(alone.sample().at("devices").empty());
    auto nvml = Nvml::open(kLibrary);
    QVERIFY(nvml);
    telemetry::Sampler sampler(nvml->get(), {kSecond});
    const nlohmann::json devices = sampler.sample().at("devices");
    QCOMPARE(devices.size(), std::size_t{1});
    QCOMPARE(devices[0].at("uuid").get<std::string>(), kSecond);
}

QTEST_GUILESS_MAIN(NvmlTest)
#include "nvml_test.moc"
