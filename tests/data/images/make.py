#!/usr/bin/env python3
"""Writes small PNG and JPEG files of every kind, and to expected.json what Pillow reads from them (upright, on white).
Needs: pip install pillow"""
import json
import pathlib
import struct
import zlib

from PIL import Image, ImageOps

FOLDER = pathlib.Path(__file__).parent
WIDTH, HEIGHT = 9, 7
ORIENTATION = 0x0112


def colour(x, y):
    return (x * 255 // (WIDTH - 1), y * 255 // (HEIGHT - 1), (x * y * 37 + 20 * x) % 256)


rgb = Image.new("RGB", (WIDTH, HEIGHT))
rgb.putdata([colour(x, y) for y in range(HEIGHT) for x in range(WIDTH)])
grey = rgb.convert("L")
opacity = Image.new("L", (WIDTH, HEIGHT))
opacity.putdata([(x * 60 + y * 11) % 256 for y in range(HEIGHT) for x in range(WIDTH)])
rgba = rgb.copy()
rgba.putalpha(opacity)
smooth = rgb.resize((40, 30), Image.Resampling.BICUBIC)


def png(width, height, bits, kind, data, interlaced=False, before=b""):
    """A PNG file from rows that are filtered already."""
    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
    header = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, int(interlaced))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + before + chunk(b"IDAT", zlib.compress(data, 9)) +
            chunk(b"IEND", b""))


def adam7(image):
    data = b""
    for x0, y0, dx, dy in [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]:
        for y in range(y0, HEIGHT, dy):
            row = b"".join(bytes(image.getpixel((x, y))) for x in range(x0, WIDTH, dx))
            data += b"\0" + row if row else b""
    return data


def with_orientation(value):
    exif = Image.Exif()
    exif[ORIENTATION] = value
    return exif


expected = {}


def keep(name, upright=None):
    image = upright or ImageOps.exif_transpose(Image.open(FOLDER / name))
    if "A" in image.getbands() or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        image = Image.alpha_composite(white, image)
    image = image.convert("RGB")
    expected[name] = {"height": image.height, "width": image.width, "rgb": image.tobytes().hex(),
                      "grey": image.convert("L").tobytes().hex(),
                      "small": image.resize((5, 3), Image.Resampling.BILINEAR).tobytes().hex(),
                      "large": image.resize((13, 11), Image.Resampling.BILINEAR).tobytes().hex()}


def save(image, name, **options):
    image.save(FOLDER / name, **options)
    keep(name)


save(grey, "grey.png")
save(rgb, "colour.png")
save(rgba, "opacity.png")
save(Image.merge("LA", (grey, opacity)), "grey_opacity.png")
save(grey.point(lambda v: 255 if v > 90 else 0).convert("1"), "one_bit.png")
save(rgb.quantize(16), "palette.png", bits=4)
save(rgb.quantize(16), "palette_transparent.png", transparency=3)
save(rgb, "animation.png", save_all=True, append_images=[rgb.transpose(Image.Transpose.ROTATE_180)])
for value in range(1, 9):
    save(rgb, f"turned_{value}.png", exif=with_orientation(value))
save(smooth.convert("L"), "grey.jpg", quality=90)
save(smooth, "colour.jpg", quality=90, subsampling=0)
save(smooth, "subsampled.jpg", quality=85, subsampling=2)
save(smooth, "progressive.jpg", quality=90, progressive=True)
save(smooth.convert("CMYK"), "cmyk.jpg", quality=95)
save(smooth, "turned.jpg", quality=90, exif=with_orientation(6))
(FOLDER / "interlaced.png").write_bytes(png(WIDTH, HEIGHT, 8, 2, adam7(rgb), interlaced=True))
keep("interlaced.png", rgb)
deep = [[round(v * 257 * 0.99) for v in colour(x, y)] for y in range(HEIGHT) for x in range(WIDTH)]
rows = b"".join(b"\0" + b"".join(struct.pack(">HHH", *deep[y * WIDTH + x]) for x in range(WIDTH)) for y in range(HEIGHT))
(FOLDER / "sixteen_bit.png").write_bytes(png(WIDTH, HEIGHT, 16, 2, rows))
scaled = Image.new("RGB", (WIDTH, HEIGHT))
scaled.putdata([tuple(round(v / 257) for v in pixel) for pixel in deep])
keep("sixteen_bit.png", scaled)
(FOLDER / "bomb.png").write_bytes(png(60000, 60000, 8, 2, b"\0" * 100))
(FOLDER / "expected.json").write_text(json.dumps(expected, separators=(",", ":")).replace("},", "},\n") + "\n")
