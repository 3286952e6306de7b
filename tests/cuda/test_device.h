// The device that tests of device code run on: the simulated GPU, or, in the tests labelled gpu, the first real one.
#pragma once

#include "kernels/ops/device.h"

#ifdef MILLRACE_SIMULATED
#include "kernels/cuda/cuda_device.h"
#include "tests/cuda/simulated/faults.h"
#else
#include "engine/execute/cuda_module.h"
#endif

#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace millrace::test {

inline Result<std::unique_ptr<kernels::Device>> openTestDevice()
{
#ifdef MILLRACE_SIMULATED
    // MILLRACE_SIMULATED_WORK=late: work is done when it is waited for
    using Properties = kernels::cuda::simulated::Properties;
    const char* work = std::getenv("MILLRACE_SIMULATED_WORK");
    Properties properties;
    if (work && std::string_view(work) == "late") properties.work = Properties::Work::WhenWaitedFor;
    kernels::cuda::simulated::restart(properties);
    return kernels::cuda::openDevice(0, {});
#else
    return execute::openCudaDevice({}, {});
#endif
}

/// Ends the test where the device could not be opened: a simulated one has to be there, a real one need not.
#ifdef MILLRACE_SIMULATED
#define MR_REQUIRE_DEVICE(opened) QVERIFY2(opened, (opened) ? "" : (opened).error().toString().c_str())
#else
#define MR_REQUIRE_DEVICE(opened)                                                                                      \
    if (!(opened)) QSKIP((opened).error().toString().c_str())
#endif

/// Values in the device's memory, copied from the host's and back by way of pinned memory. A test may take a failure to
/// allocate for the end of it.
template <class T> class OnDevice
{
public:
    OnDevice(kernels::Device& device, std::span<const T> values) : m_device(device), m_count(values.size())
    {
        m_memory = *device.allocate(values.size_bytes(), "a test's values");
        m_host = *device.allocateHost(values.size_bytes(), "a test's values");
        write(values);
    }
    OnDevice(kernels::Device& device, const std::vector<T>& values) : OnDevice(device, std::span<const T>(values)) {}
    OnDevice(kernels::Device& device, const T& value) : OnDevice(device, std::span<const T>(&value, 1)) {}

    T* data() const { return reinterpret_cast<T*>(m_memory->at(0)); }

    void write(std::span<const T> values)
    {
        std::memcpy(m_host->at(0), values.data(), values.size_bytes());
        m_device.copy(data(), m_host->at(0), values.size_bytes());
        (void)m_device.synchronize();
    }
    std::vector<T> read() const
    {
        m_device.copy(m_host->at(0), data(), m_count * sizeof(T));
        (void)m_device.synchronize();
        std::vector<T> values(m_count);
        std::memcpy(values.data(), m_host->at(0), m_count * sizeof(T));
        return values;
    }

private:
    kernels::Device& m_device;
    std::size_t m_count;
    std::unique_ptr<kernels::Memory> m_memory, m_host;
};

} // namespace millrace::test
