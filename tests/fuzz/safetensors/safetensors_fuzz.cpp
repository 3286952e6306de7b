// Any bytes as a safetensors file: refused, or read so that writing it again and reading that gives the same tensors;
// and as a model, whose description is untrusted, too.
#include "engine/formats/model_file.h"
#include "engine/formats/safetensors.h"

#include <cstdint>
#include <cstdlib>

using namespace millrace;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size)
{
    const std::string_view content(reinterpret_cast<const char*>(bytes), size);
    const auto file = formats::Safetensors::parse(content, "fuzz");
    if (!file) return 0;
    const auto written = formats::writeSafetensors(file->tensors(), file->metadata());
    if (!written) std::abort();
    const auto again = formats::Safetensors::parse(*written);
    if (!again || again->tensors().size() != file->tensors().size() || again->metadata() != file->metadata())
        std::abort();
    for (const formats::TensorView& tensor : file->tensors()) {
        const formats::TensorView* other = again->find(tensor.name);
        if (other == nullptr || other->bytes != tensor.bytes || other->shape != tensor.shape) std::abort();
    }
    (void)formats::nonFiniteTensors(file->tensors());
    if (const auto model = formats::modelFromSafetensors(*file, "fuzz")) {
        if (!formats::modelToSafetensors(*model)) std::abort();
    }
    return 0;
}
