// The simulated GPU itself: what it runs is right, and what a GPU would refuse or get wrong it refuses or gets wrong.
#include "kernels/cuda/device_code.h"
#include "tests/cuda/simulated/faults.h"

#include <QTest>

#include <algorithm>
#include <cmath>
#include <vector>

using namespace millrace::kernels::cuda;

namespace millrace::kernels::cuda {

/// Sums what half of the threads have written to static shared memory, and what nobody has.
__global__ void sumUnwritten(float* sum, int written)
{
    __shared__ float values[64];
    if (static_cast<int>(threadIdx.x) < written) values[threadIdx.x] = 1;
    __syncthreads();
    if (threadIdx.x != 0) return;
    *sum = 0;
    for (const float value : values) *sum += value;
}

} // namespace millrace::kernels::cuda

namespace {

__global__ void addOne(float* values, int n)
{
    const auto i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
    if (i < n) values[i] += 1;
}

__global__ void sumBlocks(float* sums, const float* values)
{
    const float sum = blockSum(values[blockIdx.x * blockDim.x + threadIdx.x]);
    if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}

/// Reverses a block's values by way of shared memory, with the barrier or without it.
__global__ void reverse(float* values, bool withBarrier)
{
    auto* shared = dynamicShared<float>();
    shared[threadIdx.x] = values[threadIdx.x];
    if (withBarrier) __syncthreads();
    const float other = shared[blockDim.x - 1 - threadIdx.x];
    __syncthreads();
    values[threadIdx.x] = other;
}

__global__ void barrierForSome()
{
    if (threadIdx.x < 32) __syncthreads();
}

__global__ void shuffleForSome(float* values)
{
    if (threadIdx.x % 2 == 0) values[threadIdx.x] = __shfl_xor_sync(0xFFFFFFFFU, 1.0F, 1);
}

__global__ void lanes(int* values)
{
    const int lane = static_cast<int>(threadIdx.x);
    values[lane * 5] = __shfl_xor_sync(0xFFFFFFFFU, lane, 5);
    values[lane * 5 + 1] = __shfl_down_sync(0xFFFFFFFFU, lane, 3);
    values[lane * 5 + 2] = __shfl_up_sync(0xFFFFFFFFU, lane, 3);
    values[lane * 5 + 3] = __shfl_sync(0xFFFFFFFFU, lane, 9, 8);
    values[lane * 5 + 4] = static_cast<int>(__ballot_sync(0xFFFFFFFFU, lane < 4 ? 1 : 0));
}

__global__ void writeShared(int index)
{
    dynamicShared<float>()[index] = 1;
}

__global__ void countThreads(int* counter)
{
    atomicAdd(counter, 1);
}

/// A GPU with a stream and some memory.
struct Bench
{
    const Runtime& call = runtime();
    cudaStream_t stream = nullptr;
    float* host = nullptr;
    float* device = nullptr;
    static constexpr std::size_t kCount = 4096, kBytes = kCount * sizeof(float);

    explicit Bench(simulated::Properties properties = {})
    {
        simulated::restart(std::move(properties));
        call.cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
        void* memory = nullptr;
        call.cudaHostAlloc(&memory, kBytes, cudaHostAllocDefault);
        host = static_cast<float*>(memory);
        call.cudaMalloc(&memory, kBytes);
        device = static_cast<float*>(memory);
    }
    std::vector<float> read(std::size_t count)
    {
        call.cudaMemcpyAsync(host, device, count * sizeof(float), cudaMemcpyDeviceToHost, stream);
        call.cudaStreamSynchronize(stream);
        return {host, host + count};
    }
    void write(const std::vector<float>& values)
    {
        std::copy(values.begin(), values.end(), host);
        call.cudaMemcpyAsync(device, host, values.size() * sizeof(float), cudaMemcpyHostToDevice, stream);
        call.cudaStreamSynchronize(stream);
    }
    template <class... Parameters, class... Values>
    cudaError_t launch(void (*kernel)(Parameters...), unsigned grid, unsigned block, std::size_t shared,
                       Values... values)
    {
        return launchKernel<Parameters...>(call, kernel, dim3(grid), dim3(block), shared, stream,
                                           static_cast<Parameters>(values)...);
    }
    cudaError_t synchronize() const { return call.cudaStreamSynchronize(stream); }
};

std::vector<float> ramp(std::size_t count)
{
    std::vector<float> values(count);
    for (std::size_t i = 0; i < count; ++i) values[i] = static_cast<float>(i);
    return values;
}

} // namespace

