// Any bytes as a PNG or JPEG file: an error or a picture of exactly the stated size, which can be resized.
#include "engine/data/image.h"

#include <cstdint>
#include <cstdlib>

using namespace millrace;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size)
{
    constexpr std::uint64_t kLimitBytes = 1u << 20; // a small file may be a large picture, which takes its time
    const std::string_view content(reinterpret_cast<const char*>(bytes), size);
    for (const std::size_t channels : {1u, 3u}) {
        const auto image = data::decodeImage(content, channels, kLimitBytes);
        if (!image) continue;
        if (image->channels != channels || image->pixels.size() != image->height * image->width * channels)
            std::abort();
        for (const std::size_t side : {1u, 7u})
            if (data::resized(*image, side, side + 1).pixels.size() != side * (side + 1) * channels) std::abort();
    }
    return 0;
}
