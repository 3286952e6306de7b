// The schedules of the learning rate that training nodes offer: one row each, which the parameters, the checks, the
// reference page and the trainer share.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace millrace::pipeline {

/// Symbols of the formulas: η learning_rate, η₁ final_rate, p the part of the training after the warm-up that is done,
/// from 0 to 1. Every schedule begins after the warm-up, in which the rate rises linearly from zero.
struct ScheduleType
{
    std::string_view id, title, help, formula, source;
    /// The parameters of a training node that it takes, with its own defaults. Those that count epochs in
    /// train.supervised (step_epochs) count steps in train.language (step_length).
    std::vector<std::pair<std::string_view, double>> parameters;
};

/// In the order in which they are offered.
const std::vector<ScheduleType>& scheduleTypes();
/// Null where there is none of that id.
const ScheduleType* findSchedule(std::string_view id);

} // namespace millrace::pipeline
