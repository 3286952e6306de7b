// A step of training on a GPU. Rows are copied into pinned memory and uploaded by the transfer queue while the step
// before computes; the step itself (copies to the ports, forward, backward, clipping, update, average, figures back) is
// one captured step, launched once for each micro-batch. The host never waits but for the oldest of a few slots.
//
//   slot 0   rows -> pinned -> staging | copies, forward, backward, update, figures -> pinned
//   slot 1                       rows -> pinned -> staging | copies, forward, …
//            host               transfer queue               compute queue
#pragma once

#include "engine/execute/device_executor.h"
#include "engine/train/device_ranks.h"
#include "engine/train/stepper.h"

#include <array>
#include <deque>

namespace millrace::train {

class DeviceStepper final : public Stepper, private Objective
{
public:
    /// As Stepper::create; settings.device is there.
    static Result<std::unique_ptr<Stepper>> create(const TrainingModel& model, const StepSettings& settings,
                                                   const std::vector<std::int64_t>& batchSizes);
    ~DeviceStepper() override;

    Status step(StepRows& rows, std::int64_t step, double learningRate) override;
    Result<std::optional<StepFigures>> figures() override;
    Status finish() override;
    Status exchangeAverage() override;
    Result<std::map<std::string, std::span<std::byte>>> state() override;
    Status restored() override;

private:
    static constexpr std::size_t kSlots = 3; ///< micro-batches that may be on their way

    /// What one micro-batch brings to the GPU and takes back. The memory is the largest micro-batch's.
    struct Slot
    {
        std::byte* pinned = nullptr;  ///< a StepControl, then the rows as the ports take them
        std::byte* staging = nullptr; ///< the same on the device
        std::byte* result = nullptr;  ///< pinned: StepOutcome, loss, correct
        std::unique_ptr<kernels::Event> uploaded, done;
        // of the micro-batch that is in it
        std::int64_t step = 0, rows = 0;
        double weight = 0;
        bool last = false;
    };
    /// A program for one size of micro-batch. Its first run is not captured: libraries load what they need.
    struct Runner
    {
        std::unique_ptr<execute::DeviceExecutor> executor;
        std::array<std::unique_ptr<kernels::CapturedStep>, kSlots> captured;
        bool ran = false;
    };
    /// Memory of the device that a checkpoint keeps.
    struct Kept
    {
        std::string name;
        std::byte* onDevice = nullptr;
        std::uint64_t sizeBytes = 0;
        std::unique_ptr<kernels::Memory> host; ///< pinned; made when first asked for
    };

    explicit DeviceStepper(const StepSettings& settings) : m_settings(settings) {}
    kernels::Device& device() const { return *m_settings.device; }
    Status prepareOptimizer(const compile::Program& program);
    Status prepareSlots();
    Status allocate(std::unique_ptr<kernels::Memory>& memory, std::uint64_t sizeBytes, const char* what);

    Result<double> evaluate() override;
    std::span<float> parameters() override
    {
        return {m_weights->onDevice().parameters, static_cast<std::size_t>(m_count)};
    }
    std::span<float> gradients() override
    {
        return {reinterpret_cast<float*>(m_sum->at(0)), static_cast<std::size_t>(m_count)};
    }
    Status runBatches(std::int64_t step, double learningRate);
    Status fill(Slot& slot, const MicroBatch& rows, const kernels::StepControl& control) const;
    Status launch(Runner& runner, std::size_t index, bool first);
    Status enqueueRun(const Runner& runner, const Slot& slot) const;
    void enqueueInputs(const Runner& runner, const Slot& slot) const;
    Status enqueueUpdate(float* gradients, double weight, std::int64_t step) const;
    Status shareStart();
    int worldSize() const { return m_settings.ranks.worldSize(); }
    void enqueueAverage(std::int64_t step) const;
    Status enqueueResults(const Runner& runner, const Slot& slot) const;
    /// Takes the figures of the oldest micro-batch, after waiting for it.
    Status retire();
    Status checkFinite(const Slot& slot, bool lossIsFinite, const kernels::StepOutcome& outcome);

    StepSettings m_settings; // its device outlives all memory below
    kernels::GradientOptions m_gradientOptions;
    std::unique_ptr<DeviceRanks> m_ranks;     ///< null where this rank is alone
    std::map<std::int64_t, Runner> m_runners; // by rows
    std::unique_ptr<kernels::Update> m_update;
    std::vector<std::unique_ptr<kernels::Memory>> m_moments;
    std::vector<float*> m_momentPointers;
    std::unique_ptr<Optimizer> m_lineSearch; ///< in place of the update, where the optimiser searches along a line
    std::unique_ptr<kernels::Memory> m_updateScratch, m_gradientScratch, m_average, m_staging, m_pinned;
    std::unique_ptr<kernels::Memory> m_sum; ///< of the micro-batches' gradients; null where each step has but one
    std::uint64_t m_count = 0;              ///< elements of the flat buffers
    std::array<Slot, kSlots> m_slots;
    std::size_t m_next = 0, m_inFlight = 0; ///< slots: the next to fill, and how many before it are on their way
    double m_stepWeight = 0;                ///< of the micro-batches of this step so far
    StepFigures m_figures;                  ///< of the micro-batches that retired so far
    std::deque<StepFigures> m_done;
    StepFigures m_searched; ///< of the step that searches along a line, where it began
    StepRows* m_rows = nullptr;
    std::vector<Kept> m_kept;
};

} // namespace millrace::train
