# SPDX-License-Identifier: GPL-3.0-or-later
"""The partclone 0002 header: what it says, and whether it can be true.

Reads bytes and judges them; opens no file and starts no process. Layout and checksum numbers
are those that partclone 0.3.23 writes (checked against images of seven filesystems; the
upstream IMAGE_FORMATS.md is wrong about the checksum numbers). All integers little-endian:

    0 "partclone-image\\0" | 16 version[14] | 30 "0002" | 34 0xC0DE | 36 filesystem[16]
    52 u64 device bytes | 60 u64 blocks | 68 u64 used by superblock | 76 u64 used by bitmap
    84 u32 block bytes | 88 u32 options bytes (18) | 92 u16 2 | 94 u16 cpu bits
    96 u16 checksum mode | 98 u16 checksum bytes | 100 u32 blocks per checksum
    104 u8 reseed | 105 u8 bitmap mode | 106 u32 CRC of the bytes before

Then the bitmap, one bit a block, lowest bit first, its CRC, and the used blocks in order.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from isal import isal_zlib

from oglib.errors import ImageError

MAGIC = b"partclone-image\0"
VERSION = b"0002"
HEADER_BYTES = 110
CRC_BYTES = 4
CHECKSUM_NONE = 0
CHECKSUM_CRC32 = 0x20
CHECKSUM_XXH64 = 0x30
CHECKSUM_XXH128 = 0x31
CHECKSUM_V1 = 0xFF
BITMAP_NONE = 0
BITMAP_BITS = 1
BITMAP_BYTES = 8
MAX_BLOCK_BYTES = 64 << 20
MIN_BLOCK_BYTES = 512
# 32 TiB of 4 KiB blocks: more is no classroom disk but a number made to exhaust memory.
MAX_BITMAP_BYTES = 1 << 30

_LAYOUT = struct.Struct("<16s14s4sH16sQQQQIIHHHHIBBI")
_ENDIAN_LITTLE = 0xC0DE
_ENDIAN_BIG = 0xDEC0
_OPTIONS_BYTES = 18
_FEATURES = 2
_CPU_BITS = 64
_CHECKSUM_BYTES = {
    CHECKSUM_NONE: 0,
    CHECKSUM_CRC32: 4,
    CHECKSUM_XXH64: 8,
    CHECKSUM_XXH128: 16,
    CHECKSUM_V1: 4,
}


@dataclass(frozen=True, slots=True)
class Header:
    """A header that passed every check; sizes in bytes, counts in blocks.

    ``group_blocks`` used blocks are followed by one checksum of ``checksum_bytes``, a last
    shorter group too; with ``reseed`` each checksum starts anew.
    """

    writer: str
    filesystem: str
    device_size_bytes: int
    total_blocks: int
    used_blocks: int
    block_size: int
    checksum_mode: int
    bitmap_mode: int
    checksum_bytes: int = 0
    group_blocks: int = 0
    reseed: bool = True

    @property
    def prefix_bytes(self) -> int:
        return prefix_bytes(self.total_blocks)

    def to_bytes(self) -> bytes:
        """The 110 bytes that partclone would write, CRC included."""
        raw = _LAYOUT.pack(
            MAGIC, self.writer.encode(), VERSION, _ENDIAN_LITTLE, self.filesystem.encode(),
            self.device_size_bytes, self.total_blocks, self.used_blocks, self.used_blocks,
            self.block_size, _OPTIONS_BYTES, _FEATURES, _CPU_BITS, self.checksum_mode,
            self.checksum_bytes, self.group_blocks, self.reseed, self.bitmap_mode, 0,
        )[:-CRC_BYTES]  # fmt: skip
        return raw + crc32(raw).to_bytes(CRC_BYTES, "little")


def prefix_bytes(total_blocks: int) -> int:
    """Header, bitmap and the bitmap's CRC: everything before the first block."""
    return HEADER_BYTES + (total_blocks + 7) // 8 + CRC_BYTES


def crc32(data: bytes | bytearray | memoryview, so_far: int = 0xFFFFFFFF) -> int:
    """partclone's CRC: the usual polynomial, started at all ones, never inverted at the end."""
    return isal_zlib.crc32(data, so_far ^ 0xFFFFFFFF) ^ 0xFFFFFFFF


def header_text(raw: bytes, what: str) -> str:
    """The text before the first NUL; ``ImageError`` where it is none."""
    text, _, rest = raw.partition(b"\0")
    if not text.isascii() or not text.decode("ascii").isprintable() or rest.strip(b"\0"):
        raise ImageError(f"The partclone header's {what} is not text.")
    return text.decode("ascii")


def parse_header(raw: bytes | bytearray | memoryview) -> Header:
    """Check the first 110 bytes of a partclone image and return what they say.

    Raises ``ImageError`` for anything that is not a sound 0002 header: foreign magic, wrong
    CRC, unknown modes, counts that contradict each other or cannot be real.
    """
    raw = bytes(raw[:HEADER_BYTES])
    if len(raw) < HEADER_BYTES:
        raise ImageError(f"The partclone header is cut off after {len(raw)} bytes.")
    (
        magic, writer, version, endian, filesystem, device_size, total, _hint, used,
        block_size, options, _feature, _cpu, mode, checksum_bytes, group, reseed, bitmap, crc,
    ) = _LAYOUT.unpack(raw)  # fmt: skip
    if magic != MAGIC:
        raise ImageError("This is not a partclone image: its first bytes say something else.")
    if version != VERSION:
        raise ImageError(f"partclone image version {version!r} is not 0002.")
    if endian != _ENDIAN_LITTLE:
        order = "big-endian" if endian == _ENDIAN_BIG else "unknown"
        raise ImageError(f"The partclone image has {order} byte order.")
    if crc != crc32(raw[: HEADER_BYTES - CRC_BYTES]):
        raise ImageError("The partclone header is damaged: its CRC does not match.")
    if options != _OPTIONS_BYTES:
        raise ImageError(f"The partclone header has {options} bytes of options, not 18.")
    if _CHECKSUM_BYTES.get(mode) != checksum_bytes or (mode != CHECKSUM_NONE and not group):
        raise ImageError(f"The partclone image has an unknown checksum mode {mode:#x}.")
    if bitmap not in (BITMAP_NONE, BITMAP_BITS, BITMAP_BYTES):
        raise ImageError(f"The partclone image has an unknown bitmap mode {bitmap}.")
    check_counts(device_size, total, used, block_size)
    return Header(
        header_text(writer, "version"), header_text(filesystem, "filesystem"),
        device_size, total, used, block_size, mode, bitmap, checksum_bytes, group, bool(reseed),
    )  # fmt: skip


def check_counts(device_size: int, total: int, used: int, block_size: int) -> None:
    """Raise ``ImageError`` for counts that contradict each other or cannot be real."""
    sound = MIN_BLOCK_BYTES <= block_size <= MAX_BLOCK_BYTES and not block_size & (block_size - 1)
    if not sound:
        raise ImageError(f"The partclone image has blocks of {block_size} bytes.")
    if not 0 < total <= MAX_BITMAP_BYTES * 8:
        raise ImageError(f"The partclone image counts {total} blocks.")
    if used > total:
        raise ImageError(f"The partclone image counts {used} used blocks of {total}.")
    if total * block_size > device_size or device_size >= 1 << 63:
        raise ImageError(
            f"The partclone image's {total} blocks of {block_size} bytes do not fit its "
            f"device of {device_size} bytes."
        )
