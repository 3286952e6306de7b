// A runner that does not train: in a run folder it tells of a training, fast or until it is stopped; with --answer it
// answers with what the question says. The run's name tells which: "endless…", "failing…", else it finishes.
#include "engine/protocol/job.h"
#include "engine/protocol/journal.h"
#include "engine/protocol/run_folder.h"
#include "kernels/base/files.h"
#include "tests/ui/bridge/run_maker.h"

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <poll.h>
#include <thread>
#include <unistd.h>

using namespace millrace;
using nlohmann::json;

namespace {

int tell(const std::string& path)
{
    const protocol::RunFolder folder{path};
    const auto lock = FileLock::tryAcquire(folder.lock());
    const auto text = readFile(folder.job(), 1u << 20);
    if (!lock || !text) return 3;
    const auto job = protocol::jobFromText(*text);
    auto journal = protocol::JournalWriter::open(folder.journal());
    if (!job || !journal || !durableReplace(folder.pid(), std::to_string(getpid()))) return 3;
    ui::test::MadeRun run;
    run.name = job->name;
    const bool endless = run.name.starts_with("endless");
    run.epochs = 4;
    if (run.name.starts_with("failing")) {
        run.state = protocol::RunState::Failed;
        run.failure = "The loss became NaN at step 12.";
    } else if (endless) {
        run.state = protocol::RunState::Running;
    }
    for (auto& event : ui::test::eventsOf(run)) {
        if (!journal->append(event.kind, event.fields)) return 3;
    }
    while (endless && !exists(folder.stopRequest())) std::this_thread::sleep_for(std::chrono::milliseconds(20));
    if (!endless) return 0;
    return journal->append("state", {{"state", "stopping"}}) && journal->append("state", {{"state", "stopped"}}) ? 0
                                                                                                                 : 3;
}

// Says the prompt again, as many times as tokens are asked for; one of "endless" until it is cancelled.
json generate(const json& request)
{
    const json& question = request["generate"];
    const bool endless = question["prompt"] == "endless";
    int said = 0;
    bool stopped = false;
    while (!stopped && (endless || said < question["tokens"])) {
        std::cout << json{{"id", request["id"]}, {"more", true}, {"text", question["prompt"]}}.dump() << std::endl;
        ++said;
        pollfd input{STDIN_FILENO, POLLIN, 0};
        std::string line;
        if (endless && ::poll(&input, 1, 5) > 0 && std::getline(std::cin, line))
            stopped = json::parse(line).value("cancel", json()) == request["id"];
    }
    return {{"id", request["id"]}, {"generated", {{"tokens", said}, {"seconds", 0.5}, {"stopped", stopped}}}};
}

json answerTo(const json& request)
{
    json answer = {{"id", request["id"]}};
    if (request.contains("inspect")) {
        const json& question = request["inspect"];
        if (question["type"] == "crash") std::abort();
        if (question["type"] == "garbage") {
            std::cout << "this is no JSON\n";
            answer["schema"] = 7;
            return answer;
        }
        if (!question["params"].contains("path")) {
            answer["error"] =
                protocol::errorToJson(makeError(Code::NotFound, "There is no such file.").atNode("data", "path"));
            return answer;
        }
        answer["schema"] = {{"features", json::array({4})},
                            {"rows", 150},
                            {"target", {{"kind", "classes"}, {"name", question["base"]}, {"classes", {"a", "b"}}}}};
        return answer;
    }
    if (request.contains("generate")) return generate(request);
    if (request.contains("describe") && request["describe"]["model"] == "/text") {
        answer["model"] = {{"schema",
                            {{"features", json::array({64})},
                             {"rows", 1000},
                             {"vocabulary", 65},
                             {"target", {{"kind", "next_token"}, {"name", ""}, {"classes", json::array()}}}}},
                           {"columns", json::array()},
                           {"parameters", 41000}};
        return answer;
    }
    if (request.contains("describe")) {
        const bool image = request["describe"]["model"] == "/image";
        json schema = {{"features", image ? json::array({8, 8, 1}) : json::array({3})},
                       {"rows", 100},
                       {"image", image},
                       {"target", {{"kind", "classes"}, {"name", "kind"}, {"classes", {"no", "yes"}}}}};
        answer["model"] = {{"schema", schema}, {"columns", {"length", "width", "colour"}}, {"parameters", 41000}};
        return answer;
    }
    const json& question = request["predict"];
    if (question["model"] == "/number") {
        answer["prediction"] = {{"value", 3.25}};
        return answer;
    }
    if (question.contains("row") && question["row"].get<std::string>().find("bad") != std::string::npos) {
        answer["error"] = protocol::errorToJson(makeError(Code::InvalidArgument, "“bad” is no number."));
        return answer;
    }
    double ink = 0;
    if (question.contains("image")) {
        for (const auto& pixel : question["image"]["pixels"]) ink += pixel.get<double>();
        ink /= static_cast<double>(question["image"]["pixels"].size());
    }
    answer["prediction"] = {{"classes", {"no", "yes"}}, {"probabilities", {1 - ink, ink}}};
    return answer;
}

} // namespace

int main(int argc, char** argv)
{
    if (argc < 2) return 2;
    std::signal(SIGTERM, SIG_IGN); // a stop comes with it; the file says the same
    if (std::string(argv[1]) != "--answer") return tell(argv[1]);
    for (std::string line; std::getline(std::cin, line);) {
        std::cout << answerTo(json::parse(line)).dump() << std::endl;
    }
    return 0;
}
