#include "app/cli/ask_runner.h"

#include "cluster/local_target.h"
#include "engine/protocol/event.h"
#include "kernels/base/files.h"
#include "kernels/base/text.h"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <memory>
#include <spawn.h>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace millrace::cli {

namespace {

/// A runner that answers, its two ends of the pipes, and its end with this object's.
class Answering
{
public:
    static Result<std::unique_ptr<Answering>> start();
    ~Answering();

    Status send(const std::string& line);
    /// The next line; nothing at the runner's end.
    Result<std::string> receive();

private:
    pid_t m_pid = -1;
    int m_requests = -1;
    std::FILE* m_answers = nullptr;
};

Result<std::unique_ptr<Answering>> Answering::start()
{
    const std::string program = cluster::defaultRunner();
    int requests[2], answers[2];
    if (::pipe2(requests, O_CLOEXEC) != 0) return errnoError("make a pipe to", program, errno);
    if (::pipe2(answers, O_CLOEXEC) != 0) return errnoError("make a pipe from", program, errno);
    std::unique_ptr<Answering> runner(new Answering);
    runner->m_requests = requests[1];
    runner->m_answers = ::fdopen(answers[0], "r");
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, requests[0], 0);
    ::posix_spawn_file_actions_adddup2(&actions, answers[1], 1);
    char answer[] = "--answer";
    std::string name = program;
    char* arguments[] = {name.data(), answer, nullptr};
    const int failure = ::posix_spawn(&runner->m_pid, program.c_str(), &actions, nullptr, arguments, environ);
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(requests[0]);
    ::close(answers[1]);
    if (failure != 0) {
        runner->m_pid = -1;
        return errnoError("start", program, failure)
            .advise("Install Millrace whole, or set MILLRACE_RUNNER to the path of millrace-runner.");
    }
    return runner;
}

Answering::~Answering()
{
    if (m_requests >= 0) ::close(m_requests);
    if (m_answers) std::fclose(m_answers);
    if (m_pid > 0) {
        ::kill(m_pid, SIGTERM);
        while (::waitpid(m_pid, nullptr, 0) < 0 && errno == EINTR) {
        }
    }
}

Status Answering::send(const std::string& line)
{
    for (std::size_t sent = 0; sent < line.size();) {
        const ssize_t count = ::write(m_requests, line.data() + sent, line.size() - sent);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return errnoError("write to", "the runner", errno);
        sent += static_cast<std::size_t>(count);
    }
    return {};
}

Result<std::string> Answering::receive()
{
    char* line = nullptr;
    std::size_t size = 0;
    const ssize_t length = ::getline(&line, &size, m_answers);
    const std::unique_ptr<char, decltype(&std::free)> owner(line, std::free);
    if (length <= 0)
        return makeError(Code::Io, "The runner ended without an answer.")
            .advise("What it wrote on standard error may say why.");
    return std::string(line, static_cast<std::size_t>(length));
}

} // namespace

Result<nlohmann::json> askRunner(nlohmann::json request, const std::function<void(const nlohmann::json&)>& partly)
{
    std::signal(SIGPIPE, SIG_IGN); // a runner that is gone shows as an error of write
    MR_TRY(const auto runner, Answering::start());
    request["id"] = 1;
    MR_CHECK(runner->send(request.dump() + "\n"));
    for (;;) {
        MR_TRY(const std::string line, runner->receive());
        auto answer = nlohmann::json::parse(line, nullptr, false);
        if (!answer.is_object()) return makeError(Code::InvalidFormat, "The runner's answer is no JSON object.");
        if (const auto error = answer.find("error"); error != answer.end()) return protocol::errorFromJson(*error);
        if (!answer.value("more", false)) return answer;
        if (partly) partly(answer);
    }
}

} // namespace millrace::cli
