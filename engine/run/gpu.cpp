#include "engine/run/gpu.h"

#include "engine/execute/cuda_module.h"
#include "engine/protocol/device_choice.h"
#include "kernels/base/files.h"
#include "kernels/base/text.h"

namespace millrace::run {

namespace {
constexpr unsigned kXidWaitMs = 300; // the driver tells an Xid a little after a call has failed
}

Result<std::unique_ptr<Gpu>> Gpu::open(std::string_view device, const std::string& cacheDirectory,
                                       std::span<const std::string> excluded)
{
    MR_TRY(const auto choice, protocol::DeviceChoice::create(device));
    if (!choice.gpu) return std::unique_ptr<Gpu>();
    std::unique_ptr<Gpu> gpu(new Gpu);
    MR_TRY(gpu->m_device, execute::openCudaDevice(choice.which, joinPath(cacheDirectory, "gpu"), excluded));
    if (auto nvml = telemetry::Nvml::open()) { // a run goes on without what it tells
        gpu->m_nvml = std::move(*nvml);
        gpu->m_nvml->watchXids(gpu->info().uuid);
    }
    return gpu;
}

std::string Gpu::name() const
{
    return str(info().name, " (", info().uuid, ")");
}

std::string Gpu::kind() const
{
    return str(info().name, ", ", info().libraries);
}

void Gpu::noteXids(std::span<const telemetry::Xid> xids)
{
    for (const telemetry::Xid& xid : xids)
        if (xid.uuid == info().uuid) m_xid = xid.number;
}

std::optional<std::uint64_t> Gpu::xid()
{
    if (m_nvml && !m_xid) noteXids(m_nvml->takeXids(kXidWaitMs));
    return m_xid;
}

} // namespace millrace::run
