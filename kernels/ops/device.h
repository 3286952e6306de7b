// A GPU as the engine sees it: memory, two queues, kernels, captured steps, and what an optimiser needs. The engine
// knows this interface alone; what implements it is loaded at run time, where an NVIDIA driver is.
#pragma once

#include "kernels/base/dtype.h"
#include "kernels/ops/factory.h"
#include "kernels/ops/optimizer.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>

namespace millrace::kernels {

struct DeviceInfo
{
    std::string uuid; ///< "GPU-5f0c…": what names a device for good, whatever CUDA_VISIBLE_DEVICES says
    std::string name; ///< "NVIDIA H100 80GB HBM3"
    int index = 0;    ///< among the visible ones of this process
    int capabilityMajor = 0, capabilityMinor = 0; ///< 9.0: Hopper
    int multiprocessors = 0;
    std::uint64_t memoryBytes = 0;
    std::string libraries; ///< versions of driver, cuBLASLt and cuDNN: what a cache of choices depends on
};

/// Memory of the device, or pinned memory of the host; freed with it. 256-byte aligned.
class Memory
{
public:
    virtual ~Memory() = default;
    std::byte* at(std::uint64_t offset) const { return m_data + offset; }
    std::uint64_t sizeBytes() const { return m_sizeBytes; }

protected:
    std::byte* m_data = nullptr;
    std::uint64_t m_sizeBytes = 0;
};

/// A point in a queue.
class Event
{
public:
    virtual ~Event() = default;
    virtual bool reached() const = 0; ///< false as well where the device is lost: ask Device::status()
    virtual Status wait() = 0;        ///< holds the calling thread until it is reached
};

/// Work that was captured once and can be launched again and again, on the same memory.
class CapturedStep
{
public:
    virtual ~CapturedStep() = default;
    virtual void launch() = 0; ///< enqueued on the compute queue
};

enum class Queue
{
    Compute, ///< kernels and copies, in order
    Transfer ///< uploads of the next rows while this step computes
};

/// What the host tells a step; lies in the device's memory.
struct StepControl
{
    Counter counter;         ///< the host writes seed and step; lossScale is finishGradients' where it is dynamic
    double learningRate = 0; ///< of this step
    std::int64_t update = 1; ///< the optimiser's t: 1 at the first update
};

/// What a step tells the host; lies in the device's memory, and persists from step to step.
struct StepOutcome
{
    double gradientNorm = 0;        ///< before clipping, without the loss scale
    float gradientFactor = 1;       ///< what updates multiply gradients by: clipping, averaging, 1/lossScale
    std::uint32_t finite = 1;       ///< 0: a gradient was NaN or infinite, and updates leave everything as it was; it
                                    ///< stays 0 until the host sets it, but for a dynamic loss scale
    std::uint32_t goodSteps = 0;    ///< finite ones since the loss scale changed
    std::uint32_t skippedSteps = 0; ///< not finite ones in all
};

/// The loss's factor in f16, where small gradients would else be 0: as PyTorch's GradScaler, with bounds.
struct LossScale
{
    static constexpr float kFirst = 65536, kSmallest = 1, kLargest = 16777216;
    static constexpr std::uint32_t kGoodSteps = 2000; ///< in a row, that double it; one that is not finite halves it
};

/// What happens to the sum of a step's gradients before an update reads them, in this order: it is divided by weight
/// and loss scale, clamped, and clipped by norm. The division and the clip are left to gradientFactor.
struct GradientOptions
{
    float weight = 1;          ///< the sum is divided by it: what the micro-batches weigh
    double clipValue = 0;      ///< 0: none
    double clipNorm = 0;       ///< 0: none
    bool dynamicScale = false; ///< f16: counter.lossScale goes up and down as LossScale says
};

using UpdateRule = std::variant<Sgd, Adam, Nadam, RmsProp, Adagrad, Adadelta, Lamb, Lion, Muon>;

/// What an update works on: flat buffers of one layout in the device's memory.
struct UpdateOperands
{
    float* weights = nullptr;
    const float* gradients = nullptr;
    std::span<float* const> state; ///< as the rule's kState
    void* mirror = nullptr;        ///< the weights in the storage type, or null
    DType mirrorType = DType::BF16;
    /// Of the mirror; else to the nearest. Each element is rounded to one of its two neighbours, the nearer one with
    /// the greater chance, so that the mirror is right on average. Element i draws number i mod 4 of Philox block i / 4
    /// of (counter.seed, streamOf("rounding") + counter.step).
    bool stochasticRounding = false;
    std::byte* scratch = nullptr;
    const StepControl* control = nullptr; ///< learning rate and step; those in the rule are not read
    const StepOutcome* outcome = nullptr; ///< gradientFactor and finite
};

/// One update of all weights by a rule; enqueued on the compute queue.
class Update
{
public:
    virtual ~Update() = default;
    virtual std::uint64_t scratchBytes() const = 0;
    virtual void run(const UpdateOperands& operands) = 0;
};

class Device
{
public:
    virtual ~Device() = default;
    Device() = default;
    Device(const Device&) = delete;
    Device& operator=(const Device&) = delete;

