# SPDX-License-Identifier: GPL-3.0-or-later
"""partimage 0.6 images, in one volume or many.

    volume header of 512 bytes | main header of 16384 and its sum | named sections: copies of
    MBRs, extensions, local header (block bytes, used, blocks, bitmap bytes), bitmap, information,
    used blocks with a 16-byte record behind every 64 KiB, tail

The records carry a CRC-32. The tail carries the sum of all bytes from the main header on, which
is compared modulo 65521, Adler's prime: the checksum of that name is fast, and no single changed
byte gets by. Facts from images that partimage 0.6.9 wrote.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

from isal import isal_zlib

from oglib.errors import ImageError
from oglib.image.format.bitmap import Bitmap
from oglib.image.format.partclone import check_counts, header_text
from oglib.image.reading.formats import blockmap
from oglib.image.reading.formats.base import BlockStream, Opened, Payload
from oglib.image.reading.formats.checksums import Crc32, Groups
from oglib.image.reading.formats.content import BOOT_SECTOR_BYTES, sector_bytes_of
from oglib.image.reading.formats.model import Buffer, ImageInfo
from oglib.image.reading.formats.reader import Reader

VOLUME_MAGIC = b"PaRtImAgE-VoLuMe"
VOLUME_BYTES = 512
_VERSION = b"0.6."
_HEADER_BYTES = 16384
_SUM_BYTES = 4
_FILESYSTEM = slice(0, 512)
_MBR_COUNT_AT = 9792  # u32 count, u32 bytes of each
_MOST_SECTION_BYTES = 16 << 20
_GROUP_BYTES = 64 << 10
_RECORD_BYTES = 16
_RECORD_MAGIC = b"CHK\0"
_PRIME = 65521


class _Sum:
    """The sum of bytes, as the low half of Adler-32."""

    def __init__(self, start: int = 1) -> None:
        self.state = start

    def add(self, piece: Buffer) -> None:
        self.state = isal_zlib.adler32(piece, self.state)

    def is_of(self, total: int) -> bool:
        return self.state & 0xFFFF == (total + 1) % _PRIME


class _Record(Crc32):
    """The CRC-32 inside the record behind 64 KiB of content."""

    def __init__(self) -> None:
        super().__init__(inverted=True)

    def matches(self, stored: bytes) -> bool:
        return super().matches(stored[4:8]) and stored.startswith(_RECORD_MAGIC)


@dataclass(frozen=True, slots=True)
class _Prefix:
    """What stands before the content; ``sum_state`` covers all of it."""

    filesystem: str
    block_size: int
    used_blocks: int
    total_blocks: int
    bitmap: Bitmap
    sum_state: int


class Partimage(BlockStream):
    """One opened image; its headers and bitmap were checked."""

    def __init__(self, opened: Opened, prefix: _Prefix) -> None:
        info = ImageInfo(
            tool="partimage", compressor=opened.reader.compressor, filesystem=prefix.filesystem,
            block_size=prefix.block_size, total_blocks=prefix.total_blocks,
            used_blocks=prefix.used_blocks,
            required_bytes=prefix.total_blocks * prefix.block_size, checksum="crc32",
            volumes=opened.volumes,
        )  # fmt: skip
        self._sum_state = prefix.sum_state
        first = opened.reader.peek(BOOT_SECTOR_BYTES) if prefix.bitmap.used(0, 1) else b""
        super().__init__(opened, info, prefix.bitmap, sector_size=sector_bytes_of(first))

    def _payload(self, reader: Reader) -> Payload:
        return _Payload(reader, _Sum(self._sum_state))


class _Payload(Groups):
    """The content, and behind it the tail with the sum of everything."""

    def __init__(self, reader: Reader, total: _Sum) -> None:
        super().__init__(
            reader, _Record(), _GROUP_BYTES, _RECORD_BYTES, short_last=False, after=total.add
        )
        self._tail = _Sections(reader, total)

    def finish(self) -> None:
        self._tail.expect("TAIL")
        (stored,) = struct.unpack_from("<Q", self._tail.reader.take_bytes(_HEADER_BYTES))
        if not self._tail.total.is_of(stored):
            raise ImageError("The partimage image is damaged: the sum of its bytes is wrong.")


class _Sections:
    """Reads what stands around the content, and sums it up."""

    def __init__(self, reader: Reader, total: _Sum) -> None:
        self.reader = reader
        self.total = total

    def take(self, count: int) -> bytes:
        raw = self.reader.take_bytes(count)
        self.total.add(raw)
        return raw

    def expect(self, section: str) -> None:
        name = f"MAGIC-BEGIN-{section}".encode()
        if self.take(len(name)) != name:
            raise ImageError(f"The partimage image is damaged: its section {section} is missing.")

    def header(self) -> bytes:
        """A header and the sum of its bytes as signed numbers."""
        raw = self.take(_HEADER_BYTES)
        (stored,) = struct.unpack("<I", self.take(_SUM_BYTES))
        if sum(memoryview(raw).cast("b")) & 0xFFFFFFFF != stored:
            raise ImageError("The partimage image is damaged: the sum of a header is wrong.")
        return raw

    def skip(self, count: int, what: str) -> None:
        if count > _MOST_SECTION_BYTES:
            raise ImageError(f"The partimage image has {count} bytes of {what}.")
        self.take(count)


def open_partimage(opened: Opened, scratch: Path | None) -> Partimage:
    """Read headers and bitmap; ``ImageError`` where they are damaged or of another version."""
    check_volume(opened.reader.take_bytes(VOLUME_BYTES), 0)
    prefix = _prefix(_Sections(opened.reader, _Sum()), scratch)
    try:
        return Partimage(opened, prefix)
    except BaseException:
        prefix.bitmap.close()
        raise


def check_volume(raw: bytes, number: int) -> bytes:
    """Raise ``ImageError`` unless ``raw`` heads volume ``number``; return what all have alike."""
    if not raw.startswith(VOLUME_MAGIC):
        raise ImageError(f"Volume {number} does not begin as a partimage volume does.")
    if not raw.startswith(_VERSION, 32):
        raise ImageError("The partimage image is not of version 0.6.")
    (found,) = struct.unpack_from("<I", raw, 96)
    if found != number:
        raise ImageError(
            f"The partimage image's volume {found} stands where volume {number} belongs.",
            hint="Give the first volume; the others are found by their names.",
        )
    return raw[100:108]


def _prefix(sections: _Sections, scratch: Path | None) -> _Prefix:
    main = sections.header()
    filesystem = header_text(main[_FILESYSTEM], "filesystem")
    mbrs, mbr_bytes = struct.unpack_from("<II", main, _MBR_COUNT_AT)
    sections.expect("MBRBACKUP")
    sections.skip(mbrs * mbr_bytes, "MBR copies")
    for number in range(10):
        sections.expect(f"EXT{number:03d}")
        (length,) = struct.unpack("<I", sections.take(4))
        sections.skip(length, "extensions")
    sections.expect("LOCALHEADER")
    block_size, used, total, bitmap_bytes = struct.unpack_from("<4Q", sections.header())
    check_counts(total * block_size, total, used, block_size)
    needed = (total + 7) // 8
    if not needed <= bitmap_bytes <= needed + _MOST_SECTION_BYTES:
        raise ImageError(f"The partimage image has {bitmap_bytes} bytes of bitmap.")
    sections.expect("BITMAP")
    bitmap = blockmap.spooled(blockmap.pieces(sections.take, needed), total, used, scratch)
    try:
        sections.skip(bitmap_bytes - needed, "bitmap")
        sections.expect("INFO")
        sections.header()
        sections.expect("DATABLOCKS")
    except BaseException:
        bitmap.close()
        raise
    return _Prefix(filesystem, block_size, used, total, bitmap, sections.total.state)
