// A libnvidia-ml.so with two GPUs that says what $FAKE_NVML tells it to: words separated by commas, read at each call.
//   no-driver       does not start             lost       the first GPU has fallen off the bus
//   few-fields      the first GPU supports neither power nor clocks nor utilisation
//   xid=N           the first GPU had this Xid (once)          crowded   eleven processes are on each GPU
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

namespace {

enum
{
    Success = 0,
    NotSupported = 3,
    NotFound = 6,
    InsufficientSize = 7,
    DriverNotLoaded = 9,
    Timeout = 10,
    Lost = 15
};

struct Process
{
    unsigned pid;
    unsigned long long bytes;
    unsigned gpuInstance, computeInstance;
};
struct Event
{
    void* device;
    unsigned long long type, data;
    unsigned gpuInstance, computeInstance;
};

char first, second; // whose addresses are the handles
void* const kDevices[] = {&first, &second};
bool registered = false, xidTold = false;

std::string_view told()
{
    const char* words = std::getenv("FAKE_NVML");
    return words ? words : "";
}
bool is(std::string_view word)
{
    return told().find(word) != std::string_view::npos;
}

int state(void* device, bool field = false)
{
    if (device != &first) return Success;
    if (is("lost")) return Lost;
    return field && is("few-fields") ? NotSupported : Success;
}

int say(const char* words, char* text, unsigned length)
{
    if (std::strlen(words) >= length) return InsufficientSize;
    std::strcpy(text, words);
    return Success;
}

int give(void* device, bool field, unsigned value, unsigned* out)
{
    if (const int result = state(device, field); result != Success) return result;
    *out = value;
    return Success;
}

} // namespace

extern "C" {

int nvmlInit_v2()
{
    return is("no-driver") ? DriverNotLoaded : Success;
}
int nvmlShutdown()
{
    return Success;
}
const char* nvmlErrorString(int result)
{
    return result == DriverNotLoaded ? "Driver Not Loaded" : "Unknown Error";
}
int nvmlDeviceGetCount_v2(unsigned* count)
{
    *count = 2;
    return Success;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void** device)
{
    if (index >= 2) return NotFound;
    *device = kDevices[index];
    return state(*device);
}
int nvmlDeviceGetUUID(void* device, char* text, unsigned length)
{
    if (const int result = state(device); result != Success) return result;
    return say(device == &first ? "GPU-11111111-1111-1111-1111-111111111111"
                                : "GPU-11111111-1111-1111-1111-111111111112",
               text, length);
}
int nvmlDeviceGetName(void*, char* text, unsigned length)
{
    return say("NVIDIA Planted 80GB", text, length);
}
int nvmlSystemGetDriverVersion(char* text, unsigned length)
{
    return say("580.65.06", text, length);
}
int nvmlDeviceGetUtilizationRates(void* device, unsigned* both)
{
    both[1] = 40;
    return give(device, true, 97, both);
}
int nvmlDeviceGetMemoryInfo(void* device, unsigned long long* totalFreeUsed)
{
    if (const int result = state(device); result != Success) return result;
    totalFreeUsed[0] = 80ull << 30;
    totalFreeUsed[1] = 50ull << 30;
    totalFreeUsed[2] = 30ull << 30;
    return Success;
}
int nvmlDeviceGetPowerUsage(void* device, unsigned* milliwatts)
{
    return give(device, true, 512345, milliwatts);
}
int nvmlDeviceGetEnforcedPowerLimit(void* device, unsigned* milliwatts)
{
    return give(device, true, 700000, milliwatts);
}
int nvmlDeviceGetTemperature(void* device, int sensor, unsigned* celsius)
{
    return sensor == 0 ? give(device, false, 71, celsius) : NotSupported;
}
int nvmlDeviceGetClockInfo(void* device, int clock, unsigned* megahertz)
{
    return give(device, true, clock == 1 ? 1755u : clock == 2 ? 2619u : 0u, megahertz);
}
int nvmlDeviceGetCurrentClocksEventReasons(void* device, unsigned long long* reasons)
{
    *reasons = device == &first ? 0x1 | 0x4 | 0x40 : 0x1; // the first is held down by its power and its heat
    return state(device);
}
int nvmlDeviceGetComputeRunningProcesses_v3(void* device, unsigned* count, Process* processes)
{
    if (const int result = state(device); result != Success) return result;
    const unsigned there = is("crowded") ? 11 : 2, room = *count;
    *count = there;
    if (room < there) return InsufficientSize;
    for (unsigned i = 0; i < there; ++i) processes[i] = {100 + i, i == 1 ? ~0ull : 1ull << 30, 0xFFFFFFFF, 0xFFFFFFFF};
    return Success;
}
int nvmlEventSetCreate(void** set)
{
    *set = &registered;
    return Success;
}
int nvmlEventSetFree(void*)
{
    return Success;
}
int nvmlDeviceRegisterEvents(void* device, unsigned long long types, void*)
{
    if (device == &first && types == 8) registered = true;
    return Success;
}
int nvmlEventSetWait_v2(void*, Event* event, unsigned)
{
    const std::size_t at = told().find("xid=");
    if (!registered || xidTold || at == std::string_view::npos) return Timeout;
    xidTold = true;
    *event = {&first, 8, std::strtoull(told().data() + at + 4, nullptr, 10), 0, 0};
    return Success;
}

} // extern "C"
