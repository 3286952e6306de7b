#include "kernels/cuda/cuda_device.h"

#include "kernels/base/text.h"
#include "kernels/base/units.h"
#include "kernels/cuda/factory.h"
#include "kernels/cuda/optimizer.h"
#include "kernels/cuda/vectors.h"

#include <utility>

namespace millrace::kernels::cuda {

namespace {

class CudaMemory final : public Memory
{
public:
    CudaMemory(Context& context, bool pinned, void* data, std::uint64_t sizeBytes)
        : m_context(context), m_pinned(pinned)
    {
        m_data = static_cast<std::byte*>(data);
        m_sizeBytes = sizeBytes;
    }
    ~CudaMemory() override
    {
        // an error here is one that status() already has: freeing itself does not fail
        if (m_pinned)
            m_context.runtime().cudaFreeHost(m_data);
        else
            m_context.runtime().cudaFree(m_data);
    }

private:
    Context& m_context;
    bool m_pinned;
};

class CudaEvent final : public Event
{
public:
    CudaEvent(Context& context, cudaEvent_t event) : m_context(context), m_event(event) {}
    ~CudaEvent() override { m_context.runtime().cudaEventDestroy(m_event); }
    bool reached() const override
    {
        const cudaError_t error = m_context.runtime().cudaEventQuery(m_event);
        if (error == cudaSuccess) return true;
        if (error != cudaErrorNotReady) m_context.check(error, "a step");
        return false;
    }
    Status wait() override
    {
        m_context.check(m_context.runtime().cudaEventSynchronize(m_event), "a step");
        return m_context.status();
    }
    cudaEvent_t handle() const { return m_event; }

private:
    Context& m_context;
    cudaEvent_t m_event;
};

class CudaCapturedStep final : public CapturedStep
{
public:
    CudaCapturedStep(Context& context, cudaGraphExec_t graph) : m_context(context), m_graph(graph) {}
    ~CudaCapturedStep() override { m_context.runtime().cudaGraphExecDestroy(m_graph); }
    void launch() override
    {
        m_context.check(m_context.runtime().cudaGraphLaunch(m_graph, m_context.stream()), "launching a step");
    }

private:
    Context& m_context;
    cudaGraphExec_t m_graph;
};

class CudaDevice final : public Device
{
public:
    CudaDevice(std::unique_ptr<Context> context, std::unique_ptr<WaitingSums> sums)
        : m_context(std::move(context)), m_sums(std::move(sums)), m_f32(*m_context, DType::F32),
          m_bf16(*m_context, DType::BF16), m_f16(*m_context, DType::F16)
    {
    }

    const DeviceInfo& info() const override { return m_context->info(); }
    const Factory& factory(DType type) override
    {
        return type == DType::BF16 ? m_bf16 : type == DType::F16 ? m_f16 : m_f32;
    }
    void* stream() const override { return m_context->stream(); }

    Result<std::unique_ptr<Memory>> allocate(std::uint64_t sizeBytes, std::string_view what) override;
    Result<std::unique_ptr<Memory>> allocateHost(std::uint64_t sizeBytes, std::string_view what) override;
    std::uint64_t freeBytes() const override;

    void copy(void* to, const void* from, std::uint64_t sizeBytes, Queue queue) override;
    void clear(void* to, std::uint64_t sizeBytes) override;
    Result<std::unique_ptr<Event>> createEvent() override;
    void record(Event& event, Queue queue) override;
    void waitFor(const Event& event, Queue queue) override;
    Status synchronize() override;
    Status status() const override { return m_context->status(); }
    Result<std::unique_ptr<CapturedStep>> capture(const std::function<void()>& work) override;

    void combine(float* values, float own, const float* other, float factor, std::uint64_t n) override
    {
        cuda::combine(*m_context, values, own, other, factor, n);
    }
    void scale(float* values, float factor, std::uint64_t n) override { cuda::scale(*m_context, values, factor, n); }
    void exchange(float* a, float* b, std::uint64_t n) override { cuda::exchange(*m_context, a, b, n); }
    void convert(void* to, DType type, const float* from, std::uint64_t n) override
    {
        cuda::convert(*m_context, to, type, from, n);
    }
    Result<double> dot(const float* a, const float* b, std::uint64_t n) override { return m_sums->dot(a, b, n); }
    Result<double> largest(const float* values, std::uint64_t n) override { return m_sums->largest(values, n); }
    Result<double> sumOfSizes(const float* values, std::uint64_t n) override { return m_sums->sumOfSizes(values, n); }
    void finishGradients(float* gradients, std::uint64_t n, const GradientOptions& options, StepControl* control,
                         StepOutcome* outcome, std::byte* scratch) override
    {
        cuda::finishGradients(*m_context, gradients, n, options, control, outcome, scratch);
    }
    std::uint64_t gradientScratchBytes() const override { return cuda::gradientScratchBytes(); }
    void squareGradients(float* gradients, std::uint64_t n, const GradientOptions& options, const StepControl* control,
                         double* square, std::byte* scratch) override
    {
        cuda::squareGradients(*m_context, gradients, n, options, control, square, scratch);
    }
    void concludeGradients(const double* squares, std::uint64_t count, const GradientOptions& options,
                           StepControl* control, StepOutcome* outcome) override
    {
        cuda::concludeGradients(*m_context, squares, count, options, control, outcome);
    }
    Result<std::unique_ptr<Update>> makeUpdate(const UpdateRule& rule, std::span<const Segment> segments) override
    {
        return cuda::makeUpdate(*m_context, rule, segments);
    }

private:
    cudaStream_t streamOf(Queue queue) const
    {
        return queue == Queue::Compute ? m_context->stream() : m_context->transferStream();
    }

