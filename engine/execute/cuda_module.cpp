#include "engine/execute/cuda_module.h"

#include "kernels/base/files.h"
#include "kernels/base/text.h"
#include "kernels/cuda/module.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <dlfcn.h>
#include <filesystem>

namespace millrace::execute {

namespace {

namespace cuda = kernels::cuda;

constexpr const char* kDriver = "libcuda.so.1";
constexpr const char* kModule = "libmillrace-cuda.so";
constexpr int kSuccess = 0, kNoDevice = 100; // CUDA_ERROR_NO_DEVICE
#ifdef MILLRACE_CUDA_MAJOR
constexpr int kNeededDriver = 1000 * MILLRACE_CUDA_MAJOR; // what cuDriverGetVersion must say at least
#else
constexpr int kNeededDriver = 0; // there is no module that would need one
#endif

constexpr std::string_view kUseCpu = "Or use --device cpu.";

Error noVisibleDevice()
{
    const char* visible = std::getenv("CUDA_VISIBLE_DEVICES");
    Error error = makeError(Code::NotFound,
                            visible ? str("No GPU is visible: CUDA_VISIBLE_DEVICES is \"", printable(visible), "\".")
                                    : std::string("The NVIDIA driver knows no GPU."));
    return std::move(error).advise(visible ? "Unset it, or name a GPU that nvidia-smi -L lists."
                                           : "See what nvidia-smi -L lists. Or use --device cpu.");
}

/// Whether NVIDIA's driver is there, new enough, and has a GPU to show. It is asked before the module is loaded, whose
/// libraries would only say that something went wrong.
Status checkDriver()
{
    void* driver = ::dlopen(kDriver, RTLD_NOW | RTLD_LOCAL); // stays open: the module needs it too
    if (!driver)
        return makeError(Code::NotFound, str("No NVIDIA driver was found: ", ::dlerror(), "."))
            .advise(str("Install NVIDIA's driver. ", kUseCpu));
    const auto find = [&](const char* name) { return ::dlsym(driver, name); };
    const auto initialize = reinterpret_cast<int (*)(unsigned)>(find("cuInit"));
    const auto version = reinterpret_cast<int (*)(int*)>(find("cuDriverGetVersion"));
    const auto count = reinterpret_cast<int (*)(int*)>(find("cuDeviceGetCount"));
    const auto describe = reinterpret_cast<int (*)(int, const char**)>(find("cuGetErrorString"));
    if (!initialize || !version || !count)
        return makeError(Code::Unsupported, str("The NVIDIA driver's ", kDriver,
                                                " lacks cuInit, cuDriverGetVersion or ", "cuDeviceGetCount."))
            .advise(str("Install NVIDIA's driver anew. ", kUseCpu));
    int number = 0;
    if (version(&number) == kSuccess && number < kNeededDriver)
        return makeError(Code::Unsupported,
                         str("The NVIDIA driver supports CUDA ", number / 1000, ".", number % 1000 / 10,
                             ", but this build needs CUDA ", kNeededDriver / 1000, ".0."))
            .advise(str("Install a newer driver. ", kUseCpu));
    int devices = 0;
    int result = initialize(0);
    if (result == kSuccess) result = count(&devices);
    if (result == kNoDevice || (result == kSuccess && devices == 0)) return noVisibleDevice();
    if (result == kSuccess) return {};
    const char* words = nullptr;
    if (!describe || describe(result, &words) != kSuccess || words == nullptr) words = "no description";
    return makeError(Code::Unsupported, str("The NVIDIA driver does not start: ", words, " (", result, ")."))
        .advise(str("If the driver was updated, restart the computer. ", kUseCpu));
}

/// $MILLRACE_CUDA_MODULE, or beside this program or in the lib folder beside its own.
Result<std::string> findModule()
{
    if (const char* given = std::getenv("MILLRACE_CUDA_MODULE"); given && *given != '\0') return std::string(given);
    std::error_code failure;
    const std::string folder = std::filesystem::read_symlink("/proc/self/exe", failure).parent_path();
    const std::array<std::string, 2> places{joinPath(folder, kModule), absolutePath(str(folder, "/../lib/", kModule))};
    for (const std::string& place : places)
        if (exists(place)) return place;
    return makeError(Code::NotFound,
                     str("This build has no GPU support: there is neither ", places[0], " nor ", places[1], "."))
        .advise(str("Build it where CUDA's nvcc and cuDNN 9 are. ", kUseCpu));
}

struct Module
{
    cuda::DevicesFunction* devices = nullptr;
    cuda::OpenFunction* open = nullptr;
};

/// Loaded once and never closed: devices that it made live in its code.
Result<Module> loadModule()
{
    MR_CHECK(checkDriver());
    MR_TRY(const std::string path, findModule());
    void* handle = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!handle)
        return makeError(Code::Unsupported, str("The GPU module cannot be loaded: ", ::dlerror(), "."))
            .advise(str("Install the library that it names (cuDNN 9, cuBLAS of CUDA ", kNeededDriver / 1000,
                        "), or name its folder in LD_LIBRARY_PATH. ", kUseCpu));
    const auto identity = reinterpret_cast<cuda::IdentityFunction*>(::dlsym(handle, cuda::kIdentityName));
    Module module{reinterpret_cast<cuda::DevicesFunction*>(::dlsym(handle, cuda::kDevicesName)),
                  reinterpret_cast<cuda::OpenFunction*>(::dlsym(handle, cuda::kOpenName))};
    if (!identity || !module.devices || !module.open)
        return makeError(Code::Unsupported, str("\"", printable(path), "\" is no GPU module of Millrace."));
    if (std::string_view(identity()) != cuda::kModuleIdentity)
        return makeError(Code::Unsupported, str("The GPU module \"", printable(path), "\" is of another build (\"",
                                                printable(identity()), "\", not \"", cuda::kModuleIdentity, "\")."))
            .advise("Install Millrace whole.");
    return module;
}

Result<std::vector<kernels::DeviceInfo>> devicesOf(const Module& module)
{
    std::vector<kernels::DeviceInfo> devices;
    Status status;
    module.devices(devices, status);
    MR_CHECK(status);
    if (devices.empty()) return noVisibleDevice();
    return devices;
}

std::string listed(std::span<const kernels::DeviceInfo> devices)
{
    std::string list;
    for (const kernels::DeviceInfo& device : devices)
        list += str(list.empty() ? "" : ", ", device.index, " ", device.name, " (", device.uuid, ")");
    return list;
}

} // namespace

