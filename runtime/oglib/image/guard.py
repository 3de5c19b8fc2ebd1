# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of a target that make it bootable or mountable: gone first, back last.

The guard is the first MiB and, on NTFS, the last sector (the spare boot sector, which
partclone does not store). Within the guard the seal, which holds the superblock that
everything looks for, is written after the rest of it. Pure arithmetic and bytes; the writer
does the writing.
"""

from __future__ import annotations

from dataclasses import dataclass

from oglib.image.manifest import Manifest

GUARD_BYTES = 1 << 20
_PAGE = 4096
_BTRFS_SUPERBLOCK = 64 << 10


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes ``start`` to ``end`` (exclusive) of a target."""

    start: int
    end: int


def guard_spans(manifest: Manifest) -> list[Span]:
    """What is zeroed before anything else is written."""
    size = manifest.device_size_bytes
    spans = [Span(0, min(GUARD_BYTES, size))]
    if manifest.filesystem == "NTFS":
        end = size - size % manifest.sector_size
        last = Span(end - manifest.sector_size, end)
        # A block that the image stores there is written like any other.
        if last.start >= max(spans[0].end, manifest.total_blocks * manifest.block_size):
            spans.append(last)
    return spans


def seal_spans(manifest: Manifest) -> list[Span]:
    """What is written last of all: boot sector and first superblock."""
    spans = [Span(0, _PAGE)]
    if manifest.filesystem == "BTRFS":
        spans.append(Span(_BTRFS_SUPERBLOCK, _BTRFS_SUPERBLOCK + _PAGE))
    return spans


def split_by_seal(
    offset: int, data: bytes, seals: list[Span]
) -> tuple[list[tuple[int, bytes]], list[tuple[int, bytes]]]:
    """Cut ``data``, which belongs at ``offset``, into what is outside and inside the seals."""
    outside, inside, at, end = [], [], offset, offset + len(data)
    for seal in seals:
        start, stop = max(seal.start, at), min(seal.end, end)
        if start >= stop:
            continue
        if start > at:
            outside.append((at, data[at - offset : start - offset]))
        inside.append((start, data[start - offset : stop - offset]))
        at = stop
    if at < end:
        outside.append((at, data[at - offset :]))
    return outside, inside


def ntfs_spare_boot_sector(manifest: Manifest, boot: bytes) -> tuple[int, bytes] | None:
    """Where NTFS keeps its spare boot sector, and its content, made from the boot sector.

    The volume's sector count is at byte 40 and does not count the spare itself, which
    therefore is the sector of that number. None when the boot sector does not say so.
    """
    if manifest.filesystem != "NTFS" or len(boot) < 512 or boot[3:11] != b"NTFS    ":
        return None
    sector_size = int.from_bytes(boot[11:13], "little")
    offset = int.from_bytes(boot[40:48], "little") * sector_size
    first_free = manifest.total_blocks * manifest.block_size
    sound = 512 <= sector_size <= len(boot) and (
        first_free <= offset <= manifest.device_size_bytes - sector_size
    )
    return (offset, boot[:sector_size]) if sound else None