class SimulatedTest : public QObject
{
    Q_OBJECT

private slots:
    void runsKernelsAndCopies()
    {
        for (const auto work : {simulated::Properties::Work::AtOnce, simulated::Properties::Work::WhenWaitedFor}) {
            Bench bench({.work = work});
            bench.write(ramp(1000));
            bench.launch(addOne, 4, 256, 0, bench.device, 1000);
            const std::vector<float> values = bench.read(1000);
            for (std::size_t i = 0; i < 1000; ++i) QCOMPARE(values[i], static_cast<float>(i + 1));
        }
    }

    void sumsBlocksInAFixedOrder()
    {
        Bench bench;
        std::vector<float> values(1024);
        for (std::size_t i = 0; i < values.size(); ++i) values[i] = 1.0F / static_cast<float>(i + 1);
        std::vector<std::vector<float>> results;
        for (int i = 0; i < 3; ++i) {
            bench.write(values);
            bench.launch(sumBlocks, 4, 256, 0, bench.device + 1024, bench.device);
            const std::vector<float> all = bench.read(1028);
            results.emplace_back(all.end() - 4, all.end());
        }
        QVERIFY(std::abs(results[0][0] - 6.1243448F) < 1e-5F);
        QVERIFY(results[0] == results[1] && results[1] == results[2]);
    }

    void showsAMissingBarrier()
    {
        Bench bench;
        for (int i = 0; i < 5; ++i) {
            bench.write(ramp(512));
            bench.launch(reverse, 1, 512, 512 * sizeof(float), bench.device, true);
            QCOMPARE(bench.read(512).front(), 511.0F);
            bench.write(ramp(512));
            bench.launch(reverse, 1, 512, 512 * sizeof(float), bench.device, false);
            const std::vector<float> wrong = bench.read(512);
            QVERIFY(std::any_of(wrong.begin(), wrong.end(), [](float value) { return value != value; }));
        }
    }

    void showsSharedMemoryThatNobodyWrote()
    {
        Bench bench;
        bench.launch(sumUnwritten, 1, 64, 0, bench.device, 64);
        QCOMPARE(bench.read(1).front(), 64.0F);
        bench.launch(sumUnwritten, 1, 64, 0, bench.device, 32);
#if !defined(__SANITIZE_ADDRESS__)
        QVERIFY(std::isnan(bench.read(1).front()));
#endif
    }

    void exchangesValuesBetweenLanes()
    {
        Bench bench;
        bench.launch(lanes, 1, 32, 0, reinterpret_cast<int*>(bench.device));
        bench.read(160);
        const int* values = reinterpret_cast<const int*>(bench.host);
        for (int lane = 0; lane < 32; ++lane) {
            QCOMPARE(values[lane * 5], lane ^ 5);
            QCOMPARE(values[lane * 5 + 1], lane + 3 < 32 ? lane + 3 : lane);
            QCOMPARE(values[lane * 5 + 2], lane >= 3 ? lane - 3 : lane);
            QCOMPARE(values[lane * 5 + 3], lane / 8 * 8 + 1);
            QCOMPARE(values[lane * 5 + 4], 15);
        }
    }

    void countsInAnyOrder()
    {
        Bench bench;
        bench.write(std::vector<float>(1, 0.0F));
        bench.launch(countThreads, 7, 100, 0, reinterpret_cast<int*>(bench.device));
        bench.read(1);
        QCOMPARE(*reinterpret_cast<const int*>(bench.host), 700);
    }

