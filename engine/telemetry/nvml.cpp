#include "engine/telemetry/nvml.h"

#include "kernels/base/text.h"

#include <array>
#include <dlfcn.h>
#include <optional>
#include <string_view>
#include <utility>

namespace millrace::telemetry {

namespace {

// The part of NVML's C interface that is used here. It is stable: functions and structs whose meaning changed have a
// version in their name. Sizes are those of 64-bit Linux. https://docs.nvidia.com/deploy/nvml-api
using Return = int;
constexpr Return kSuccess = 0, kInsufficientSize = 7, kGpuIsLost = 15;
constexpr int kTemperatureOfDie = 0, kSmClock = 1, kMemoryClock = 2; // of nvmlTemperatureSensors_t, nvmlClockType_t
constexpr unsigned long long kXidEvent = 8, kNotAvailable = ~0ull;
constexpr std::size_t kTextBytes = 96; // the longest of UUID, name and driver version

using Device = void*;
using EventSet = void*;

struct Utilization
{
    unsigned gpu, memory; ///< percent of the last sample period
};
struct Memory
{
    unsigned long long total, free, used; ///< bytes
};
struct ProcessInfo // what nvmlDeviceGetComputeRunningProcesses_v3 fills in: nvmlProcessInfo_v2_t
{
    unsigned pid;
    unsigned long long usedGpuMemory;
    unsigned gpuInstance, computeInstance;
};
struct EventData
{
    Device device;
    unsigned long long type, data;
    unsigned gpuInstance, computeInstance;
};
static_assert(sizeof(ProcessInfo) == 24 && sizeof(EventData) == 32);

struct Reason
{
    unsigned long long bit;
    std::string_view name;
};
// nvmlClocksEventReasons. That it idles, or that its owner chose its clocks, holds nothing down.
constexpr auto kThrottleReasons = std::to_array<Reason>({{0x4, "power cap"},
                                                         {0x8, "hardware slowdown"},
                                                         {0x10, "sync boost"},
                                                         {0x20, "software thermal slowdown"},
                                                         {0x40, "hardware thermal slowdown"},
                                                         {0x80, "power brake"},
                                                         {0x100, "display clocks"}});

} // namespace

/// NVML's functions. Those from `getName` on may be missing in an old driver.
struct Nvml::Library
{
    ~Library()
    {
        if (eventSet) eventSetFree(eventSet);
        if (started) shutdown();
        if (handle) ::dlclose(handle);
    }

    Status load(const std::string& path);
    std::optional<Device> find(const std::string& uuid) const;
    std::string uuidOf(Device device) const;

    void* handle = nullptr;
    bool started = false;
    EventSet eventSet = nullptr;
    std::vector<std::pair<Device, std::string>> watched; ///< a lost GPU can no longer be asked for its UUID

    Return (*init)() = nullptr;
    Return (*shutdown)() = nullptr;
    const char* (*errorString)(Return) = nullptr;
    Return (*getCount)(unsigned*) = nullptr;
    Return (*getHandleByIndex)(unsigned, Device*) = nullptr;
    Return (*getUuid)(Device, char*, unsigned) = nullptr;

