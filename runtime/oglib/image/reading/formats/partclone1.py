# SPDX-License-Identifier: GPL-3.0-or-later
"""partclone images of version 0001, which writers before 0.3.0 made.

    0 "partclone-image" | 15 filesystem[15] | 30 "0001" | 36 i32 block bytes | 40 u64 device bytes
    48 u64 blocks | 56 u64 used blocks | up to 4160 unused

Then one byte a block, a mark, and every used block with a checksum behind it that covers, by a
slip of its writer, only the block's first byte. On 64-bit machines it took 8 bytes, not 4.
"""

from __future__ import annotations

import struct
from pathlib import Path

from oglib.errors import ImageError
from oglib.image.format.bitmap import Bitmap
from oglib.image.format.partclone import check_counts, header_text
from oglib.image.reading.formats import blockmap
from oglib.image.reading.formats.base import BlockStream, Opened, Payload
from oglib.image.reading.formats.checksums import FirstByteCrc32, Groups
from oglib.image.reading.formats.content import BOOT_SECTOR_BYTES, sector_bytes_of
from oglib.image.reading.formats.model import ImageInfo
from oglib.image.reading.formats.reader import Reader

VERSION = b"0001"
HEADER_BYTES = 4160
_LAYOUT = struct.Struct("<15s15s4s2xiQQQ")
_MAGIC = b"partclone-image"
_CRC_BYTES = 4
_WIDE_CRC_BYTES = 8
_WARNING = (
    "The image is of partclone's old version 0001, whose checksums cover only the first byte of "
    "each block: other damage cannot be noticed."
)


class Partclone1(BlockStream):
    """One opened image; its counts and block map were checked."""

    def __init__(self, opened: Opened, info: ImageInfo, bitmap: Bitmap, crc_bytes: int) -> None:
        self._crc_bytes = crc_bytes
        first = opened.reader.peek(BOOT_SECTOR_BYTES) if bitmap.used(0, 1) else b""
        super().__init__(
            opened, info, bitmap, sector_size=sector_bytes_of(first), warnings=(_WARNING,)
        )

    def _payload(self, reader: Reader) -> Payload:
        size = self.info.block_size
        return Groups(reader, FirstByteCrc32(size), size, self._crc_bytes)


def open_partclone1(opened: Opened, scratch: Path | None) -> Partclone1:
    """Read header and block map; ``ImageError`` where they are damaged."""
    reader = opened.reader
    raw = reader.take_bytes(HEADER_BYTES)
    magic, filesystem, version, block_size, device_size, total, hint = _LAYOUT.unpack_from(raw)
    if magic != _MAGIC or version != VERSION:
        raise ImageError("This is no partclone image of version 0001.")
    check_counts(device_size, total, hint, block_size)
    bitmap = blockmap.spooled(blockmap.from_bytes(reader, total), total, None, scratch)
    try:
        used = blockmap.count_used(bitmap)  # the header's number is the filesystem's own
        info = ImageInfo(
            tool="partclone", compressor=reader.compressor,
            filesystem=header_text(filesystem, "filesystem"), block_size=block_size,
            total_blocks=total, used_blocks=used, required_bytes=device_size, checksum="v1",
            volumes=opened.volumes,
        )  # fmt: skip
        return Partclone1(opened, info, bitmap, _crc_bytes(reader, block_size, used))
    except BaseException:
        bitmap.close()
        raise


def _crc_bytes(reader: Reader, block_size: int, used: int) -> int:
    """How long a checksum is: where the second one stands tells, or what is left of the image."""
    if not used:
        return _CRC_BYTES
    begin = reader.peek(2 * (block_size + _WIDE_CRC_BYTES))
    for width in (_CRC_BYTES, _WIDE_CRC_BYTES):
        checker, stride = FirstByteCrc32(block_size), block_size + width
        groups = [begin[at : at + stride] for at in range(0, min(used, 2) * stride, stride)]
        if used == 1 and len(begin) != stride:
            continue
        for group in groups:
            checker.update(group)
            if not checker.matches(group[block_size : block_size + _CRC_BYTES]):
                break
        else:
            return width
    raise ImageError(
        "The partclone image is damaged: the checksum of its first block does not match."
    )
