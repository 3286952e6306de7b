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

Result<std::vector<kernels::DeviceInfo>> chooseDevices(std::span<const kernels::DeviceInfo> devices,
                                                       std::string_view which, std::span<const std::string> excluded)
{
    std::vector<kernels::DeviceInfo> meant, left;
    const auto index = parseInteger(which);
    for (const kernels::DeviceInfo& device : devices) {
        if (index ? device.index == *index : device.uuid.starts_with(which)) meant.push_back(device);
        if (std::ranges::find(excluded, device.uuid) == excluded.end()) left.push_back(device);
    }
    if (meant.empty())
        return makeError(Code::NotFound,
                         str("There is no GPU ", printable(which), " here; there is ", listed(devices), "."))
            .advise("Name one of these, or use --device cuda.");
    if (meant.size() > 1 && !which.empty())
        return makeError(Code::InvalidArgument,
                         str("Several GPUs begin with ", printable(which), ": ", listed(meant), "."))
            .advise("Write more of the UUID.");
    const std::string lost = listed(meant);
    std::erase_if(meant, [&](const kernels::DeviceInfo& device) {
        return std::ranges::find(excluded, device.uuid) != excluded.end();
    });
    if (meant.empty())
        return makeError(Code::NotFound, str("The run has no GPU any more; lost: ", lost, ".",
                                             left.empty() ? "" : str(" There is still ", listed(left), ".")))
            .advise("Resume the run when the GPU works again (nvidia-smi shows it), or with another --device.");
    return meant;
}

Result<std::vector<kernels::DeviceInfo>> cudaDevices()
{
    MR_TRY(const Module module, loadModule());
    return devicesOf(module);
}

Result<std::unique_ptr<kernels::Device>> openCudaDevice(std::string_view which, const std::string& cacheFolder,
                                                        std::span<const std::string> excluded)
{
    MR_TRY(const Module module, loadModule());
    MR_TRY(const auto devices, devicesOf(module));
    MR_TRY(const auto meant, chooseDevices(devices, which, excluded));
    Result<std::unique_ptr<kernels::Device>> device = std::unique_ptr<kernels::Device>();
    for (const kernels::DeviceInfo& info : meant) {
        module.open(info.index, cacheFolder, device);
        if (device) break; // else the next, where any would do
    }
    return device;
}

} // namespace millrace::execute
