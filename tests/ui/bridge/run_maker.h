// Writes the folder of a run as a runner leaves it: job.json and a journal of the events that a training has, at any
// time in the past.
#pragma once

#include "engine/protocol/event.h"
#include "engine/protocol/home.h"
#include "engine/protocol/run_state.h"

#include <string>
#include <vector>

namespace millrace::ui::test {

struct MadeRun
{
    std::string id = "20260301-101500-000-aaaaaa"; ///< the time of its creation is in it
    std::string name = "brisk-heron";
    std::string pipeline = "Digits quick start";
    protocol::RunState state = protocol::RunState::Finished;
    int epochs = 15;     ///< that were trained
    int allEpochs = 15;  ///< that were asked for
    double speed = 0.35; ///< how quickly the loss falls
    double accuracy = 0.986;
    std::string optimizer = "adamw";
    double learningRate = 0.002, weightDecay = 0.01;
    double seconds = 9.4;
    bool withModel = true;
    std::string failure; ///< the cause, where it failed
};

/// The events in order, with seq and times.
std::vector<protocol::Event> eventsOf(const MadeRun& run);
/// Creates runs/<id>/ with job.json and journal.jsonl.
void writeRun(const protocol::Home& home, const MadeRun& run);

} // namespace millrace::ui::test
