#include "engine/train/stepper.h"

#include "engine/train/cpu_stepper.h"
#include "engine/train/device_stepper.h"
#include "kernels/base/text.h"

namespace millrace::train {

Result<std::unique_ptr<Stepper>> Stepper::create(const TrainingModel& model, const StepSettings& settings,
                                                 const std::vector<std::int64_t>& batchSizes)
{
    return settings.device ? DeviceStepper::create(model, settings, batchSizes)
                           : CpuStepper::create(model, settings, batchSizes);
}

Error divergence(const execute::Executor& executor, std::int64_t step, bool lossIsFinite)
{
    const std::string layer = executor.firstNonFinite();
    return makeError(Code::Diverged,
                     str(lossIsFinite ? "The gradient" : "The loss", " is not a finite number at step ", step + 1,
                         layer.empty() ? std::string() : str("; it first appeared in layer ", layer), "."))
        .advise("Lower the learning rate, standardize the data, or clip the gradient.");
}

} // namespace millrace::train
