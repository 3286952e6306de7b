// Pictures as bytes: decoded from PNG or JPEG within limits, made grey or coloured, turned upright and resized.
#pragma once

#include "kernels/base/result.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::data {

inline constexpr std::uint64_t kImageBytes = 256u
                                             << 20; ///< that decoding one picture may take, if nothing else is said

/// Height × width × channels bytes, row-major: 1 channel is grey, 2 grey and opacity, 3 RGB, 4 RGB and opacity.
struct Image
{
    std::size_t height = 0, width = 0, channels = 0;
    std::vector<std::uint8_t> pixels;
};

/// A picture as it lies in its file.
struct DecodedImage
{
    Image image;
    int orientation = 1; ///< EXIF's 1 … 8; 1: upright
};

/// The picture in a PNG or JPEG file's bytes, upright, with 1 (grey) or 3 channels (RGB). What is transparent lies on
/// white; 16 bits a channel become 8; grey is ITU-R BT.601's 0.299 R + 0.587 G + 0.114 B. Of an animation the first
/// picture. The sizes in the header are judged before anything is allocated.
/// Errors: Unsupported (another format), InvalidFormat (damaged or cut off), TooLarge (over the limit).
Result<Image> decodeImage(std::string_view bytes, std::size_t channels, std::uint64_t limitBytes = kImageBytes);

/// Errors as decodeImage.
Result<DecodedImage> decodePng(std::string_view bytes, std::uint64_t limitBytes);
Result<DecodedImage> decodeJpeg(std::string_view bytes, std::uint64_t limitBytes);

/// The orientation that EXIF data (a TIFF header and its first directory) state; 1 where they state none.
/// Source: JEITA CP-3451, Exif 2.2, section 4.6.
int exifOrientation(std::string_view tiff);

/// Whether so many bytes may be taken. Errors: TooLarge naming height and width.
Status checkImageBytes(std::uint64_t height, std::uint64_t width, std::uint64_t bytesPerPixel,
                       std::uint64_t limitBytes);

/// The picture stretched to another size: bilinear where it grows, the average over the area (weighted by a triangle)
/// where it shrinks, which is what Pillow's BILINEAR does. Rounded to the nearest byte.
Image resized(const Image& image, std::size_t height, std::size_t width);

} // namespace millrace::data