    void endsALaunchThatWouldHang()
    {
        Bench bench;
        bench.launch(barrierForSome, 1, 64, 0);
        QCOMPARE(bench.synchronize(), cudaErrorLaunchFailure);
        QVERIFY(simulated::lastFault().find("__syncthreads") != std::string::npos);
        void* memory = nullptr;
        QCOMPARE(bench.call.cudaMalloc(&memory, 16), cudaErrorLaunchFailure); // it stays

        Bench other;
        other.launch(shuffleForSome, 1, 32, 0, other.device);
        QCOMPARE(other.synchronize(), cudaErrorLaunchFailure);
        QVERIFY(simulated::lastFault().find("shuffle") != std::string::npos);

        Bench fresh;
        fresh.write(ramp(10));
        fresh.launch(addOne, 1, 32, 0, fresh.device, 10);
        QCOMPARE(fresh.read(10).back(), 10.0F);
    }

    void findsWritesOutsideOfMemory()
    {
        Bench bench;
        bench.launch(addOne, 17, 256, 0, bench.device, 4097);
        QCOMPARE(bench.synchronize(), cudaErrorIllegalAddress);
        Bench shared;
        shared.launch(writeShared, 1, 1, 64, 16);
        QCOMPARE(shared.synchronize(), cudaErrorLaunchFailure);
    }

    void refusesWhatAGpuRefuses()
    {
        Bench bench;
        QCOMPARE(bench.launch(addOne, 1, 1025, 0, bench.device, 1), cudaErrorInvalidConfiguration);
        QCOMPARE(bench.launch(addOne, 0, 32, 0, bench.device, 1), cudaErrorInvalidConfiguration);
        QCOMPARE(bench.launch(reverse, 1, 32, 64 * 1024, bench.device, true), cudaErrorInvalidConfiguration);
        const auto* function = reinterpret_cast<const void*>(reverse);
        QCOMPARE(bench.call.cudaFuncSetAttribute(function, cudaFuncAttributeMaxDynamicSharedMemorySize, 228 * 1024),
                 cudaErrorInvalidValue);
        QCOMPARE(bench.call.cudaFuncSetAttribute(function, cudaFuncAttributeMaxDynamicSharedMemorySize, 64 * 1024),
                 cudaSuccess);
        QCOMPARE(bench.launch(reverse, 1, 32, 64 * 1024, bench.device, true), cudaSuccess);
        std::vector<float> pageable(16);
        QCOMPARE(bench.call.cudaMemcpyAsync(bench.device, pageable.data(), 64, cudaMemcpyHostToDevice, bench.stream),
                 cudaErrorInvalidValue);
        QCOMPARE(bench.call.cudaMemcpyAsync(bench.host, bench.device, 64, cudaMemcpyHostToDevice, bench.stream),
                 cudaErrorInvalidMemcpyDirection);
        QCOMPARE(bench.launch(addOne, 1, 32, 0, pageable.data(), 1), cudaErrorIllegalAddress);
    }

    void capturesAndReplays()
    {
        Bench bench;
        bench.write(ramp(64));
        QCOMPARE(bench.call.cudaStreamBeginCapture(bench.stream, cudaStreamCaptureModeThreadLocal), cudaSuccess);
        for (int i = 0; i < 3; ++i) bench.launch(addOne, 1, 64, 0, bench.device, 64);
        cudaGraph_t graph = nullptr;
        cudaGraphExec_t step = nullptr;
        QCOMPARE(bench.call.cudaStreamEndCapture(bench.stream, &graph), cudaSuccess);
        QCOMPARE(bench.read(1).front(), 0.0F); // nothing has run
        QCOMPARE(bench.call.cudaGraphInstantiate(&step, graph, 0), cudaSuccess);
        QCOMPARE(bench.call.cudaGraphDestroy(graph), cudaSuccess);
        for (int i = 0; i < 2; ++i) QCOMPARE(bench.call.cudaGraphLaunch(step, bench.stream), cudaSuccess);
        QCOMPARE(bench.read(1).front(), 6.0F);
        QCOMPARE(simulated::kernelsExecuted(), 6U);
    }