    std::unique_ptr<Context> m_context;
    std::unique_ptr<WaitingSums> m_sums;
    CudaFactory m_f32, m_bf16, m_f16;
};

Result<std::unique_ptr<Memory>> CudaDevice::allocate(std::uint64_t sizeBytes, std::string_view what)
{
    const Runtime& call = m_context->runtime();
    void* data = nullptr;
    const std::uint64_t size = sizeBytes > 0 ? sizeBytes : 1;
    if (const cudaError_t error = call.cudaMalloc(&data, size); error != cudaSuccess) {
        if (error != cudaErrorMemoryAllocation) {
            m_context->check(error, "allocating memory");
            return m_context->status().error();
        }
        call.cudaGetLastError(); // it is no error of the calls that follow
        return makeError(Code::OutOfMemory,
                         str("The GPU ", info().name, " has ", formatBytes(static_cast<double>(freeBytes())),
                             " of memory free, but ", what, " need ", formatBytes(static_cast<double>(sizeBytes)), "."))
            .advise("Make the batches smaller (gradient_accumulation keeps the result the same), or end what else uses "
                    "the GPU.");
    }
    auto memory = std::make_unique<CudaMemory>(*m_context, false, data, sizeBytes);
    m_context->check(call.cudaMemsetAsync(data, 0, size, m_context->stream()), "clearing memory");
    return std::unique_ptr<Memory>(std::move(memory));
}

Result<std::unique_ptr<Memory>> CudaDevice::allocateHost(std::uint64_t sizeBytes, std::string_view what)
{
    void* data = nullptr;
    const std::uint64_t size = sizeBytes > 0 ? sizeBytes : 1;
    const cudaError_t error = m_context->runtime().cudaHostAlloc(&data, size, cudaHostAllocDefault);
    if (error == cudaErrorMemoryAllocation) {
        m_context->runtime().cudaGetLastError();
        return makeError(Code::OutOfMemory,
                         str("No ", formatBytes(static_cast<double>(sizeBytes)), " of pinned memory for ", what, "."));
    }
    if (!m_context->check(error, "allocating pinned memory")) return m_context->status().error();
    return std::unique_ptr<Memory>(std::make_unique<CudaMemory>(*m_context, true, data, sizeBytes));
}

std::uint64_t CudaDevice::freeBytes() const
{
    std::size_t free = 0, total = 0;
    m_context->check(m_context->runtime().cudaMemGetInfo(&free, &total), "asking for free memory");
    return free;
}

void CudaDevice::copy(void* to, const void* from, std::uint64_t sizeBytes, Queue queue)
{
    if (sizeBytes == 0) return;
    m_context->check(m_context->runtime().cudaMemcpyAsync(to, from, sizeBytes, cudaMemcpyDefault, streamOf(queue)),
                     "a copy");
}

void CudaDevice::clear(void* to, std::uint64_t sizeBytes)
{
    if (sizeBytes == 0) return;
    m_context->check(m_context->runtime().cudaMemsetAsync(to, 0, sizeBytes, m_context->stream()), "clearing memory");
}

Result<std::unique_ptr<Event>> CudaDevice::createEvent()
{
    cudaEvent_t event = nullptr;
    MR_CHECK(m_context->asStatus(
        m_context->runtime().cudaEventCreateWithFlags(&event, cudaEventDisableTiming | cudaEventBlockingSync),
        "an event"));
    return std::unique_ptr<Event>(std::make_unique<CudaEvent>(*m_context, event));
}

void CudaDevice::record(Event& event, Queue queue)
{
    m_context->check(m_context->runtime().cudaEventRecord(static_cast<CudaEvent&>(event).handle(), streamOf(queue)),
                     "an event");
}

void CudaDevice::waitFor(const Event& event, Queue queue)
{
    m_context->check(
        m_context->runtime().cudaStreamWaitEvent(streamOf(queue), static_cast<const CudaEvent&>(event).handle(), 0),
        "an event");
}

Status CudaDevice::synchronize()
{
    m_context->check(m_context->runtime().cudaStreamSynchronize(m_context->transferStream()), "an upload");
    m_context->check(m_context->runtime().cudaStreamSynchronize(m_context->stream()), "a step");
    return status();
}

Result<std::unique_ptr<CapturedStep>> CudaDevice::capture(const std::function<void()>& work)
{
    const Runtime& call = m_context->runtime();
    MR_CHECK(status());
    MR_CHECK(m_context->asStatus(call.cudaStreamBeginCapture(m_context->stream(), cudaStreamCaptureModeThreadLocal),
                                 "capturing a step"));
    work();
    cudaGraph_t graph = nullptr;
    MR_CHECK(m_context->asStatus(call.cudaStreamEndCapture(m_context->stream(), &graph), "capturing a step"));
    cudaGraphExec_t executable = nullptr;
    const Status instantiated =
        m_context->asStatus(call.cudaGraphInstantiate(&executable, graph, 0), "preparing a captured step");
    call.cudaGraphDestroy(graph);
    MR_CHECK(instantiated);
    auto step = std::make_unique<CudaCapturedStep>(*m_context, executable);
    MR_CHECK(status());
    return std::unique_ptr<CapturedStep>(std::move(step));
}

} // namespace

Result<std::unique_ptr<Device>> openDevice(int index, const std::string& cacheFolder)
{
    MR_TRY(auto context, Context::create(index, cacheFolder));
    MR_TRY(auto sums, WaitingSums::create(*context));
    return std::unique_ptr<Device>(std::make_unique<CudaDevice>(std::move(context), std::move(sums)));
}

} // namespace millrace::kernels::cuda
