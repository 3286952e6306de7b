// Which algorithm of a library is the best for a product, a convolution or an attention: measured once, then read from
// a file, so that the next process starts at once and computes the same bits.
#pragma once

#include "kernels/ops/device.h"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace millrace::kernels::cuda {

/// One measured choice: the place among the library's own answers, in their order. Whoever reads it asks the library
/// again and takes it only where there are so many answers, so that no file can name an algorithm that does not fit.
struct AlgorithmChoice
{
    int place = 0;
    double microseconds = 0;
    bool operator==(const AlgorithmChoice&) const = default;
};

/// By a key that says all that the choice depends on beyond device and libraries: operation, types, dimensions.
using AlgorithmTable = std::map<std::string, AlgorithmChoice, std::less<>>;

/// A table as it lies in the file: a first line that names format and device, then a line for each choice.
struct AlgorithmFile
{
    AlgorithmTable choices;
    bool whole = false; ///< every line was read: a new one may be appended
};

/// One line: place, microseconds, key, each followed by a tab, and the checksum of what is before it.
/// The key must have no control characters.
std::string algorithmLine(std::string_view key, const AlgorithmChoice& choice);
/// Reads what is whole: a line with a wrong checksum is left out, and a file whose first line is not `header` gives
/// nothing. Of two lines with one key the later counts.
AlgorithmFile parseAlgorithms(std::string_view content, std::string_view header);

class AlgorithmCache
{
public:
    /// Reads the device's file in that folder; empty: choices are kept in memory alone. A file that is damaged, foreign
    /// or newer is as good as none, and replaced when the first choice is stored. Devices of one name and libraries of
    /// one version share a file, so that all ranks of a host compute alike.
    AlgorithmCache(std::string folder, const DeviceInfo& device);

    /// False where MILLRACE_TUNE is "off": then the library's first answer is taken, and nothing is stored.
    bool measures() const { return m_measures; }
    /// A choice whose place is below `places`.
    std::optional<AlgorithmChoice> find(std::string_view key, int places) const;
    /// Keeps it, and appends it to the file: a process that does the same at once loses nothing. A file that cannot be
    /// written is measured again by the next process, which is no error of this one.
    void store(const std::string& key, const AlgorithmChoice& choice);
    /// What was prepared under that key in this process, shared by all kernels that need the same; null at first.
    std::shared_ptr<const void>& prepared(const std::string& key) { return m_prepared[key]; }

private:
    std::string m_path, m_header;
    AlgorithmFile m_file;
    std::map<std::string, std::shared_ptr<const void>> m_prepared;
    bool m_measures = true;
};

} // namespace millrace::kernels::cuda