    virtual const DeviceInfo& info() const = 0;
    /// The kernels for elements of that type: F32, BF16 or F16. Lives as long as the device.
    virtual const Factory& factory(DType type) = 0;
    /// The stream of the compute queue, as CUDA's own handle: for collectives.
    virtual void* stream() const = 0;

    /// Errors: OutOfMemory saying how much was asked for what, and how much is free. The memory is zero.
    virtual Result<std::unique_ptr<Memory>> allocate(std::uint64_t sizeBytes, std::string_view what) = 0;
    /// Pinned memory of the host, which copies can read and write while kernels run.
    virtual Result<std::unique_ptr<Memory>> allocateHost(std::uint64_t sizeBytes, std::string_view what) = 0;
    virtual std::uint64_t freeBytes() const = 0;

    // Work is enqueued; its operands must stay until it is done. The host's memory must be pinned.

    virtual void copy(void* to, const void* from, std::uint64_t sizeBytes, Queue queue = Queue::Compute) = 0;
    virtual void clear(void* to, std::uint64_t sizeBytes) = 0; ///< to zero
    /// The point at the end of the queue as it is now; `record` moves it.
    virtual Result<std::unique_ptr<Event>> createEvent() = 0;
    virtual void record(Event& event, Queue queue) = 0;
    virtual void waitFor(const Event& event, Queue queue) = 0; ///< the queue waits, not the caller
    /// Waits until both queues are empty. Errors: as status().
    virtual Status synchronize() = 0;
    /// The first thing that went wrong since the device was opened; it stays. Does not wait. Errors: DeviceLost where
    /// the context is gone (the process has to be replaced), OutOfMemory, Internal for a refused call.
    virtual Status status() const = 0;

    /// Calls `work`, whose calls are not executed but captured; the compute queue alone may be used in it.
    virtual Result<std::unique_ptr<CapturedStep>> capture(const std::function<void()>& work) = 0;

    // Flat buffers of n f32 elements in the device's memory, enqueued on the compute queue. Deterministic.

    /// values[i] = own values[i] + factor other[i]
    virtual void combine(float* values, float own, const float* other, float factor, std::uint64_t n) = 0;
    virtual void scale(float* values, float factor, std::uint64_t n) = 0;
    virtual void exchange(float* a, float* b, std::uint64_t n) = 0;
    /// values[i] to the storage type, to the nearest.
    virtual void convert(void* to, DType type, const float* from, std::uint64_t n) = 0;
    /// Sum of a[i] b[i] in f64; waits for it. Errors: as status().
    virtual Result<double> dot(const float* a, const float* b, std::uint64_t n) = 0;
    /// Largest |values[i]|, and the sum of |values[i]| in f64; as dot().
    virtual Result<double> largest(const float* values, std::uint64_t n) = 0;
    virtual Result<double> sumOfSizes(const float* values, std::uint64_t n) = 0;
    /// Sets outcome (norm, factor, finite, loss scale) from the gradients; with clipValue clamps them in place.
    /// scratch: gradientScratchBytes().
    virtual void finishGradients(float* gradients, std::uint64_t n, const GradientOptions& options,
                                 StepControl* control, StepOutcome* outcome, std::byte* scratch) = 0;
    virtual std::uint64_t gradientScratchBytes() const = 0;
    // The two halves of finishGradients, for gradients of which every rank has a part: the sum of the squares of those
    // that are here, into *square, with clipValue clamped in place; and outcome from the sum of all `count` squares.
    virtual void squareGradients(float* gradients, std::uint64_t n, const GradientOptions& options,
                                 const StepControl* control, double* square, std::byte* scratch) = 0;
    virtual void concludeGradients(const double* squares, std::uint64_t count, const GradientOptions& options,
                                   StepControl* control, StepOutcome* outcome) = 0;
    /// Errors: InvalidArgument, Unsupported, OutOfMemory (it keeps a table of the segments on the device).
    virtual Result<std::unique_ptr<Update>> makeUpdate(const UpdateRule& rule, std::span<const Segment> segments) = 0;
};

} // namespace millrace::kernels