Result<DeviceChoice> DeviceChoice::create(std::string_view text)
{
    constexpr std::string_view kPrefix = "cuda:";
    if (text == "cpu") return DeviceChoice{};
    if (text == "cuda") return DeviceChoice{true, {}};
    const std::string_view which = text.starts_with(kPrefix) ? text.substr(kPrefix.size()) : std::string_view();
    const auto index = parseInteger(which);
    if ((index && *index >= 0) || which.starts_with("GPU-") || which.starts_with("MIG-"))
        return DeviceChoice{true, std::string(which)};
    return makeError(Code::InvalidArgument, str("There is no device \"", printable(text), "\"."))
        .advise("Use cpu, cuda, cuda:INDEX or cuda:GPU-….");
}

Result<kernels::DeviceInfo> chooseDevice(std::span<const kernels::DeviceInfo> devices, const DeviceChoice& choice,
                                         std::span<const std::string> excluded)
{
    std::vector<kernels::DeviceInfo> left;
    std::ranges::copy_if(devices, std::back_inserter(left), [&](const kernels::DeviceInfo& device) {
        return std::ranges::find(excluded, device.uuid) == excluded.end();
    });
    std::vector<kernels::DeviceInfo> meant;
    const auto index = parseInteger(choice.which);
    std::ranges::copy_if(left, std::back_inserter(meant), [&](const kernels::DeviceInfo& device) {
        return index ? device.index == *index : device.uuid.starts_with(choice.which);
    });
    if (meant.size() == 1 || (!meant.empty() && choice.which.empty())) return meant.front();
    if (meant.size() > 1)
        return makeError(Code::InvalidArgument,
                         str("Several GPUs begin with ", printable(choice.which), ": ", listed(meant), "."))
            .advise("Write more of the UUID.");
    if (left.empty())
        return makeError(Code::NotFound, str("No GPU is left: ", listed(devices), " failed."))
            .advise("See what nvidia-smi says of it, and resume the run when it works again, or with another GPU.");
    return makeError(Code::NotFound,
                     str("There is no GPU ", printable(choice.which), " here; there is ", listed(left), "."))
        .advise("Name one of these, or use --device cuda.");
}

Result<std::vector<kernels::DeviceInfo>> cudaDevices()
{
    MR_TRY(const Module module, loadModule());
    return devicesOf(module);
}

Result<std::unique_ptr<kernels::Device>> openCudaDevice(const DeviceChoice& choice, const std::string& cacheFolder,
                                                        std::span<const std::string> excluded)
{
    MR_TRY(const Module module, loadModule());
    MR_TRY(const auto devices, devicesOf(module));
    MR_TRY(const kernels::DeviceInfo info, chooseDevice(devices, choice, excluded));
    Result<std::unique_ptr<kernels::Device>> device = std::unique_ptr<kernels::Device>();
    module.open(info.index, cacheFolder, device);
    return device;
}

} // namespace millrace::execute
