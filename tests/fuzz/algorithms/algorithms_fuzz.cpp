// Any bytes as a file of measured algorithms: nothing or choices, and what they are written as reads back the same.
#include "kernels/cuda/algorithm_cache.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>

using namespace millrace::kernels::cuda;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size)
{
    constexpr std::string_view kHeader = "millrace algorithms 1\tfuzz\n";
    // the checksum stands in the way of a fuzzer: the same bytes are tried as the lines of a file that is whole
    const std::string_view content(reinterpret_cast<const char*>(bytes), size);
    std::string lines(kHeader);
    for (std::size_t begin = 0; begin < content.size();) {
        const std::size_t end = std::min(content.find('\n', begin), content.size());
        const std::string_view key = content.substr(begin, end - begin);
        if (key.find('\t') == std::string_view::npos)
            lines += algorithmLine(key, {.place = static_cast<int>(begin % 1000), .microseconds = 0.1});
        begin = end + 1;
    }
    const AlgorithmFile whole = parseAlgorithms(lines, kHeader);
    if (!whole.whole) std::abort();

    const AlgorithmFile file = parseAlgorithms(content, kHeader);
    std::string written(kHeader);
    for (const auto& [key, choice] : file.choices) {
        if (choice.place < 0 || !(choice.microseconds >= 0)) std::abort();
        written += algorithmLine(key, choice);
    }
    const AlgorithmFile again = parseAlgorithms(written, kHeader);
    if (!again.whole || again.choices != file.choices) std::abort();
    return 0;
}
