#include "app/cli/follow.h"

#include "kernels/base/text.h"

#include <chrono>
#include <csignal>
#include <cstdio>
#include <thread>

namespace millrace::cli {

namespace {

constexpr auto kPoll = std::chrono::milliseconds(50);

volatile std::sig_atomic_t g_interrupts = 0;

// Counts Ctrl+C while it lives.
class InterruptCounter
{
public:
    InterruptCounter()
    {
        g_interrupts = 0;
        struct sigaction action
        {
        };
        action.sa_handler = [](int) { g_interrupts = g_interrupts + 1; };
        sigaction(SIGINT, &action, &m_before);
    }
    ~InterruptCounter() { sigaction(SIGINT, &m_before, nullptr); }
    InterruptCounter(const InterruptCounter&) = delete;
    InterruptCounter& operator=(const InterruptCounter&) = delete;
    int count() const { return g_interrupts; }

private:
    struct sigaction m_before
    {
    };
};

} // namespace

Status follow(Record& record, const std::string& id, cluster::LocalTarget* target,
              const std::function<void(const protocol::Event&)>& onEvent, std::int64_t afterSeq)
{
    const InterruptCounter interrupts;
    bool stopAsked = false, runnerEnded = false;
    for (;;) {
        if (target != nullptr)
            for (const cluster::EndedRunner& ended : target->ended()) {
                record.follower->noteExit(ended.run, ended.status);
                runnerEnded = runnerEnded || ended.run == id;
            }
        MR_TRY(const storage::PollResult polled, record.follower->poll());
        for (const storage::RunEvents& news : polled.news)
            if (news.run == id)
                for (const protocol::Event& event : news.events) onEvent(event);
        for (const Error& problem : polled.problems)
            std::fprintf(stderr, "millrace: %s\n", printable(problem.toString()).c_str());
        MR_TRY(const storage::Run run, record.database->run(id));
        const bool isNews = run.lastSeq > afterSeq || runnerEnded; // else it is the end that it is resumed from
        if (protocol::isTerminal(run.state) && isNews && !polled.more) return {};
        if (interrupts.count() > 0 && !stopAsked) {
            stopAsked = true;
            std::fputs("\nStopping at the next step. Press Ctrl+C again to leave it to itself.\n", stderr);
            MR_CHECK(cluster::requestStop(protocol::RunFolder{run.folder}));
        }
        if (interrupts.count() > 1)
            return makeError(Code::Cancelled, str("Run ", id, " goes on without being watched."))
                .advise(str("See it again with: millrace runs watch ", id));
        if (!polled.more) std::this_thread::sleep_for(kPoll);
    }
}

} // namespace millrace::cli
