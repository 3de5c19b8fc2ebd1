# SPDX-License-Identifier: GPL-3.0-or-later
"""The bytes of a disk that no filesystem holds, in one file beside ``disk.json``."""

from __future__ import annotations

from collections.abc import Iterable

from blake3 import blake3

from oglib.errors import ImageError
from oglib.image.format.disk_manifest import GAPS_FILE, DiskManifest, Gap


def packed_gaps(stretches: Iterable[tuple[int, int, bytes]]) -> tuple[tuple[Gap, ...], bytes]:
    """(part, offset, content) as rows and the file they describe; zeros at an end are left out."""
    rows, whole = [], bytearray()
    for part, offset, content in stretches:
        kept = content.rstrip(b"\0")
        if kept:
            rows.append(Gap(part, offset, len(kept), blake3(kept).hexdigest()))
            whole += kept
    return tuple(rows), bytes(whole)


def packed_table(
    stretches: Iterable[tuple[int, bytes]],
) -> tuple[tuple[Gap, ...], bytes]:
    """(byte of the disk, content) of the table's sectors as rows and the bytes they describe."""
    pairs = list(stretches)
    rows = (Gap(0, at, len(raw), blake3(raw).hexdigest()) for at, raw in pairs)
    return tuple(rows), b"".join(raw for _, raw in pairs)


def unpacked_gaps(disk: DiskManifest, raw: bytes) -> tuple[tuple[Gap, bytes], ...]:
    """Every gap with its content; ``ImageError`` where the file is not what was captured."""
    return _unpacked(disk, raw)[: len(disk.gaps)]


def unpacked_table(disk: DiskManifest, raw: bytes) -> tuple[tuple[int, bytes], ...]:
    """(byte of the disk, content) of the table's sectors, from the same file; () = not known."""
    found = _unpacked(disk, raw)[len(disk.gaps) :]
    return tuple((row.offset_bytes, content) for row, content in found)


def _unpacked(disk: DiskManifest, raw: bytes) -> tuple[tuple[Gap, bytes], ...]:
    found, at = [], 0
    for gap in (*disk.gaps, *disk.table_bytes):
        content = raw[at : at + gap.length]
        at += gap.length
        if blake3(content).hexdigest() != gap.blake3:
            raise ImageError(
                f"The {GAPS_FILE} of {disk.name} is damaged.", hint="Fetch or copy it again."
            )
        found.append((gap, content))
    if at != len(raw):
        raise ImageError(f"The {GAPS_FILE} of {disk.name} has {len(raw)} bytes instead of {at}.")
    return tuple(found)
