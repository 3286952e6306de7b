#include "kernels/base/text.h"
#include "kernels/cpu/factory.h"
#include "tests/kernels/memory.h"
#include "tests/kernels/modes.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <thread>

namespace millrace::test {

namespace {

using Clock = std::chrono::steady_clock;

double secondsSince(Clock::time_point start)
{
    return std::chrono::duration<double>(Clock::now() - start).count();
}

/// The best mean of many short batches of calls: what the kernel takes while nobody else has the machine.
double bestSeconds(kernels::Kernel& kernel, const kernels::Arguments& arguments)
{
    kernel.run(arguments);
    double best = 1e9;
    for (int batch = 0; batch < 40; ++batch) {
        const Clock::time_point start = Clock::now();
        int calls = 0;
        do {
            kernel.run(arguments);
            ++calls;
        } while (secondsSince(start) < 0.003);
        best = std::min(best, secondsSince(start) / calls);
    }
    return best;
}

/// Outputs that may take an input's memory do, as a plan has it.
void printTime(const Function& function, const char* direction, const std::vector<Values>& inputs, int threads)
{
    auto kernel = function.makeKernel(kernels::cpu::CpuFactory(threads));
    if (!kernel) {
        std::printf("  %-8s  %s\n", direction, kernel.error().toString().c_str());
        return;
    }
    std::vector<GuardedMemory> memory;
    std::vector<const void*> from;
    std::vector<void*> to;
    double bytes = 0;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        memory.push_back(toMemory(function.inputs[i], inputs[i]));
        from.push_back(inputs[i].empty() ? nullptr : memory.back().data());
        bytes += static_cast<double>(memory.back().sizeBytes());
    }
    for (std::size_t i = 0; i < function.outputs.size(); ++i) {
        memory.emplace_back(static_cast<std::size_t>(function.outputs[i].elements) * sizeof(float), std::byte{0});
        const auto alias = std::ranges::find(function.aliases, i, &std::pair<std::size_t, std::size_t>::first);
        to.push_back(alias == function.aliases.end() ? memory.back().data() : memory[alias->second].data());
        bytes += static_cast<double>(memory.back().sizeBytes());
    }
    const GuardedMemory scratch((*kernel)->scratchBytes(), std::byte{0});
    const kernels::Counter counter{kSeed, kStep};
    const double seconds =
        bestSeconds(**kernel, {.inputs = from, .outputs = to, .scratch = scratch.data(), .counter = &counter});
    std::printf("  %-8s  %2d threads  %10.2f us  %8.1f GFLOP/s  %7.1f GB/s\n", direction, threads, seconds * 1e6,
                function.flops / seconds * 1e-9, bytes / seconds * 1e-9);
}

} // namespace

void printTimes(const Case& line, const Problem& problem)
{
    std::printf("%s\n", line.line().c_str());
    const Function& forward = problem.forward;
    const std::vector<Values> inputs = drawInputs(forward.inputs, kSeed);
    const int all = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
    for (const int threads : {1, all}) {
        printTime(forward, "forward", inputs, threads);
        if (problem.backward)
            printTime(*problem.backward, "backward", drawInputs(problem.backward->inputs, kSeed + 1), threads);
    }
    std::fflush(stdout);
}

} // namespace millrace::test
