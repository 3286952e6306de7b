#!/usr/bin/env python3
"""Writes text_unicode_tables.h: which code points Unicode calls letters and numbers, from Python's unicodedata."""
import sys
import unicodedata


def boundaries(general_class):
    """The code points at which membership of the general class (L or N) changes, in order."""
    points, inside = [], False
    for point in range(sys.maxunicode + 2):
        member = point <= sys.maxunicode and unicodedata.category(chr(point)).startswith(general_class)
        if member != inside:
            points.append(point)
            inside = member
    return points


def table(name, points):
    lines, line = [], "   "
    for point in points:
        piece = f" {point:#x},"
        if len(line) + len(piece) > 120:
            lines.append(line)
            line = "   "
        line += piece
    body = "\n".join(lines + [line])
    return f"inline constexpr std::array<char32_t, {len(points)}> {name}{{\n{body}\n}};\n"


print(f"""// Unicode {unicodedata.unidata_version}: the code points at which letters (general class L) and numbers (N) begin and end, in turn.
// Written by text_unicode_tables.py; a table of our own, so that a text has the same tokens on every machine.
#pragma once

#include <array>

// clang-format off
namespace millrace::data {{

{table("kLetterBoundaries", boundaries("L"))}
{table("kNumberBoundaries", boundaries("N"))}
}} // namespace millrace::data
// clang-format on""")
