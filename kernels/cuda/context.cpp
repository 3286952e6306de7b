#include "kernels/cuda/context.h"

#include "kernels/base/text.h"
#include "kernels/cuda/algorithm_cache.h"

#include <array>
#include <mutex>
#include <optional>
#include <cstdio>

namespace millrace::kernels::cuda {

namespace {

/// "GPU-01234567-89ab-…", as nvidia-smi writes it.
std::string uuidText(const cudaUUID_t& uuid)
{
    std::string text = "GPU-";
    for (std::size_t i = 0; i < sizeof uuid.bytes; ++i) {
        std::array<char, 3> digits{};
        std::snprintf(digits.data(), digits.size(), "%02x", static_cast<unsigned char>(uuid.bytes[i]));
        if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
        text += digits.data();
    }
    return text;
}

DeviceInfo describe(const Runtime& call, const cudaDeviceProp& properties, int index)
{
    int driver = 0;
    call.cudaDriverGetVersion(&driver); // 0 where it does not say
    return {.uuid = uuidText(properties.uuid),
            .name = properties.name,
            .index = index,
            .capabilityMajor = properties.major,
            .capabilityMinor = properties.minor,
            .multiprocessors = properties.multiProcessorCount,
            .memoryBytes = properties.totalGlobalMem,
            .libraries =
                str("driver ", driver, ", cuBLASLt ", call.cublasLtGetVersion(), ", cuDNN ", call.cudnnGetVersion())};
}

/// What is left of the context after an error: nothing but for errors of a single call.
Code codeOf(cudaError_t error)
{
    switch (error) {
    case cudaErrorMemoryAllocation:
        return Code::OutOfMemory;
    case cudaErrorInsufficientDriver:
    case cudaErrorNoDevice:
    case cudaErrorInvalidDevice:
        return Code::Unsupported;
    case cudaErrorDevicesUnavailable:
        return Code::Busy;
    case cudaErrorInvalidValue:
    case cudaErrorInvalidConfiguration:
    case cudaErrorStreamCaptureUnsupported:
    case cudaErrorStreamCaptureInvalidated:
    case cudaErrorStreamCaptureMerge:
    case cudaErrorStreamCaptureUnmatched:
    case cudaErrorStreamCaptureUnjoined:
    case cudaErrorStreamCaptureIsolation:
    case cudaErrorStreamCaptureImplicit:
    case cudaErrorCapturedEvent:
    case cudaErrorStreamCaptureWrongThread:
    case cudaErrorLaunchOutOfResources:
    case cudaErrorNoKernelImageForDevice:
    case cudaErrorInvalidDeviceFunction:
        return Code::Internal;
    default: // the rest is sticky: illegal address, ECC, launch failure, device removed, …
        return Code::DeviceLost;
    }
}

} // namespace

struct Context::Failure
{
    std::mutex mutex; // guards error
    std::optional<Error> error;
};

Context::Context() : m_runtime(cuda::runtime()), m_failure(std::make_unique<Failure>()) {}

Context::~Context()
{
    m_algorithms.reset();
    if (m_networks) m_runtime.cudnnDestroy(m_networks);
    if (m_products) m_runtime.cublasLtDestroy(m_products);
    if (m_transfer) m_runtime.cudaStreamDestroy(m_transfer);
    if (m_compute) m_runtime.cudaStreamDestroy(m_compute);
}

Result<std::vector<DeviceInfo>> Context::visibleDevices()
{
    const Context asker;
    const Runtime& call = asker.m_runtime;
    int count = 0;
    MR_CHECK(asker.asStatus(call.cudaGetDeviceCount(&count), "counting the GPUs"));
    std::vector<DeviceInfo> devices;
    for (int index = 0; index < count; ++index) {
        cudaDeviceProp properties{};
        MR_CHECK(asker.asStatus(call.cudaGetDeviceProperties(&properties, index), "reading the GPU's properties"));
        devices.push_back(describe(call, properties, index));
    }
    return devices;
}

Result<std::unique_ptr<Context>> Context::create(int index, std::string cacheFolder)
{
    std::unique_ptr<Context> context(new Context);
    Context& self = *context;
    const Runtime& call = self.m_runtime;
    MR_CHECK(self.asStatus(call.cudaSetDevice(index), "opening the GPU"));
    cudaDeviceProp properties{};
    MR_CHECK(self.asStatus(call.cudaGetDeviceProperties(&properties, index), "reading the GPU's properties"));
    self.m_info = describe(call, properties, index);
    self.m_sharedBytesPerBlock = static_cast<int>(properties.sharedMemPerBlockOptin);
    if (properties.major < 8)
        return makeError(Code::Unsupported,
                         str("The GPU ", self.m_info.name, " has compute capability ", properties.major, ".",
                             properties.minor, ", but this build needs at least 8.0 (Ampere)."))
            .advise("Use --device cpu, or a newer GPU.");
    MR_CHECK(self.asStatus(call.cudaStreamCreateWithFlags(&self.m_compute, cudaStreamNonBlocking), "a queue"));
    MR_CHECK(self.asStatus(call.cudaStreamCreateWithFlags(&self.m_transfer, cudaStreamNonBlocking), "a queue"));
    MR_CHECK(self.asStatus(call.cublasLtCreate(&self.m_products), "opening cuBLASLt"));
    MR_CHECK(self.asStatus(call.cudnnCreate(&self.m_networks), "opening cuDNN"));
    MR_CHECK(self.asStatus(call.cudnnSetStream(self.m_networks, self.m_compute), "opening cuDNN"));
    self.m_algorithms = std::make_unique<AlgorithmCache>(std::move(cacheFolder), self.m_info);
    return context;
}

Status Context::asStatus(cudaError_t error, std::string_view what) const
{
    if (error == cudaSuccess) return {};
    m_runtime.cudaGetLastError(); // an error of a single call must not be found again by the next one
    const Code code = codeOf(error);
    Error result = makeError(code, str("The GPU ", m_info.name, m_info.name.empty() ? "" : " (", m_info.uuid,
                                       m_info.name.empty() ? "" : ") ", "failed at ", what, ": ",
                                       cudaGetErrorString(error), " (", cudaGetErrorName(error), ")."));
    if (code == Code::DeviceLost)
        return std::move(result).advise("The run goes on from its last checkpoint in a new process.");
    return result;
}

Status Context::asStatus(cublasStatus_t error, std::string_view what) const
{
    if (error == CUBLAS_STATUS_SUCCESS) return {};
    const Code code = error == CUBLAS_STATUS_ALLOC_FAILED       ? Code::OutOfMemory
                      : error == CUBLAS_STATUS_NOT_SUPPORTED    ? Code::Unsupported
                      : error == CUBLAS_STATUS_EXECUTION_FAILED ? Code::DeviceLost
                                                                : Code::Internal;
    return makeError(code, str("cuBLASLt failed at ", what, ": status ", static_cast<int>(error), "."));
}

Status Context::asStatus(cudnnStatus_t error, std::string_view what) const
{
    if (error == CUDNN_STATUS_SUCCESS) return {};
    const int number = static_cast<int>(error);
    // cuDNN 9: the thousands say of which kind a status is
    const Code code = number / 1000 == 3 ? Code::Unsupported : number / 1000 == 5 ? Code::DeviceLost : Code::Internal;
    std::array<char, 512> text{};
    m_runtime.cudnnGetLastErrorString(text.data(), text.size());
    return makeError(code, str("cuDNN failed at ", what, ": status ", number, ", ", printable(text.data()), "."));
}

void Context::keep(Error error)
{
    const std::lock_guard lock(m_failure->mutex);
    if (!m_failure->error) m_failure->error = std::move(error);
}

bool Context::check(cudaError_t error, std::string_view what)
{
    if (error == cudaSuccess) return true;
    keep(asStatus(error, what).error());
    return false;
}

bool Context::check(cublasStatus_t error, std::string_view what)
{
    if (error == CUBLAS_STATUS_SUCCESS) return true;
    keep(asStatus(error, what).error());
    return false;
}

bool Context::check(cudnnStatus_t error, std::string_view what)
{
    if (error == CUDNN_STATUS_SUCCESS) return true;
    keep(asStatus(error, what).error());
    return false;
}

bool Context::check(Status status)
{
    if (status) return true;
    keep(std::move(status).error());
    return false;
}

Status Context::status() const
{
    const std::lock_guard lock(m_failure->mutex);
    if (m_failure->error) return Error(*m_failure->error);
    return {};
}

} // namespace millrace::kernels::cuda
