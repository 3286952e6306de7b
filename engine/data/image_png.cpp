// PNG by libpng, whose errors are jumps: each step that may jump stands in a function without objects to destroy.
#include "engine/data/image.h"
#include "kernels/base/text.h"

#include <csetjmp>
#include <cstring>
#include <png.h>

namespace millrace::data {

namespace {
constexpr png_uint_32 kMaximumChunks = 1000;
constexpr png_alloc_size_t kMaximumChunkBytes = 8u << 20; ///< unpacked, of one that is not the picture

/// What libpng's functions see.
struct Reading
{
    const char* bytes = nullptr;
    std::size_t size = 0, at = 0;
    char reason[128] = "";
    png_structp png = nullptr;
    png_infop info = nullptr;
    png_bytepp rows = nullptr;

    Reading() = default;
    Reading(const Reading&) = delete;
    Reading& operator=(const Reading&) = delete;
    ~Reading() { png_destroy_read_struct(&png, &info, nullptr); }
};

void readBytes(png_structp png, png_bytep buffer, std::size_t size)
{
    auto& reading = *static_cast<Reading*>(png_get_io_ptr(png));
    if (size > reading.size - reading.at) png_error(png, "the file is cut off");
    std::memcpy(buffer, reading.bytes + reading.at, size);
    reading.at += size;
}

[[noreturn]] void failed(png_structp png, png_const_charp reason)
{
    auto& reading = *static_cast<Reading*>(png_get_error_ptr(png));
    std::strncpy(reading.reason, reason, sizeof reading.reason - 1);
    png_longjmp(png, 1);
}

void ignoreWarning(png_structp, png_const_charp) {}

/// Whether every chunk ends within the file. libpng takes memory for some of them by the length that they claim.
bool chunksFit(std::string_view bytes)
{
    constexpr std::size_t kSignature = 8, kFrame = 12; // length, name and checksum
    std::size_t at = kSignature;
    while (at + kFrame <= bytes.size()) {
        std::size_t length = 0;
        for (std::size_t i = 0; i < 4; ++i) length = length << 8 | static_cast<unsigned char>(bytes[at + i]);
        if (length > bytes.size() - at - kFrame) return false;
        if (bytes.substr(at + 4, 4) == "IEND") break; // what follows is not the picture's
        at += kFrame + length;
    }
    return true;
}

/// The header, and how its pixels are to become 8-bit channels.
void readHeader(Reading& reading)
{
    png_structp png = reading.png;
    png_read_info(png, reading.info);
    png_set_expand(png); // palettes to RGB, few bits to 8, a transparent colour to opacity
    png_set_scale_16(png);
    png_set_interlace_handling(png);
    png_read_update_info(png, reading.info);
}

void readPixels(Reading& reading)
{
    png_read_image(reading.png, reading.rows);
    png_read_end(reading.png, reading.info);
}

/// False where the step failed.
bool attempt(Reading& reading, void (*step)(Reading&))
{
    if (setjmp(png_jmpbuf(reading.png)) != 0) return false;
    step(reading);
    return true;
}

Error damaged(const Reading& reading)
{
    return makeError(Code::InvalidFormat, str("The PNG file is damaged: ", printable(reading.reason), "."));
}

int orientationOf(const Reading& reading)
{
    png_uint_32 size = 0;
    png_bytep exif = nullptr;
    if (png_get_eXIf_1(reading.png, reading.info, &size, &exif) == 0) return 1;
    return exifOrientation({reinterpret_cast<const char*>(exif), size});
}
} // namespace

Result<DecodedImage> decodePng(std::string_view bytes, std::uint64_t limitBytes)
{
    Reading reading;
    reading.bytes = bytes.data();
    reading.size = bytes.size();
    if (!chunksFit(bytes)) {
        std::strcpy(reading.reason, "the file is cut off");
        return damaged(reading);
    }
    reading.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &reading, failed, ignoreWarning);
    if (reading.png != nullptr) reading.info = png_create_info_struct(reading.png);
    if (reading.info == nullptr) return makeError(Code::OutOfMemory, "There is no memory to read a PNG file.");
    png_set_read_fn(reading.png, &reading, readBytes);
    png_set_user_limits(reading.png, PNG_UINT_31_MAX, PNG_UINT_31_MAX); // the product is judged below
    png_set_chunk_cache_max(reading.png, kMaximumChunks);
    png_set_chunk_malloc_max(reading.png, kMaximumChunkBytes);

    if (!attempt(reading, readHeader)) return damaged(reading);
    DecodedImage decoded;
    Image& image = decoded.image;
    image.height = png_get_image_height(reading.png, reading.info);
    image.width = png_get_image_width(reading.png, reading.info);
    image.channels = png_get_channels(reading.png, reading.info);
    MR_CHECK(checkImageBytes(image.height, image.width, image.channels, limitBytes));
    image.pixels.resize(image.height * image.width * image.channels);
    std::vector<png_bytep> rows;
    for (std::size_t y = 0; y < image.height; ++y) rows.push_back(&image.pixels[y * image.width * image.channels]);
    reading.rows = rows.data();
    if (!attempt(reading, readPixels)) return damaged(reading);
    decoded.orientation = orientationOf(reading);
    return decoded;
}

} // namespace millrace::data
