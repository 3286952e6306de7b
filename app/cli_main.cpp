// millrace: the command. With no verb it becomes the window.
#include "app/cli/verb.h"
#include "kernels/base/text.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <climits>
#include <cstdio>
#include <cstring>
#include <exception>
#include <string>
#include <string_view>
#include <unistd.h>
#include <vector>

namespace {

// Becomes millrace-desktop, which lies beside this program.
int openWindow(char** argv)
{
    std::array<char, PATH_MAX> buffer{};
    const ssize_t length = readlink("/proc/self/exe", buffer.data(), buffer.size() - 1);
    std::string window(buffer.data(), length > 0 ? static_cast<std::size_t>(length) : 0);
    window.resize(window.rfind('/') + 1);
    window += "millrace-desktop";
    execv(window.c_str(), argv);
    std::fprintf(stderr,
                 "millrace: cannot open the window (%s): %s. The command line works without it; see millrace --help.\n",
                 window.c_str(), std::strerror(errno));
    return millrace::cli::Failed;
}

std::vector<std::string> verbsOf(const CLI::App& command)
{
    std::vector<std::string> verbs;
    for (const CLI::App* verb : command.get_subcommands([](const CLI::App*) { return true; }))
        verbs.push_back(verb->get_name());
    return verbs;
}

int unknownVerb(std::string_view name, const std::vector<std::string>& verbs)
{
    std::fprintf(stderr, "millrace: There is no verb \"%s\". %s See millrace --help.\n",
                 millrace::printable(name).c_str(), millrace::didYouMean(name, verbs).c_str());
    return millrace::cli::WrongUsage;
}

bool isPipelineFile(std::string_view argument)
{
    return argument.ends_with(".millrace");
}

} // namespace

int main(int argc, char** argv)
try {
    if (argc == 1 || (argc == 2 && isPipelineFile(argv[1]))) return openWindow(argv);
    millrace::cli::Outcome outcome;
    CLI::App command(
        "Millrace: draw, train, serve and see. With no verb, or with a pipeline file alone, it opens the window.");
    command.name("millrace");
    command.set_version_flag("--version", "millrace " MILLRACE_VERSION);
    command.require_subcommand(1);
    millrace::cli::addRun(command, outcome);
    millrace::cli::addCheck(command, outcome);
    millrace::cli::addNodes(command, outcome);
    millrace::cli::addRuns(command, outcome);
    millrace::cli::addModels(command, outcome);
    millrace::cli::addBench(command, outcome);
    millrace::cli::addGenerate(command, outcome);
    const std::vector<std::string> verbs = verbsOf(command);
    if (argv[1][0] != '-' && std::find(verbs.begin(), verbs.end(), argv[1]) == verbs.end())
        return unknownVerb(argv[1], verbs);
    try {
        command.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        const int status = command.exit(error);
        return status == 0 ? millrace::cli::Done : millrace::cli::WrongUsage;
    }
    return outcome.status;
} catch (const std::exception& exception) {
    std::fprintf(stderr, "millrace: %s\n", exception.what());
    return millrace::cli::Failed;
}