    Return (*getName)(Device, char*, unsigned) = nullptr;
    Return (*getDriverVersion)(char*, unsigned) = nullptr;
    Return (*getUtilization)(Device, Utilization*) = nullptr;
    Return (*getMemory)(Device, Memory*) = nullptr;
    Return (*getPower)(Device, unsigned*) = nullptr;
    Return (*getPowerLimit)(Device, unsigned*) = nullptr;
    Return (*getTemperature)(Device, int, unsigned*) = nullptr;
    Return (*getClock)(Device, int, unsigned*) = nullptr;
    Return (*getClockReasons)(Device, unsigned long long*) = nullptr;
    Return (*getProcesses)(Device, unsigned*, ProcessInfo*) = nullptr;
    Return (*eventSetCreate)(EventSet*) = nullptr;
    Return (*eventSetFree)(EventSet) = nullptr;
    Return (*eventSetWait)(EventSet, EventData*, unsigned) = nullptr;
    Return (*registerEvents)(Device, unsigned long long, EventSet) = nullptr;
};

Status Nvml::Library::load(const std::string& path)
{
    handle = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!handle)
        return makeError(Code::NotFound, str("The NVIDIA driver's library NVML was not found: ", ::dlerror(), "."));
    std::string missing;
    const auto take = [&](auto& function, const char* name) {
        function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(::dlsym(handle, name));
        return function != nullptr;
    };
    const auto need = [&](auto& function, const char* name) {
        if (!take(function, name) && missing.empty()) missing = name;
    };
    need(init, "nvmlInit_v2");
    need(shutdown, "nvmlShutdown");
    need(errorString, "nvmlErrorString");
    need(getCount, "nvmlDeviceGetCount_v2");
    need(getHandleByIndex, "nvmlDeviceGetHandleByIndex_v2");
    need(getUuid, "nvmlDeviceGetUUID");
    if (!missing.empty()) return makeError(Code::Unsupported, str("The NVIDIA driver's NVML has no ", missing, "."));
    take(getName, "nvmlDeviceGetName");
    take(getDriverVersion, "nvmlSystemGetDriverVersion");
    take(getUtilization, "nvmlDeviceGetUtilizationRates");
    take(getMemory, "nvmlDeviceGetMemoryInfo");
    take(getPower, "nvmlDeviceGetPowerUsage");
    take(getPowerLimit, "nvmlDeviceGetEnforcedPowerLimit");
    take(getTemperature, "nvmlDeviceGetTemperature");
    take(getClock, "nvmlDeviceGetClockInfo");
    if (!take(getClockReasons, "nvmlDeviceGetCurrentClocksEventReasons")) // its name from driver 535 on
        take(getClockReasons, "nvmlDeviceGetCurrentClocksThrottleReasons");
    take(getProcesses, "nvmlDeviceGetComputeRunningProcesses_v3");
    const bool events = take(eventSetCreate, "nvmlEventSetCreate") && take(eventSetFree, "nvmlEventSetFree") &&
                        take(eventSetWait, "nvmlEventSetWait_v2") && take(registerEvents, "nvmlDeviceRegisterEvents");
    if (!events) eventSetCreate = nullptr;

    const Return result = init();
    started = result == kSuccess;
    if (!started) return makeError(Code::Unsupported, str("NVML does not start: ", errorString(result), "."));
    if (events && eventSetCreate(&eventSet) != kSuccess) eventSet = nullptr;
    return {};
}

std::string Nvml::Library::uuidOf(Device device) const
{
    std::array<char, kTextBytes> text{};
    return getUuid(device, text.data(), kTextBytes) == kSuccess ? text.data() : "";
}

// Asked anew each time: handles do not outlive a GPU that is lost or reset.
std::optional<Device> Nvml::Library::find(const std::string& uuid) const
{
    unsigned count = 0;
    if (getCount(&count) != kSuccess) return std::nullopt;
    for (unsigned i = 0; i < count; ++i) {
        Device device = nullptr;
        if (getHandleByIndex(i, &device) == kSuccess && uuidOf(device) == uuid) return device;
    }
    return std::nullopt;
}

Nvml::Nvml(std::unique_ptr<Library> library) : m_library(std::move(library)) {}
Nvml::~Nvml() = default;

Result<std::unique_ptr<Nvml>> Nvml::open(const std::string& path)
{
    auto library = std::make_unique<Library>();
    MR_CHECK(library->load(path));
    return std::unique_ptr<Nvml>(new Nvml(std::move(library)));
}

std::string Nvml::driverVersion() const
{
    std::array<char, kTextBytes> text{};
    const auto ask = m_library->getDriverVersion;
    return ask && ask(text.data(), kTextBytes) == kSuccess ? text.data() : "";
}

std::vector<std::string> Nvml::devices() const
{
    std::vector<std::string> uuids;
    unsigned count = 0;
    if (m_library->getCount(&count) != kSuccess) return uuids;
    for (unsigned i = 0; i < count; ++i) {
        Device device = nullptr;
        if (m_library->getHandleByIndex(i, &device) != kSuccess) continue;
        if (std::string uuid = m_library->uuidOf(device); !uuid.empty()) uuids.push_back(std::move(uuid));
    }
    return uuids;
}

