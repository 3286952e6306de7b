// A runner as a target and a follower see one: claims its folder, writes its journal, and ends as the job's name says:
// "exit-N" with that status, "sleep" when it is asked to stop.
#include "engine/protocol/job.h"
#include "engine/protocol/journal.h"
#include "engine/protocol/run_folder.h"

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <thread>

using namespace millrace;

namespace {
int run(const protocol::RunFolder& folder)
{
    const auto text = readFile(folder.job(), 1u << 20);
    const auto job = text ? protocol::jobFromText(*text) : Result<protocol::Job>(text.error());
    const auto claim = protocol::claimRun(folder);
    auto journal = protocol::JournalWriter::open(folder.journal());
    if (!job || !claim || !journal) return 100;
    const auto say = [&](const char* state) { return journal->append("state", {{"state", state}}).has_value(); };
    if (!say("starting") || !say("running")) return 101;
    std::cerr << "the runner's last words" << std::endl;
    if (job->name.starts_with("exit-")) return std::atoi(job->name.c_str() + 5);
    while (!exists(folder.stopRequest())) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    return say("stopping") && say("stopped") ? EXIT_SUCCESS : 102;
}
} // namespace

int main(int count, char** arguments)
{
    std::signal(SIGTERM, [](int) {}); // only wakes; the file `stop` is what asks
    return count == 2 ? run(protocol::RunFolder{arguments[1]}) : 2;
}
