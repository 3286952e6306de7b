// What all kernels of one GPU share: its queues, the libraries' handles, and the first thing that went wrong.
#pragma once

#include "kernels/base/result.h"
#include "kernels/cuda/runtime.h"
#include "kernels/ops/device.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::kernels::cuda {

class AlgorithmCache;

class Context
{
public:
    /// Opens the GPU with that index among the visible ones. `cacheFolder`: where choices of algorithms are kept
    /// between processes; empty: nowhere. Errors: DeviceLost, OutOfMemory, Unsupported for a GPU older than Ampere.
    static Result<std::unique_ptr<Context>> create(int index, std::string cacheFolder);
    /// The GPUs that this process sees, in CUDA's order. Errors: as create.
    static Result<std::vector<DeviceInfo>> visibleDevices();
    ~Context();
    Context(const Context&) = delete;
    Context& operator=(const Context&) = delete;

    const Runtime& runtime() const { return m_runtime; }
    const DeviceInfo& info() const { return m_info; }
    /// Most dynamic shared memory of a block, in bytes.
    int sharedBytesPerBlock() const { return m_sharedBytesPerBlock; }
    cudaStream_t stream() const { return m_compute; }
    cudaStream_t transferStream() const { return m_transfer; }
    cublasLtHandle_t products() const { return m_products; }
    cudnnHandle_t networks() const { return m_networks; }
    AlgorithmCache& algorithms() { return *m_algorithms; }

    /// Keeps the first failure, which status() then returns; calls after it do no harm. Returns whether all is well.
    bool check(cudaError_t error, std::string_view what);
    bool check(cublasStatus_t error, std::string_view what);
    bool check(cudnnStatus_t error, std::string_view what);
    bool check(Status status);
    /// The same as a value, for what is made before the first step and may fail without harm (an allocation).
    Status asStatus(cudaError_t error, std::string_view what) const;
    Status asStatus(cublasStatus_t error, std::string_view what) const;
    Status asStatus(cudnnStatus_t error, std::string_view what) const;
    Status status() const;

private:
    Context();
    void keep(Error error);

    const Runtime& m_runtime;
    DeviceInfo m_info;
    int m_sharedBytesPerBlock = 0;
    cudaStream_t m_compute = nullptr, m_transfer = nullptr;
    cublasLtHandle_t m_products = nullptr;
    cudnnHandle_t m_networks = nullptr;
    std::unique_ptr<AlgorithmCache> m_algorithms;
    struct Failure;
    std::unique_ptr<Failure> m_failure; // the first one; a monitoring thread may ask
};

} // namespace millrace::kernels::cuda
