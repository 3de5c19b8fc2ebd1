# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of a target that make it bootable or mountable: gone first, back last.

The guard is the first MiB and, on NTFS, the last sector (the spare boot sector, which
partclone does not store); of content that has no name (raw, a whole disk) also the last 4 KiB,
where such a spare or the second GPT would be. Within the guard the seal, which holds the
superblocks that everything looks for, is written after the rest of it, and of the seal one
sector last, alone. Pure arithmetic and bytes; the writer does the writing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from oglib.filesystem.kinds import SUPERBLOCKS, kind_in_image, kind_of_boot_sector
from oglib.image.writing.shape import Shape

GUARD_BYTES = 1 << 20
_PAGE = 4096


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes ``start`` to ``end`` (exclusive) of a target."""

    start: int
    end: int


def guard_spans(shape: Shape) -> list[Span]:
    """What is zeroed before anything else is written; ascending."""
    size = shape.device_size_bytes
    spans = [Span(0, min(GUARD_BYTES, size))]
    end = size - size % shape.sector_size
    last = 0
    if _has_spare(shape):
        last = shape.sector_size
    elif not shape.filesystem:
        last = _PAGE
    start = max(spans[0].end, end - last)
    # Blocks of a filesystem that has a name hold its data, not a second way into it.
    if last and start < end and (not shape.filesystem or start >= shape.stored_bytes):
        spans.append(Span(start, end))
    return spans


def in_guard(number: int, region_bytes: int, spans: Iterable[Span]) -> bool:
    """Whether region ``number`` touches the guard: it is held back as a whole."""
    start = number * region_bytes
    return any(start < span.end and span.start < start + region_bytes for span in spans)


def seal_spans(shape: Shape) -> list[Span]:
    """What is written after the rest of the guard: boot sectors and superblocks; ascending."""
    spans: list[Span] = []
    for start in sorted({0, *(at - at % _PAGE for at in _superblocks(shape))}):
        if spans and spans[-1].end == start:
            spans[-1] = Span(spans[-1].start, start + _PAGE)
        else:
            spans.append(Span(start, start + _PAGE))
    return spans + guard_spans(shape)[1:]


def decisive_sector(shape: Shape) -> Span:
    """The sector without which nothing takes the target for this filesystem.

    One sector is written whole or not at all, so it comes last, alone.
    """
    at = _superblocks(shape)[0]
    start = at - at % shape.sector_size
    return Span(start, start + shape.sector_size)


def _superblocks(shape: Shape) -> tuple[int, ...]:
    """Where something looks first for what was restored; of what has no name anywhere."""
    if not shape.filesystem:
        return (0, *SUPERBLOCKS)
    kind = kind_in_image(shape.filesystem)
    return kind.superblocks if kind else (0,)


def _has_spare(shape: Shape) -> bool:
    kind = kind_in_image(shape.filesystem)
    return kind is not None and kind.spare_boot_sector


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


def ntfs_spare_boot_sector(shape: Shape, boot: bytes) -> tuple[int, bytes] | None:
    """Where NTFS keeps its spare boot sector, and its content, made from the boot sector.

    The volume's sector count is at byte 40 and does not count the spare itself, which
    therefore is the sector of that number. None when the boot sector does not say so, or the
    image stores that place itself.
    """
    kind = kind_of_boot_sector(boot)
    if not _has_spare(shape) or len(boot) < 512 or kind is None or not kind.spare_boot_sector:
        return None
    sector_size = int.from_bytes(boot[11:13], "little")
    offset = int.from_bytes(boot[40:48], "little") * sector_size
    sound = 512 <= sector_size <= len(boot) and (
        shape.stored_bytes <= offset <= shape.device_size_bytes - sector_size
    )
    return (offset, boot[:sector_size]) if sound else None
