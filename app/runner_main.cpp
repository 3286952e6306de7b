// millrace-runner: executes the job of a run folder, or answers the window's questions.
#include "engine/run/answers.h"
#include "engine/run/runner.h"
#include "kernels/base/log.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <string_view>
#include <thread>
#include <unistd.h>

namespace {

int usage()
{
    std::fputs("usage: millrace-runner RUN_FOLDER | --answer | --version\n", stderr);
    return 2;
}

// The threads of libgomp spin for milliseconds while they wait for each other, which on busy cores makes a 30 µs layer
// take 9 ms; threads that sleep at once make a step of short layers an eighth slower on idle ones. Some 50 µs are right
// for both. It reads its settings when it is loaded, so the program starts once more with them.
void restartWithWaitingThreads(char** argv)
{
    if (std::getenv("OMP_WAIT_POLICY") != nullptr || std::getenv("GOMP_SPINCOUNT") != nullptr) return;
    setenv("GOMP_SPINCOUNT", "5000", 1);
    execv("/proc/self/exe", argv); // where that fails it only is slower
}

int run(const char* folder)
{
    // The signals that ask it to stop are taken by a thread of their own, so that no handler interrupts anything.
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    std::stop_source stop;
    std::thread([signals, stop]() mutable {
        int number = 0;
        while (sigwait(&signals, &number) == 0) stop.request_stop();
    }).detach();

    const auto ending = millrace::run::runJob(folder, stop.get_token());
    if (!ending) {
        millrace::log(millrace::LogLevel::Error, ending.error().toString());
        return 1;
    }
    return static_cast<int>(*ending);
}

} // namespace

int main(int argc, char** argv)
try {
    if (argc != 2) return usage();
    const std::string_view argument = argv[1];
    if (argument == "--version") {
        std::puts("millrace-runner " MILLRACE_VERSION);
        return 0;
    }
    restartWithWaitingThreads(argv);
    if (argument == "--answer") {
        std::signal(SIGPIPE, SIG_IGN);
        millrace::run::answerRequests(std::cin, std::cout);
        return 0;
    }
    if (argument.starts_with("-")) return usage();
    return run(argv[1]);
} catch (const std::exception& exception) {
    std::fprintf(stderr, "millrace-runner: %s\n", exception.what());
    return 1;
}
