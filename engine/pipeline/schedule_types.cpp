#include "engine/pipeline/schedule_types.h"

#include <algorithm>

namespace millrace::pipeline {

const std::vector<ScheduleType>& scheduleTypes()
{
    static const std::vector<ScheduleType> all{
        {"constant", "Constant", "The rate stays.", "η", "", {}},
        {"step",
         "Step",
         "Times the factor every few epochs.",
         "η · step_factor^⌊epoch / step_epochs⌋",
         "He et al. 2016, arXiv:1512.03385, section 4.2.",
         {{"step_epochs", 10}, {"step_length", 1000}, {"step_factor", 0.1}}},
        {"exponential",
         "Exponential",
         "Times the factor at each epoch, smoothly in between.",
         "η · step_factor^(epochs / step_epochs)",
         "",
         {{"step_epochs", 1}, {"step_length", 100}, {"step_factor", 0.95}}},
        {"polynomial",
         "Polynomial",
         "Falls to the final rate along a power of what is left; power 1: a straight line.",
         "η₁ + (η − η₁)(1 − p)^decay_power",
         "Chen et al. 2017, arXiv:1606.00915, section 4.1.",
         {{"decay_power", 1}, {"final_rate", 0}}},
        {"cosine",
         "Cosine",
         "Falls to the final rate along half a cosine.",
         "η₁ + (η − η₁)(1 + cos πp)/2",
         "Loshchilov, Hutter 2017, arXiv:1608.03983.",
         {{"final_rate", 0}}},
        {"one_cycle",
         "One cycle",
         "Rises along half a cosine from 1/25 of the rate in the first 30 %, then falls along another to the final "
         "rate.",
         "η/25 + (η − η/25)(1 − cos(πp/0.3))/2 up to p = 0.3, then η₁ + (η − η₁)(1 + cos(π(p−0.3)/0.7))/2",
         "Smith, Topin 2018, arXiv:1708.07120.",
         {{"final_rate", 0}}},
        {"plateau",
         "Reduce on plateau",
         "Times the factor when the validation loss (without validation rows, the training loss) has not fallen for as "
         "many evaluations as the patience says, down to the final rate.",
         "max(η₁, η · step_factor^(number of reductions))",
         "",
         {{"step_factor", 0.1}, {"patience", 10}, {"final_rate", 0}}},
    };
    return all;
}

const ScheduleType* findSchedule(std::string_view id)
{
    const auto& all = scheduleTypes();
    const auto found = std::find_if(all.begin(), all.end(), [&](const ScheduleType& row) { return row.id == id; });
    return found == all.end() ? nullptr : &*found;
}

} // namespace millrace::pipeline
