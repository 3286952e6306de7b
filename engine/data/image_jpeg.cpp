// JPEG by libjpeg-turbo, whose errors are jumps: each step that may jump stands in a function without objects to
// destroy.
#include "engine/data/image.h"
#include "kernels/base/text.h"

#include <csetjmp>
#include <cstdio>
#include <jerror.h>
#include <jpeglib.h>

namespace millrace::data {

namespace {
constexpr int kMaximumScans = 100; ///< real progressive files have some ten; each may cost as much as a whole picture
constexpr std::string_view kExif("Exif\0\0", 6);

/// What libjpeg's functions see.
struct Reading
{
    jpeg_decompress_struct jpeg{};
    jpeg_error_mgr errors{};
    jpeg_progress_mgr progress{};
    std::jmp_buf onError{};
    char reason[JMSG_LENGTH_MAX] = "";
    const unsigned char* bytes = nullptr;
    unsigned long size = 0;
    unsigned char* pixels = nullptr;

    Reading() = default;
    Reading(const Reading&) = delete;
    Reading& operator=(const Reading&) = delete;
    ~Reading() { jpeg_destroy_decompress(&jpeg); }
};

Reading& readingOf(j_common_ptr jpeg)
{
    return *static_cast<Reading*>(jpeg->client_data);
}

[[noreturn]] void failed(j_common_ptr jpeg)
{
    Reading& reading = readingOf(jpeg);
    jpeg->err->format_message(jpeg, reading.reason);
    std::longjmp(reading.onError, 1);
}

/// A warning that stands for lost pixels is an error; others (bytes between markers) are not.
void warned(j_common_ptr jpeg, int level)
{
    const int code = jpeg->err->msg_code;
    if (level < 0 && (code == JWRN_JPEG_EOF || code == JWRN_HIT_MARKER || code == JWRN_HUFF_BAD_CODE ||
                      code == JWRN_MUST_RESYNC || code == JWRN_NOT_SEQUENTIAL))
        failed(jpeg);
}

void countScans(j_common_ptr jpeg)
{
    if (reinterpret_cast<j_decompress_ptr>(jpeg)->input_scan_number <= kMaximumScans) return;
    Reading& reading = readingOf(jpeg);
    std::snprintf(reading.reason, sizeof reading.reason, "it has more than %d scans", kMaximumScans);
    std::longjmp(reading.onError, 1);
}

void readHeader(Reading& reading)
{
    jpeg_create_decompress(&reading.jpeg);
    reading.jpeg.progress = &reading.progress;
    jpeg_mem_src(&reading.jpeg, reading.bytes, reading.size);
    jpeg_save_markers(&reading.jpeg, JPEG_APP0 + 1, 0xFFFF);
    jpeg_read_header(&reading.jpeg, TRUE);
}

void readPixels(Reading& reading)
{
    jpeg_decompress_struct& jpeg = reading.jpeg;
    jpeg.dct_method = JDCT_ISLOW; // the one that every build computes alike
    jpeg_start_decompress(&jpeg);
    const std::size_t rowBytes = std::size_t{jpeg.output_width} * static_cast<std::size_t>(jpeg.output_components);
    while (jpeg.output_scanline < jpeg.output_height) {
        JSAMPROW row = reading.pixels + jpeg.output_scanline * rowBytes;
        jpeg_read_scanlines(&jpeg, &row, 1);
    }
    jpeg_finish_decompress(&jpeg);
}

/// False where the step failed.
bool attempt(Reading& reading, void (*step)(Reading&))
{
    if (setjmp(reading.onError) != 0) return false;
    step(reading);
    return true;
}

Error damaged(const Reading& reading)
{
    return makeError(Code::InvalidFormat, str("The JPEG file is damaged: ", printable(reading.reason), "."));
}

/// CMYK to RGB in place; Adobe's programs write the inverse, and say that it is theirs.
void cmykToRgb(Image& image, bool inverse)
{
    std::size_t to = 0;
    for (std::size_t at = 0; at < image.pixels.size(); at += 4) {
        const auto lightness = [&](std::size_t i) {
            return inverse ? image.pixels[at + i] : 255u - image.pixels[at + i];
        };
        const unsigned black = lightness(3);
        for (std::size_t c = 0; c < 3; ++c)
            image.pixels[to++] = static_cast<std::uint8_t>((lightness(c) * black + 127u) / 255u);
    }
    image.pixels.resize(to);
    image.channels = 3;
}

int orientationOf(const jpeg_decompress_struct& jpeg)
{
    for (auto* marker = jpeg.marker_list; marker != nullptr; marker = marker->next) {
        const std::string_view data(reinterpret_cast<const char*>(marker->data), marker->data_length);
        if (data.starts_with(kExif)) return exifOrientation(data.substr(kExif.size()));
    }
    return 1;
}
} // namespace

Result<DecodedImage> decodeJpeg(std::string_view bytes, std::uint64_t limitBytes)
{
    Reading reading;
    reading.bytes = reinterpret_cast<const unsigned char*>(bytes.data());
    reading.size = bytes.size();
    jpeg_decompress_struct& jpeg = reading.jpeg;
    jpeg.err = jpeg_std_error(&reading.errors);
    jpeg.client_data = &reading;
    reading.errors.error_exit = failed;
    reading.errors.emit_message = warned;
    reading.progress.progress_monitor = countScans;
    if (!attempt(reading, readHeader)) return damaged(reading);

    const bool cmyk = jpeg.num_components == 4, adobe = jpeg.saw_Adobe_marker != 0;
    jpeg.out_color_space = cmyk ? JCS_CMYK : jpeg.jpeg_color_space == JCS_GRAYSCALE ? JCS_GRAYSCALE : JCS_RGB;
    DecodedImage decoded;
    decoded.orientation = orientationOf(jpeg); // its marker is gone when the pixels are read
    Image& image = decoded.image;
    image = {jpeg.image_height, jpeg.image_width, cmyk ? 4u : jpeg.out_color_space == JCS_GRAYSCALE ? 1u : 3u, {}};
    // all coefficients of a progressive picture are kept while it is read, 2 bytes each
    const auto components = static_cast<std::uint64_t>(jpeg.num_components);
    MR_CHECK(checkImageBytes(image.height, image.width,
                             image.channels + (jpeg_has_multiple_scans(&jpeg) != 0 ? 2 * components : 0), limitBytes));
    image.pixels.resize(image.height * image.width * image.channels);
    reading.pixels = image.pixels.data();
    if (!attempt(reading, readPixels)) return damaged(reading);
    if (cmyk) cmykToRgb(image, adobe);
    return decoded;
}

} // namespace millrace::data