    void spoilsACaptureByWhatCannotBeCaptured()
    {
        Bench bench;
        cudaEvent_t event = nullptr;
        bench.call.cudaEventCreateWithFlags(&event, cudaEventDisableTiming);
        bench.call.cudaEventRecord(event, bench.stream);
        void* memory = nullptr;
        const std::vector<std::function<cudaError_t()>> forbidden{
            [&] { return bench.call.cudaMalloc(&memory, 16); },
            [&] { return bench.call.cudaStreamSynchronize(bench.stream); },
            [&] { return bench.call.cudaEventQuery(event); },
            [&] { return bench.call.cudaStreamWaitEvent(bench.stream, event, 0); }};
        for (const auto& call : forbidden) {
            bench.call.cudaStreamBeginCapture(bench.stream, cudaStreamCaptureModeThreadLocal);
            QVERIFY(call() != cudaSuccess);
            cudaGraph_t graph = nullptr;
            QCOMPARE(bench.call.cudaStreamEndCapture(bench.stream, &graph), cudaErrorStreamCaptureInvalidated);
        }
    }

    void waitsForEventsOfOtherStreams()
    {
        Bench bench({.work = simulated::Properties::Work::WhenWaitedFor});
        cudaStream_t other = nullptr;
        cudaEvent_t event = nullptr;
        bench.call.cudaStreamCreateWithFlags(&other, cudaStreamNonBlocking);
        bench.call.cudaEventCreateWithFlags(&event, cudaEventDisableTiming);
        std::fill_n(bench.host, 64, 5.0F);
        bench.call.cudaMemcpyAsync(bench.device, bench.host, 256, cudaMemcpyHostToDevice, other);
        bench.call.cudaEventRecord(event, other);
        bench.call.cudaStreamWaitEvent(bench.stream, event, 0);
        bench.launch(addOne, 1, 64, 0, bench.device, 64);
        QCOMPARE(bench.call.cudaEventQuery(event), cudaErrorNotReady);
        QCOMPARE(bench.read(64).back(), 6.0F);
        QCOMPARE(bench.call.cudaEventQuery(event), cudaSuccess);
    }

    void failsWhenAsked()
    {
        Bench bench({.memoryBytes = 1 << 20});
        void* memory = nullptr;
        simulated::failCall("cudaMalloc", 2, cudaErrorMemoryAllocation);
        QCOMPARE(bench.call.cudaMalloc(&memory, 16), cudaSuccess);
        QCOMPARE(bench.call.cudaMalloc(&memory, 16), cudaErrorMemoryAllocation);
        QCOMPARE(bench.call.cudaMalloc(&memory, 16), cudaSuccess);
        QCOMPARE(simulated::callsOf("cudaMalloc"), 4U);
        QCOMPARE(bench.call.cudaMalloc(&memory, 1 << 20), cudaErrorMemoryAllocation);
        simulated::takeMemory(1 << 20);
        QCOMPARE(bench.call.cudaMalloc(&memory, 16), cudaErrorMemoryAllocation);
        QCOMPARE(bench.call.cudaGetLastError(), cudaErrorMemoryAllocation);
        QCOMPARE(bench.call.cudaGetLastError(), cudaSuccess);

        bench.write(ramp(8));
        simulated::corruptKernel(2, 30);
        bench.launch(addOne, 1, 8, 0, bench.device, 8);
        QCOMPARE(bench.read(1).front(), 1.0F);
        bench.launch(addOne, 1, 8, 0, bench.device, 8);
        QVERIFY(bench.read(1).front() != 2.0F);

        simulated::failKernel(1, cudaErrorECCUncorrectable);
        QCOMPARE(bench.launch(addOne, 1, 8, 0, bench.device, 8), cudaSuccess);
        QCOMPARE(bench.synchronize(), cudaErrorECCUncorrectable);
        QCOMPARE(bench.launch(addOne, 1, 8, 0, bench.device, 8), cudaErrorECCUncorrectable);
        QCOMPARE(bench.call.cudaGetLastError(), cudaErrorECCUncorrectable);
    }
};

QTEST_APPLESS_MAIN(SimulatedTest)
#include "simulated_test.moc"