namespace {

/// What the processes on a GPU hold of its memory; nothing where it is not said.
std::optional<nlohmann::json> processesOf(Return (*ask)(Device, unsigned*, ProcessInfo*), Device device)
{
    constexpr unsigned kRoomForNewOnes = 8;
    std::vector<ProcessInfo> processes(kRoomForNewOnes);
    auto count = static_cast<unsigned>(processes.size());
    Return result = ask(device, &count, processes.data());
    if (result == kInsufficientSize) {
        processes.resize(count + kRoomForNewOnes);
        count = static_cast<unsigned>(processes.size());
        result = ask(device, &count, processes.data());
    }
    if (result != kSuccess) return std::nullopt;
    nlohmann::json list = nlohmann::json::array();
    for (unsigned i = 0; i < count && i < processes.size(); ++i) {
        nlohmann::json entry{{"pid", processes[i].pid}};
        if (processes[i].usedGpuMemory != kNotAvailable) entry["memory_bytes"] = processes[i].usedGpuMemory;
        list.push_back(std::move(entry));
    }
    return list;
}

} // namespace

nlohmann::json Nvml::sample(const std::string& uuid) const
{
    const Library& nvml = *m_library;
    nlohmann::json fields{{"uuid", uuid}};
    const auto device = nvml.find(uuid);
    bool lost = !device;
    // true where the function is there and answered
    const auto answered = [&](auto function, auto... arguments) {
        if (lost || function == nullptr) return false;
        const Return result = function(*device, arguments...);
        lost = result == kGpuIsLost;
        return result == kSuccess;
    };
    std::array<char, kTextBytes> name{};
    Utilization utilization{};
    Memory memory{};
    unsigned value = 0;
    unsigned long long reasons = 0;
    if (answered(nvml.getName, name.data(), static_cast<unsigned>(kTextBytes))) fields["name"] = name.data();
    if (answered(nvml.getUtilization, &utilization)) fields["utilization_percent"] = utilization.gpu;
    if (answered(nvml.getMemory, &memory)) {
        fields["memory_used_bytes"] = memory.used;
        fields["memory_bytes"] = memory.total;
    }
    if (answered(nvml.getPower, &value)) fields["power_watts"] = value / 1000.0; // NVML says milliwatts
    if (answered(nvml.getPowerLimit, &value)) fields["power_limit_watts"] = value / 1000.0;
    if (answered(nvml.getTemperature, kTemperatureOfDie, &value)) fields["temperature_celsius"] = value;
    if (answered(nvml.getClock, kSmClock, &value)) fields["sm_clock_mhz"] = value;
    if (answered(nvml.getClock, kMemoryClock, &value)) fields["memory_clock_mhz"] = value;
    if (answered(nvml.getClockReasons, &reasons)) {
        fields["throttle"] = nlohmann::json::array();
        for (const Reason& reason : kThrottleReasons)
            if (reasons & reason.bit) fields["throttle"].push_back(reason.name);
    }
    if (!lost && nvml.getProcesses)
        if (auto processes = processesOf(nvml.getProcesses, *device)) fields["processes"] = std::move(*processes);
    if (lost) return {{"uuid", uuid}, {"lost", true}};
    return fields;
}

void Nvml::watchXids(const std::string& uuid)
{
    const auto device = m_library->find(uuid);
    if (device && m_library->eventSet && m_library->registerEvents(*device, kXidEvent, m_library->eventSet) == kSuccess)
        m_library->watched.emplace_back(*device, uuid);
}

std::vector<Xid> Nvml::takeXids(unsigned waitMs)
{
    constexpr std::size_t kMost = 64; // of one call, should they never end
    std::vector<Xid> xids;
    EventData event{};
    while (m_library->eventSet && xids.size() < kMost &&
           m_library->eventSetWait(m_library->eventSet, &event, xids.empty() ? waitMs : 0) == kSuccess)
        for (const auto& [device, uuid] : m_library->watched)
            if (device == event.device && event.type == kXidEvent) xids.push_back({uuid, event.data});
    return xids;
}

} // namespace millrace::telemetry
