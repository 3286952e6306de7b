// Writes a CSV table to standard output: ten numbers, two categories and a class that follows from them with some
// noise. The same rows for the same seed.
//   large_csv_rows ROWS [SEED]
#include "kernels/base/random.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace {
constexpr std::size_t kNumbers = 10, kFlushBytes = 1u << 20;
constexpr std::array kColours{"amber", "blue", "green", "red"};
constexpr std::array kRegions{"north", "east", "south", "west", "centre"};
constexpr std::array kClasses{"low", "middle", "high"};

void append(std::string& line, double value)
{
    std::array<char, 32> text{};
    const auto end = std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed, 4).ptr;
    line.append(text.data(), end);
    line += ',';
}
} // namespace

int main(int count, char** arguments)
{
    const long long rows = count > 1 ? std::atoll(arguments[1]) : 1000;
    const auto seed = static_cast<std::uint64_t>(count > 2 ? std::atoll(arguments[2]) : 1);
    millrace::Random random(seed, millrace::streamOf("large_csv"));
    std::string text;
    for (std::size_t i = 0; i < kNumbers; ++i) text += "x" + std::to_string(i) + ",";
    text += "colour,region,level\n";
    for (long long row = 0; row < rows; ++row) {
        double score = 0;
        for (std::size_t i = 0; i < kNumbers; ++i) {
            const double value = 2 * static_cast<double>(random.uniform()) - 1;
            score += i % 2 == 0 ? value : -value * value;
            append(text, 10 * static_cast<double>(i + 1) * value);
        }
        const std::size_t colour = random.below(kColours.size()), region = random.below(kRegions.size());
        score += 0.5 * static_cast<double>(colour) + 0.3 * static_cast<double>(random.uniform());
        text += kColours[colour];
        text += ',';
        text += kRegions[region];
        text += ',';
        text += kClasses[score < -1.3 ? 0 : score < 0 ? 1 : 2];
        text += '\n';
        if (text.size() >= kFlushBytes) {
            std::fwrite(text.data(), 1, text.size(), stdout);
            text.clear();
        }
    }
    std::fwrite(text.data(), 1, text.size(), stdout);
    return std::fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
