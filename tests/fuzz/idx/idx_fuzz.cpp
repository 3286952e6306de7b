// Any bytes as an IDX file, plain or gzip: an answer or an error, and an array of exactly the stated size.
#include "engine/data/idx.h"

#include <cstdint>
#include <cstdlib>

using namespace millrace;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size)
{
    const std::string_view content(reinterpret_cast<const char*>(bytes), size);
    const bool packed = content.starts_with("\x1F\x8B");
    const auto read = data::openMemory(content, "fuzz")();
    const auto array = data::readIdx(*read, data::ContentSize{size, packed}, "fuzz");
    if (!array || array->values.empty()) return 0;
    if (array->values.size() != static_cast<std::size_t>(array->shape.elements())) std::abort();
    data::IdxArray labels{Shape{array->shape[0]}, {}};
    for (std::int64_t i = 0; i < array->shape[0]; ++i) labels.values.push_back(static_cast<std::uint8_t>(i % 3));
    const auto rows = data::imagesAndLabels(*array, labels, 255, "fuzz", "labels");
    if (rows && rows->rows() != array->shape[0]) std::abort();
    return 0;
}
