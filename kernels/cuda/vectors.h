// Functions of flat buffers: what adds up micro-batches, averages weights, searches along lines and looks at a step's
// gradients before they are used. Their contracts are kernels/ops/device.h's.
#pragma once

#include "kernels/cuda/context.h"

#include <memory>

namespace millrace::kernels::cuda {

// Enqueued on the compute queue; buffers of any alignment of their elements (fastest at multiples of 16 bytes).

void combine(Context& context, float* values, float own, const float* other, float factor, std::uint64_t n);
void scale(Context& context, float* values, float factor, std::uint64_t n);
void exchange(Context& context, float* a, float* b, std::uint64_t n);
void convert(Context& context, void* to, DType type, const float* from, std::uint64_t n);

/// Sums whose result the host waits for; it owns the memory that they pass through. Not to be used while a step is
/// captured.
class WaitingSums
{
public:
    /// Errors: those of an allocation.
    static Result<std::unique_ptr<WaitingSums>> create(Context& context);
    ~WaitingSums();
    WaitingSums(const WaitingSums&) = delete;
    WaitingSums& operator=(const WaitingSums&) = delete;

    // Errors: those of the device.
    Result<double> dot(const float* a, const float* b, std::uint64_t n);
    Result<double> largest(const float* values, std::uint64_t n);
    Result<double> sumOfSizes(const float* values, std::uint64_t n);

private:
    explicit WaitingSums(Context& context) : m_context(context) {}
    Result<double> fetch();

    Context& m_context;
    double *m_partial = nullptr, *m_total = nullptr; // on the device
    double* m_fetched = nullptr;                     // pinned
};

/// Device::finishGradients.
void finishGradients(Context& context, float* gradients, std::uint64_t n, const GradientOptions& options,
                     StepControl* control, StepOutcome* outcome, std::byte* scratch);
std::uint64_t gradientScratchBytes();
/// Device::squareGradients and Device::concludeGradients.
void squareGradients(Context& context, float* gradients, std::uint64_t n, const GradientOptions& options,
                     const StepControl* control, double* square, std::byte* scratch);
void concludeGradients(Context& context, const double* squares, std::uint64_t count, const GradientOptions& options,
                       StepControl* control, StepOutcome* outcome);

} // namespace millrace::kernels::cuda
