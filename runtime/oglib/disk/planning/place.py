# SPDX-License-Identifier: GPL-3.0-or-later
"""Where partitions lie: pure arithmetic in sectors between what must stay.

Owns only the placing. Kept partitions are anchors: those listed between two anchors go into
the gap between them. In a gap, what follows the one of size ``rest`` (and a cache at the end
of the list) is placed from the end of the gap backwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from oglib.disk import types
from oglib.disk.model import Partition
from oglib.disk.planning.layout import LayoutPartition, Size
from oglib.errors import PartitionError
from oglib.wording.amounts import human_bytes


@dataclass(frozen=True, slots=True)
class Bounds:
    """The sectors from ``start`` to before ``end``, to be used in multiples of ``align``.

    ``lead`` sectors stay free before each partition (logical ones have their table there).
    """

    start: int
    end: int
    align: int
    sector_bytes: int
    lead: int = 0

    def up(self, sector: int) -> int:
        return -(-sector // self.align) * self.align

    def down(self, sector: int) -> int:
        return sector // self.align * self.align


@dataclass(frozen=True, slots=True)
class Item:
    """A wanted partition on its way to a place; ``kind`` is its type in the table to write."""

    wanted: LayoutPartition
    kept: Partition | None
    number: int
    kind: str
    logical: tuple[Item, ...] = ()
    start: int = 0
    size: int = 0

    @property
    def end(self) -> int:
        return self.start + self.size


def place_all(items: Sequence[Item], bounds: Bounds) -> tuple[Item, ...]:
    """Every item with its place, those inside an extended partition behind it."""
    placed = []
    for item in _place(items, bounds):
        placed.append(item)
        if item.logical:
            inside = replace(bounds, start=item.start, end=item.end, lead=1)
            placed += _place(item.logical, inside)
    return tuple(placed)


def _place(items: Sequence[Item], bounds: Bounds) -> list[Item]:
    placed: list[Item] = []
    run: list[Item] = []
    start = bounds.start
    for item in items:
        if item.kept is None:
            run.append(item)
            continue
        anchor = replace(
            item,
            start=item.kept.start_bytes // bounds.sector_bytes,
            size=item.kept.size_bytes // bounds.sector_bytes,
        )
        if placed and anchor.start < start:
            raise PartitionError(
                f"The layout puts partition {anchor.number} behind others, but it is kept and "
                f"begins at sector {anchor.start}, before sector {start}.",
                hint="List the partitions in the order in which they lie on the disk.",
            )
        placed += _place_run(run, start, anchor.start - bounds.lead, bounds, last=False)
        placed.append(anchor)
        start = anchor.end
        run = []
    return placed + _place_run(run, start, bounds.end, bounds, last=True)


def _place_run(
    run: Sequence[Item], start: int, end: int, bounds: Bounds, *, last: bool
) -> list[Item]:
    if not run:
        return []
    sized = [replace(item, size=_sectors(item, bounds)) for item in run]
    flexible = [at for at, item in enumerate(sized) if not item.size]
    if len(flexible) > 1:
        numbers = " and ".join(str(sized[at].number) for at in flexible)
        raise PartitionError(f"Partitions {numbers} both want the rest; only one can have it.")
    turn = flexible[0] if flexible else len(sized)
    if not flexible and last and sized[-1].kind == types.CACHE:
        turn = len(sized) - 1
    front = []
    cursor = start
    for item in sized[:turn]:
        front.append(replace(item, start=bounds.up(cursor + bounds.lead)))
        cursor = front[-1].end
    back: list[Item] = []
    limit = end
    for item in reversed(sized[turn + len(flexible) :]):
        back.insert(0, replace(item, start=bounds.down(limit - item.size)))
        limit = back[0].start - bounds.lead
    middle = []
    if flexible:
        begin = bounds.up(cursor + bounds.lead)
        size = bounds.down(limit) - begin
        if size <= 0:
            _too_big(sized, start, end, bounds)
        middle = [replace(sized[turn], start=begin, size=size)]
    elif cursor + (bounds.lead if back else 0) > (back[0].start if back else end):
        _too_big(sized, start, end, bounds)
    return front + middle + back


def _sectors(item: Item, bounds: Bounds) -> int:
    """The size in sectors; 0 for the rest. Bytes are rounded up, never smaller than asked."""
    size = item.wanted.size
    if item.wanted.type == types.EXTENDED and size is None:
        return _extended_sectors(item, bounds)
    if size is None or size.rest:
        return 0
    return _of(size, bounds)


def _of(size: Size, bounds: Bounds) -> int:
    if size.percent:
        share = int((bounds.end - bounds.start) * size.percent / 100)
        return max(bounds.down(share), bounds.align)
    return -(-size.bytes // bounds.sector_bytes)


def _extended_sectors(item: Item, bounds: Bounds) -> int:
    """Just enough for the logical ones; the rest where one of them is relative."""
    end = 0
    for child in item.logical:
        size = child.wanted.size
        if size is None or not size.bytes:
            return 0
        end = bounds.up(end + 1) + _of(size, bounds)
    return bounds.up(end) if end else 0


def _too_big(items: Sequence[Item], start: int, end: int, bounds: Bounds) -> None:
    need = sum(item.size for item in items) * bounds.sector_bytes
    room = max(0, end - start) * bounds.sector_bytes
    numbers = ", ".join(str(item.number) for item in items)
    raise PartitionError(
        f"Not enough room for partition {numbers}: {human_bytes(need)} ({need} bytes) and the "
        f"alignment are needed, but there are {human_bytes(room)} ({room} bytes).",
        hint="Make them smaller, or let one of them take the 'rest'.",
    )
