// The GPU that a run computes on: opened before its first stage, watched while it runs.
#pragma once

#include "engine/telemetry/nvml.h"
#include "kernels/ops/device.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace millrace::run {

class Gpu
{
public:
    /// `device` as in the job: cpu (null is returned), cuda, cuda:INDEX or cuda:UUID, but none of those `excluded`.
    /// Errors: those of execute::openCudaDevice.
    static Result<std::unique_ptr<Gpu>> open(std::string_view device, const std::string& cacheDirectory,
                                             std::span<const std::string> excluded);

    const std::shared_ptr<kernels::Device>& device() const { return m_device; }
    const kernels::DeviceInfo& info() const { return m_device->info(); }
    /// "NVIDIA H100 80GB HBM3 (GPU-5e6…)"
    std::string name() const;
    /// What a result depends on: the kind of GPU and the libraries' versions, not which one of them it was.
    std::string kind() const;

    /// Null where the driver has no NVML. Used by the run's heartbeat while that lives.
    telemetry::Nvml* nvml() const { return m_nvml.get(); }
    /// The Xid that the driver told last of this GPU, waiting a moment for it; nothing where it tells none.
    std::optional<std::uint64_t> xid();
    void noteXids(std::span<const telemetry::Xid> xids);

private:
    Gpu() = default;
    std::shared_ptr<kernels::Device> m_device; // shared with all that stages make on it
    std::unique_ptr<telemetry::Nvml> m_nvml;
    std::optional<std::uint64_t> m_xid;
};

} // namespace millrace::run
