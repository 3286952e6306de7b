#include "engine/data/image.h"

#include "kernels/base/text.h"
#include "kernels/base/units.h"

#include <algorithm>

namespace millrace::data {

namespace {
std::uint8_t greyOf(const std::uint8_t* rgb)
{
    // Pillow's whole numbers for BT.601
    return static_cast<std::uint8_t>((rgb[0] * 19595u + rgb[1] * 38470u + rgb[2] * 7471u + 0x8000u) >> 16);
}

std::uint8_t onWhite(std::uint8_t value, std::uint8_t opacity)
{
    return static_cast<std::uint8_t>((value * opacity + 255u * (255u - opacity) + 127u) / 255u);
}

/// One or three channels from one to four.
Image converted(const Image& image, std::size_t channels)
{
    if (image.channels == channels) return image;
    const bool opaque = image.channels % 2 == 1, coloured = image.channels > 2;
    Image result{image.height, image.width, channels, {}};
    result.pixels.reserve(image.height * image.width * channels);
    for (std::size_t at = 0; at < image.pixels.size(); at += image.channels) {
        std::uint8_t rgb[3];
        for (std::size_t c = 0; c < 3; ++c) {
            const std::uint8_t value = image.pixels[at + (coloured ? c : 0)];
            rgb[c] = opaque ? value : onWhite(value, image.pixels[at + image.channels - 1]);
        }
        if (channels == 1)
            result.pixels.push_back(coloured ? greyOf(rgb) : rgb[0]);
        else
            result.pixels.insert(result.pixels.end(), rgb, rgb + 3);
    }
    return result;
}

/// The picture as EXIF's orientation says that it is to be seen: exchanged rows and columns, from the other end, or
/// both.
Image upright(const Image& image, int orientation)
{
    if (orientation <= 1 || orientation > 8) return image;
    const bool transposed = orientation >= 5;
    const bool down = orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8;
    const bool left = orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7;
    Image result{transposed ? image.width : image.height, transposed ? image.height : image.width, image.channels, {}};
    result.pixels.resize(image.pixels.size());
    auto* to = result.pixels.data();
    for (std::size_t y = 0; y < result.height; ++y)
        for (std::size_t x = 0; x < result.width; ++x, to += image.channels) {
            const std::size_t row = down ? result.height - 1 - y : y, column = left ? result.width - 1 - x : x;
            const std::size_t from = transposed ? column * image.width + row : row * image.width + column;
            std::copy_n(image.pixels.data() + from * image.channels, image.channels, to);
        }
    return result;
}

/// A whole number of so many bytes within the text; 0 beyond its end.
std::uint32_t numberAt(std::string_view text, std::size_t at, std::size_t bytes, bool littleEndian)
{
    if (at + bytes > text.size()) return 0;
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < bytes; ++i)
        value = value << 8 | static_cast<unsigned char>(text[at + (littleEndian ? bytes - 1 - i : i)]);
    return value;
}
} // namespace

int exifOrientation(std::string_view tiff)
{
    constexpr std::uint32_t kOrientationTag = 0x0112, kShort = 3;
    constexpr std::size_t kEntryBytes = 12;
    const bool littleEndian = tiff.starts_with("II");
    if (!littleEndian && !tiff.starts_with("MM")) return 1;
    const std::size_t directory = numberAt(tiff, 4, 4, littleEndian);
    const std::uint32_t entries = numberAt(tiff, directory, 2, littleEndian);
    for (std::uint32_t i = 0; i < entries; ++i) {
        const std::size_t entry = directory + 2 + i * kEntryBytes;
        if (entry + kEntryBytes > tiff.size()) return 1;
        if (numberAt(tiff, entry, 2, littleEndian) != kOrientationTag) continue;
        const std::uint32_t value = numberAt(tiff, entry + 8, 2, littleEndian);
        return numberAt(tiff, entry + 2, 2, littleEndian) == kShort && value >= 1 && value <= 8
                   ? static_cast<int>(value)
                   : 1;
    }
    return 1;
}

Status checkImageBytes(std::uint64_t height, std::uint64_t width, std::uint64_t bytesPerPixel, std::uint64_t limitBytes)
{
    // both sides have at most 32 bits and the factor few, so that nothing overflows
    if (height == 0 || width == 0) return makeError(Code::InvalidFormat, "The image has no pixels.");
    if (height <= limitBytes / width / bytesPerPixel) return {};
    return makeError(Code::TooLarge, str("The image is ", height, "×", width, " pixels, which would take more than ",
                                         formatBytes(static_cast<double>(limitBytes)), "."));
}

Result<Image> decodeImage(std::string_view bytes, std::size_t channels, std::uint64_t limitBytes)
{
    DecodedImage decoded;
    if (bytes.starts_with("\x89PNG\r\n\x1A\n")) {
        MR_TRY(decoded, decodePng(bytes, limitBytes));
    } else if (bytes.starts_with("\xFF\xD8\xFF")) {
        MR_TRY(decoded, decodeJpeg(bytes, limitBytes));
    } else {
        return makeError(Code::Unsupported, bytes.empty() ? "The file is empty." : "The file is neither PNG nor JPEG.");
    }
    return upright(converted(decoded.image, channels), decoded.orientation);
}

} // namespace millrace::data
