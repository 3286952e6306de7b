// kernel_driver compare|gradient|time CASE_FILE…: runs every case of the files in one mode. Exit status 1 if a case
// fails.
#include "tests/kernels/modes.h"

#include <cstdio>
#include <string_view>

using namespace millrace;

namespace {

struct Tally
{
    int run = 0, skipped = 0, failed = 0;
};

/// What is wrong with the case in that mode; empty where nothing is.
std::string runCase(std::string_view mode, const test::Case& line, Tally& tally)
{
    const auto problem = test::buildProblem(line);
    if (!problem) return problem.error().toString();
    if (mode == "gradient" && !test::isSmall(*problem)) {
        ++tally.skipped;
        return {};
    }
    ++tally.run;
    if (mode == "compare") return test::compareWithReference(*problem);
    if (mode == "gradient") return test::compareWithDifferences(*problem);
    test::printTimes(line, *problem);
    return {};
}

} // namespace

int main(int argc, char** argv)
{
    const std::string_view mode = argc > 2 ? argv[1] : "";
    if (mode != "compare" && mode != "gradient" && mode != "time") {
        std::fprintf(stderr, "usage: kernel_driver compare|gradient|time CASE_FILE...\n");
        return 2;
    }
    Tally tally;
    for (int i = 2; i < argc; ++i) {
        const auto cases = test::readCases(argv[i]);
        if (!cases) {
            std::fprintf(stderr, "%s\n", cases.error().toString().c_str());
            return 2;
        }
        for (const test::Case& line : *cases) {
            if (const std::string fault = runCase(mode, line, tally); !fault.empty()) {
                std::printf("FAILED %s: %s\n", line.line().c_str(), fault.c_str());
                ++tally.failed;
            }
        }
    }
    std::printf("%d cases, %d too large for this mode, %d failed\n", tally.run, tally.skipped, tally.failed);
    return tally.failed > 0 || tally.run == 0 ? 1 : 0;
}
