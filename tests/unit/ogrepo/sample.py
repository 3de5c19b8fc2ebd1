# SPDX-License-Identifier: GPL-3.0-or-later
"""A small real image, made here from the format's description and not by our own recorder."""

from __future__ import annotations

import random
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import zstandard
from blake3 import blake3

from oglib.image.format.manifest import Manifest, SourceInfo

_BLOCK = 4096
_REGION_BLOCKS = 256


def _crc(data: bytes) -> bytes:
    return struct.pack("<I", zlib.crc32(data, 0) ^ 0xFFFFFFFF)


@dataclass(frozen=True)
class Sample:
    """The bytes of the three files that a PC uploads."""

    image: bytes
    frames: bytes
    manifest: Manifest

    def write_frames(self, folder: Path) -> Path:
        path = folder / "frames"
        path.write_bytes(self.frames)
        return path


def make_sample(
    name: str, *, regions: int = 3, seed: int = 1, title: str = "A title", host: str = "pc-1"
) -> Sample:
    """An image of random used blocks; every second region holds some."""
    dice = random.Random(seed)
    total = regions * _REGION_BLOCKS
    used = [block for block in range(total) if block // _REGION_BLOCKS % 2 == 0 and block % 3]
    head = struct.pack(
        "<16s14s4sH16sQQQQIIHHHHIBB",
        b"partclone-image", b"0.3.23", b"0002", 0xC0DE, b"EXTFS", total * _BLOCK, total,
        len(used), len(used), _BLOCK, 18, 2, 64, 0, 0, 0, 0, 1,
    )  # fmt: skip
    bitmap = bytearray(total // 8)
    for block in used:
        bitmap[block // 8] |= 1 << block % 8
    crc = struct.pack("<I", zlib.crc32(bytes(bitmap), 0) ^ 0xFFFFFFFF)
    contents = [(0, head + _crc(head) + bytes(bitmap) + crc)]
    for first in range(0, total, 2 * _REGION_BLOCKS):
        count = sum(first <= block < first + _REGION_BLOCKS for block in used)
        contents.append((first, dice.randbytes(count * _BLOCK)))

    image, rows, sizes = b"", b"", b""
    for first, content in contents:
        stored = zstandard.ZstdCompressor(write_checksum=True).compress(content)
        rows += struct.pack(
            "<QIIQ32s32s",
            len(image), len(stored), len(content), first,
            blake3(stored).digest(), blake3(content).digest(),
        )  # fmt: skip
        sizes += struct.pack("<II", len(stored), len(content))
        image += stored
    table = sizes + struct.pack("<IBI", len(contents), 0, 0x8F92EAB1)
    image += struct.pack("<II", 0x184D2A5E, len(table)) + table
    frames = (
        struct.pack(
            "<16sIIQ", b"OGLIVE-FRAMES\0\0\1", 96 - 8, _REGION_BLOCKS * _BLOCK, len(contents)
        )
        + rows
    )
    manifest = Manifest(
        name=name,
        created="2026-11-20T12:00:00+00:00",
        filesystem="EXTFS",
        block_size=_BLOCK,
        total_blocks=total,
        used_blocks=len(used),
        device_size_bytes=total * _BLOCK,
        sector_size=512,
        region_bytes=_REGION_BLOCKS * _BLOCK,
        frame_count=len(contents),
        image_size_bytes=len(image),
        image_blake3=blake3(image).hexdigest(),
        frames_blake3=blake3(frames).hexdigest(),
        title=title,
        source=SourceInfo(host, "Debian GNU/Linux 13", 1, 2),
    )
    return Sample(image, frames, manifest)
