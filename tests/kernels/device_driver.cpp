// kernel_device_driver [--most OPERATIONS] CASE_FILE…: runs every case of the files on a GPU, for each storage type
// that it has kernels for. Cases of more operations than that are left out. Exit status 1 if a case fails, 77 without a
// GPU.
#include "kernels/base/text.h"
#include "tests/cuda/test_device.h"
#include "tests/kernels/modes.h"

#include <cstdio>
#include <limits>
#include <string_view>

using namespace millrace;

namespace {

struct Tally
{
    int run = 0, skipped = 0, failed = 0;
};

std::unique_ptr<kernels::Device> openOrSay()
{
    auto device = test::openTestDevice();
    if (device) return std::move(*device);
    std::fprintf(stderr, "%s\n", device.error().toString().c_str());
    return nullptr;
}

/// Runs a case for all types on the device, and opens another in its place where one is lost.
void runCase(const test::Case& line, double most, std::unique_ptr<kernels::Device>& device, Tally& tally)
{
    const auto problem = test::buildProblem(line);
    const auto fail = [&](std::string_view type, const std::string& fault) {
        std::printf("FAILED %s %s: %s\n", line.line().c_str(), std::string(type).c_str(), fault.c_str());
        ++tally.failed;
    };
    if (!problem) return fail("", problem.error().toString());
    if (problem->forward.flops > most) {
        ++tally.skipped;
        return;
    }
    for (const DType type : {DType::F32, DType::BF16, DType::F16}) {
        if (type != DType::F32 && problem->f32Only) break;
        ++tally.run;
        const std::string fault = test::compareDeviceWithReference(*device, *problem, type);
        if (!fault.empty()) fail(name(type), fault);
        if (device->status()) continue;
        device.reset();
        device = openOrSay();
        if (!device) return;
    }
}

} // namespace

int main(int argc, char** argv)
{
    int first = 1;
    double most = std::numeric_limits<double>::infinity();
    if (argc > 2 && std::string_view(argv[1]) == "--most") {
        most = parseDouble(argv[2]).value_or(most);
        first = 3;
    }
    if (first >= argc) {
        std::fprintf(stderr, "usage: kernel_device_driver [--most OPERATIONS] CASE_FILE...\n");
        return 2;
    }
    std::unique_ptr<kernels::Device> device = openOrSay();
    if (!device) return 77; // what CTest counts as skipped
    Tally tally;
    for (int i = first; i < argc; ++i) {
        const auto cases = test::readCases(argv[i]);
        if (!cases) {
            std::fprintf(stderr, "%s\n", cases.error().toString().c_str());
            return 2;
        }
        for (const test::Case& line : *cases) {
            runCase(line, most, device, tally);
            if (!device) return 1;
        }
    }
    std::printf("%d cases, %d too large, %d failed\n", tally.run, tally.skipped, tally.failed);
    return tally.failed > 0 || tally.run == 0 ? 1 : 0;
}
