# SPDX-License-Identifier: GPL-3.0-or-later
"""The frame table of a D3 image, read here on its own: the product is not its own judge.

Format: 16 bytes magic, u32 row bytes, u32 region bytes, u64 count; rows begin with u64 offset and
u32 stored length, little endian.
"""

from __future__ import annotations

import struct
from pathlib import Path

from harness.errors import HarnessError

_MAGIC = b"OGLIVE-FRAMES\0\0\1"
_HEAD = struct.Struct("<16sIIQ")
_ROW = struct.Struct("<QI")


def spans(path: Path) -> list[tuple[int, int]]:
    """Every frame's place in the image file, as [first, end)."""
    data = path.read_bytes()
    magic, row_bytes, _, count = _HEAD.unpack_from(data)
    if magic != _MAGIC:
        raise HarnessError(f"{path} is no frame table")
    found = []
    for index in range(count):
        offset, stored = _ROW.unpack_from(data, _HEAD.size + index * row_bytes)
        found.append((offset, offset + stored))
    return found
