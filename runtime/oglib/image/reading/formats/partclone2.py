# SPDX-License-Identifier: GPL-3.0-or-later
"""partclone images of version 0002, which all writers since 0.3.0 make (also OpenGnsys').

The header is ``oglib.image.format.partclone``'s business. Here: the bitmap in its three modes, and
the content with a checksum behind every group of used blocks.
"""

from __future__ import annotations

from pathlib import Path

from oglib.errors import ImageError
from oglib.image.format.bitmap import Bitmap
from oglib.image.format.partclone import (
    BITMAP_BITS,
    BITMAP_NONE,
    CHECKSUM_CRC32,
    CHECKSUM_NONE,
    CHECKSUM_V1,
    CRC_BYTES,
    HEADER_BYTES,
    Header,
    parse_header,
)
from oglib.image.reading.formats import blockmap
from oglib.image.reading.formats.base import BlockStream, Opened, Payload
from oglib.image.reading.formats.checksums import (
    NAMES,
    Bare,
    Checker,
    Crc32,
    FirstByteCrc32,
    Groups,
    Xxh,
)
from oglib.image.reading.formats.content import BOOT_SECTOR_BYTES, sector_bytes_of
from oglib.image.reading.formats.model import ImageInfo
from oglib.image.reading.formats.reader import Reader


class Partclone2(BlockStream):
    """One opened image; its header and bitmap were checked."""

    def __init__(self, opened: Opened, header: Header, bitmap: Bitmap) -> None:
        self._header = header
        info = ImageInfo(
            tool="partclone", compressor=opened.reader.compressor, filesystem=header.filesystem,
            block_size=header.block_size, total_blocks=header.total_blocks,
            used_blocks=header.used_blocks, required_bytes=header.device_size_bytes,
            checksum=NAMES[header.checksum_mode], volumes=opened.volumes,
        )  # fmt: skip
        first = opened.reader.peek(BOOT_SECTOR_BYTES) if bitmap.used(0, 1) else b""
        super().__init__(opened, info, bitmap, sector_size=sector_bytes_of(first))

    def _payload(self, reader: Reader) -> Payload:
        header = self._header
        if header.checksum_mode == CHECKSUM_NONE:
            return Bare(reader)
        group_bytes = header.group_blocks * header.block_size
        return Groups(reader, _checker(header), group_bytes, header.checksum_bytes)


def _checker(header: Header) -> Checker:
    if header.checksum_mode == CHECKSUM_CRC32:
        return Crc32(inverted=False, reseed=header.reseed)
    if header.checksum_mode == CHECKSUM_V1:
        return FirstByteCrc32(header.block_size)
    return Xxh(header.checksum_mode, reseed=header.reseed)


def open_partclone2(opened: Opened, scratch: Path | None) -> Partclone2:
    """Read header and bitmap; ``ImageError`` where they are damaged or cannot be served."""
    reader = opened.reader
    header = parse_header(reader.take_bytes(HEADER_BYTES))
    if header.checksum_mode == CHECKSUM_V1 and header.group_blocks != 1:
        raise ImageError("The partclone image has checksums of version 0001 for several blocks.")
    if header.checksum_mode != CHECKSUM_NONE:
        _checker(header)  # refused now where its library is missing
    bitmap = _bitmap(reader, header, scratch)
    try:
        _refuse_cut(opened, header)
    except BaseException:
        bitmap.close()
        raise
    return Partclone2(opened, header, bitmap)


def _refuse_cut(opened: Opened, header: Header) -> None:
    """Raise where a plain file is shorter than its header says: that is known before a write."""
    if opened.reader.compressor != "none" or header.bitmap_mode != BITMAP_BITS:
        return
    used = header.used_blocks
    sums = 0
    if header.checksum_mode != CHECKSUM_NONE:
        sums = -(-used // header.group_blocks) * header.checksum_bytes
    whole = header.prefix_bytes + used * header.block_size + sums
    if opened.source.size_bytes < whole:
        raise ImageError(
            f"The image {opened.name} is cut off: it has {opened.source.size_bytes} bytes, and by "
            f"its header {whole}.",
            hint="Copy or fetch it again.",
        )


def _bitmap(reader: Reader, header: Header, scratch: Path | None) -> Bitmap:
    total, used = header.total_blocks, header.used_blocks
    if header.bitmap_mode == BITMAP_BITS:
        return blockmap.spooled(
            blockmap.bits(reader, total), total, used, scratch,
            crc=lambda: reader.take_bytes(CRC_BYTES),
        )  # fmt: skip
    none = header.bitmap_mode == BITMAP_NONE
    pieces = blockmap.all_used(total) if none else blockmap.from_bytes(reader, total)
    return blockmap.spooled(pieces, total, used, scratch)
