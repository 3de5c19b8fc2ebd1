# SPDX-License-Identifier: GPL-3.0-or-later
"""ntfsclone images (``ntfsclone --save-image``), as Clonezilla and OpenGnsys made them.

    0 "\\0ntfsclone-image" | 16 u8 major | 17 u8 minor | 18 u32 cluster bytes
    22 u64 device bytes | 30 s64 clusters | 38 s64 in use | 46 u32 where the content begins

Then commands: 0 and a u64: as many clusters are left out; 1 and a cluster. The cluster behind
the last holds the spare boot sector, cut off at the device's end. Which clusters are there is
known only at the end, and nothing in the image can prove their content.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from oglib.errors import ImageError
from oglib.image.format.partclone import check_counts
from oglib.image.reading.formats.base import Opened, Stream
from oglib.image.reading.formats.content import BOOT_SECTOR_BYTES, sector_bytes_of
from oglib.image.reading.formats.model import ImageInfo, Region
from oglib.image.reading.formats.reader import Reader

MAGIC = b"\0ntfsclone-image"
_LAYOUT = struct.Struct("<16sBBIQqq")
_MAJOR = 10  # the first whose numbers are little-endian everywhere, and the last there is
_OFFSET = struct.Struct("<I")
_MOST_HEADER = 4096
_SKIP, _CLUSTER = 0, 1
_CLUSTER_MARK = bytes((_CLUSTER,))
_CHUNK_BYTES = 1 << 20


class Ntfsclone(Stream):
    """One opened image; its header was checked."""

    def __init__(self, opened: Opened, info: ImageInfo) -> None:
        first = opened.reader.peek(1 + BOOT_SECTOR_BYTES)
        sector = sector_bytes_of(first[1:]) if first[:1] == _CLUSTER_MARK else 0
        super().__init__(opened, info, sector_size=sector)

    def _regions(self, reader: Reader) -> Iterator[Region]:
        size, pending = self.region_bytes, _Pending()
        for offset, content in self._runs(reader):
            if pending.runs and offset // size != pending.runs[0][0] // size:
                yield pending.region(size)
                pending = _Pending()
            pending.add(offset, content)
        if pending.runs:
            yield pending.region(size)

    def _runs(self, reader: Reader) -> Iterator[tuple[int, bytes]]:
        """What is on the target where; no run crosses a region."""
        cluster, total = self.info.block_size, self.info.total_blocks
        per_region = self.region_bytes // cluster
        window, at = _Window(reader), 0
        while at <= total and window.has(1):
            command = window.take(1)[0]
            if command == _SKIP:
                (count,) = struct.unpack("<q", window.take(8))
                at += count
                if count <= 0 or at > total:
                    raise ImageError(f"The ntfsclone image is damaged: it skips {count} clusters.")
            elif command != _CLUSTER:
                raise ImageError(f"The ntfsclone image is damaged: command {command} is unknown.")
            elif at == total:
                # The spare boot sector, cut off where the device ends.
                room = max(0, min(cluster, self.info.required_bytes - at * cluster))
                if content := bytes(window.take(room)):
                    yield at * cluster, content
                at += 1
            else:
                most = min(total - at, per_region - at % per_region)
                content = window.clusters(cluster, most)
                yield at * cluster, content
                at += len(content) // cluster
        if at < total:  # images before 10.1 end without the spare boot sector
            raise ImageError(f"The ntfsclone image is cut off at cluster {at} of {total}.")
        if window.has(1):
            raise ImageError("There is something behind the end of the ntfsclone image.")


class _Window:
    """A stretch of the image at a time, so that looking at commands costs nothing."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._chunk = b""
        self._at = 0

    def has(self, count: int) -> bool:
        """Whether ``count`` bytes are left."""
        if len(self._chunk) - self._at < count:
            rest = memoryview(self._chunk)[self._at :]
            more = self._reader.take_up_to(max(count, _CHUNK_BYTES))
            self._chunk, self._at = b"".join((rest, *more)), 0
        return len(self._chunk) >= self._at + count

    def take(self, count: int) -> memoryview:
        if not self.has(count):
            raise ImageError("The ntfsclone image is cut off.")
        self._at += count
        return memoryview(self._chunk)[self._at - count : self._at]

    def clusters(self, cluster: int, most: int) -> bytes:
        """One cluster, and those that follow it without a gap, up to ``most``."""
        first, stride = self.take(cluster), cluster + 1
        whole = min((len(self._chunk) - self._at) // stride, most - 1)
        marks = self._chunk[self._at : self._at + whole * stride : stride]
        more = len(marks) - len(marks.lstrip(_CLUSTER_MARK))
        view = memoryview(self._chunk)[self._at : self._at + more * stride]
        self._at += more * stride
        return b"".join(
            (first, *(view[at + 1 : at + stride] for at in range(0, more * stride, stride)))
        )


class _Pending:
    """The runs of a region that is not complete."""

    def __init__(self) -> None:
        self.runs: list[tuple[int, int]] = []
        self._views: list[bytes] = []

    def add(self, offset: int, content: bytes) -> None:
        self.runs.append((offset, len(content)))
        self._views.append(content)

    def region(self, size: int) -> Region:
        return Region(self.runs[0][0] // size, self.runs, list(self._views))


def open_ntfsclone(opened: Opened) -> Ntfsclone:
    """Read the header; ``ImageError`` where it cannot be true."""
    reader = opened.reader
    raw = reader.take_bytes(_LAYOUT.size)
    magic, major, minor, cluster, device, total, used = _LAYOUT.unpack(raw)
    if magic != MAGIC:
        raise ImageError("This is no ntfsclone image.")
    if major > _MAJOR:
        raise ImageError(f"The ntfsclone image has version {major}.{minor}; 10 is the last known.")
    begin = _LAYOUT.size
    if major == _MAJOR:  # earlier ones have no such field: the commands follow at once
        (begin,) = _OFFSET.unpack(reader.take_bytes(_OFFSET.size))
    if not reader.position <= begin <= _MOST_HEADER:
        raise ImageError("The ntfsclone header is damaged: its content cannot begin there.")
    check_counts(device, total, used, cluster)
    reader.skip(begin - reader.position)
    return Ntfsclone(opened, ImageInfo(
        tool="ntfsclone", compressor=reader.compressor, filesystem="NTFS", block_size=cluster,
        total_blocks=total, used_blocks=used, required_bytes=device, volumes=opened.volumes,
    ))  # fmt: skip
