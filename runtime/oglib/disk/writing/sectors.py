# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings a finished table onto the disk, sector by sector, so that a cut loses nothing that stays.

Owns the order. Sector 0 is marked first and unmarked last: in between, the table that it names
is whole in at least one copy, and applying the same plan again ends the work. A GPT is replaced
copy by copy. The tables of an extended partition are written where nothing refers to them yet
before the ones that lead there. Sector 0, which is written whole or not at all, changes the
kind of table. Then only is zeroed what an older table left.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID, uuid4

from oglib.disk import types
from oglib.disk.model import MIB, TableKind
from oglib.disk.planning.planned import PlannedPartition, TablePlan
from oglib.disk.tables import gpt, mbr
from oglib.disk.tables.exact import Exact

Stretch = tuple[int, int]  # bytes from, to before


@dataclass(frozen=True, slots=True)
class Table:
    """The sectors of a finished table: sector 0, and (byte offset, content) of the others.

    ``others`` are in the order in which they may be written.
    """

    first: bytes
    others: tuple[tuple[int, bytes], ...]


def exact_table(exact: Exact, good: gpt.Copy | None, old: Iterable[int]) -> Table:
    """A table byte for byte, without boot code.

    ``good``: the copy of a GPT on the disk to replace last; ``old``: the present chain's sectors.
    """
    first = mbr.without_code(exact.first)
    if exact.copy is not None:
        return Table(first, _in_order(exact.copies, exact.sector_bytes, good))
    size = exact.sector_bytes
    chain = [(at, exact.read(at * size, size)) for at in exact.chain]
    return Table(first, _chain_in_order(chain, size, old))


def planned_gpt(
    plan: TablePlan, present: gpt.Copy | None, first: bytes, good: gpt.Copy | None
) -> Table:
    """The GPT that the plan says. ``present`` and ``first``: the copy and sector 0 to go on from.

    Raises ValueError when its partitions do not lie between its copies.
    """
    like = plan.like
    base = like.copy if like else None if plan.identity else present
    base = base or gpt.blank(str(uuid4()))
    if plan.identity is not None:
        base = replace(base, disk_guid=UUID(plan.identity.disk_id).bytes_le)
    copy = base.with_rows({part.number: _row(part, plan, base) for part in plan.partitions})
    sectors = plan.disk_size_bytes // plan.sector_bytes
    if like is not None:
        first = mbr.without_code(like.first)
    now = {entry.number: (entry.first, entry.last - entry.first + 1) for entry in base.entries}
    moved = {
        now[part.number]: (part.start_sector, part.size_sectors)
        for part in plan.partitions
        if part.number in now
    }
    front = mbr.in_front_of_gpt(first, sectors, moved if like else {})
    return gpt_table(copy, front, (sectors, plan.sector_bytes), good)


def _row(part: PlannedPartition, plan: TablePlan, base: gpt.Copy) -> gpt.Row:
    """What is said of the partition; of one that stays, or of the image's own, nothing more."""
    last = part.start_sector + part.size_sectors - 1
    mark, name = None, part.name
    known = next((one.name for one in plan.before if one.number == part.number), None)
    there = part.number in base.types
    if plan.identity is not None:
        mark = plan.identity.marks[part.number]
        kept_name = plan.like is not None and there
    else:
        kept_name = there and not part.fresh and name == known
        mark = None if there and not part.fresh else gpt.Marks(str(uuid4()))
    return gpt.Row(part.start_sector, last, part.type_id, mark, None if kept_name else name)


def gpt_table(copy: gpt.Copy, first: bytes, size: tuple[int, int], good: gpt.Copy | None) -> Table:
    """Both copies for a disk of ``size`` (sectors, bytes of one); over ``good`` comes the last."""
    sectors, sector_bytes = size
    return Table(first, _in_order(gpt.laid_out(copy, sectors, sector_bytes), sector_bytes, good))


def _in_order(
    laid: gpt.Laid, sector_bytes: int, good: gpt.Copy | None
) -> tuple[tuple[int, bytes], ...]:
    only_backup = good is not None and good.at != 1
    both = (laid.primary, laid.backup) if only_backup else (laid.backup, laid.primary)
    return tuple((at * sector_bytes, raw) for copy in both for at, raw in copy)


def read_msdos(path: Path, plan: TablePlan, old: Iterable[int]) -> Table:
    """The table that tools left on a draft; ``old`` are the sectors of the present chain."""
    size = plan.sector_bytes
    with path.open("rb", buffering=0) as draft:
        read = _reader(draft.fileno())
        chain = chain_sectors(read, size)
        tables = [(at, read(at * size, size)) for at in chain]
        first = read(0, size)
    if plan.identity is not None:
        # libparted puts code of its own there, which would start a disk that is not whole yet
        first = mbr.without_code(first)
    return Table(first, _chain_in_order(tables, size, old))


def _chain_in_order(
    tables: Sequence[tuple[int, bytes]], sector_bytes: int, old: Iterable[int]
) -> tuple[tuple[int, bytes], ...]:
    """Bytes of the disk and contents, in the order in which they may be written.

    What nothing refers to yet comes first, then the present chain from its end on: at any time
    its old beginning leads into its new end.
    """
    taken = set(old)
    fresh = [one for one in tables if one[0] not in taken]
    ordered = (*fresh, *(one for one in reversed(tables) if one[0] in taken))
    return tuple((at * sector_bytes, raw) for at, raw in ordered)


def chain_sectors(read: mbr.Read, sector_bytes: int) -> tuple[int, ...]:
    """Where the tables of the logical partitions lie, from the head on."""
    extended = mbr.extended_of(read(0, mbr.MBR_BYTES))
    if extended is None:
        return ()
    return tuple(at for at, _ in mbr.chain(read, extended, sector_bytes).tables)


def present_chain(device_fd: int, sector_bytes: int) -> tuple[int, ...]:
    """The same for the table that is on the disk now."""
    return chain_sectors(_reader(device_fd), sector_bytes)


def write_plan(device_fd: int, plan: TablePlan, table: Table, old_chain: Sequence[int]) -> None:
    """Wipe what is fresh, write ``table``, and remove what an older one left."""
    sector = plan.sector_bytes
    tables = [(at * sector, (at + 1) * sector) for at in old_chain]
    _mark(device_fd, sector)
    fresh = _fresh_ends(plan)
    _zero_all(device_fd, without(fresh, tables))
    if plan.table is TableKind.MSDOS and tables and not _same_start(device_fd, table):
        # links count from where the extended partition begins: the old chain cannot lead into the
        # new one, and nothing of it stays
        _write(device_fd, 0, mbr.without_extended(os.pread(device_fd, sector, 0)))
    _write_others(device_fd, table)
    _write(device_fd, 0, mbr.marked(table.first))
    new = [(0, sector), *((at, at + len(raw)) for at, raw in table.others)]
    stale = without([stretch for stretch in tables if _inside(stretch, fresh)], new)
    if plan.new_table or (plan.damage and plan.table is TableKind.GPT):
        stale += without(_edges(plan), new)
    elif plan.table is TableKind.MSDOS:
        stale += _old_gpt(device_fd, plan)
    _zero_all(device_fd, stale)
    _write(device_fd, 0, table.first)


def first_difference(device_fd: int, table: Table) -> int | None:
    """Where the disk, asked past the page cache, does not give back ``table``; None: nowhere."""
    os.fsync(device_fd)
    os.posix_fadvise(device_fd, 0, 0, os.POSIX_FADV_DONTNEED)
    for offset, raw in ((0, table.first), *table.others):
        found = os.pread(device_fd, len(raw), offset)
        if found != raw:
            pairs = enumerate(zip(found, raw, strict=False))
            return offset + next((at for at, (one, two) in pairs if one != two), len(found))
    return None


def write_copies(device_fd: int, table: Table, sector_bytes: int) -> None:
    """Write both copies of a GPT and the MBR before it; the partitions are not touched."""
    _mark(device_fd, sector_bytes)
    _write_others(device_fd, table)
    _write(device_fd, 0, table.first)


def _same_start(device_fd: int, table: Table) -> bool:
    now = mbr.extended_of(os.pread(device_fd, mbr.MBR_BYTES, 0))
    then = mbr.extended_of(table.first)
    return now is not None and then is not None and now.start == then.start


def _mark(device_fd: int, sector_bytes: int) -> None:
    _write(device_fd, 0, mbr.marked(os.pread(device_fd, sector_bytes, 0)))


def _write_others(device_fd: int, table: Table) -> None:
    for offset, raw in table.others:
        _write(device_fd, offset, raw)


def _fresh_ends(plan: TablePlan) -> list[Stretch]:
    """Where signatures live: both ends of each new partition."""
    ends = []
    for part in plan.partitions:
        if part.fresh and part.type != types.EXTENDED:
            start = part.start_sector * plan.sector_bytes
            end = part.end_sector * plan.sector_bytes
            ends += [(start, min(start + MIB, end)), (max(end - MIB, start), end)]
    return ends


def _edges(plan: TablePlan) -> list[Stretch]:
    """Both ends of the disk, as far as no partition stays there."""
    sector = plan.sector_bytes
    stay = [part for part in plan.partitions if not part.fresh]
    first = min((part.start_sector * sector for part in stay), default=plan.disk_size_bytes)
    last = max((part.end_sector * sector for part in stay), default=0)
    total = plan.disk_size_bytes
    return [(0, min(MIB, first)), (max(total - MIB, last), total)]


def _old_gpt(device_fd: int, plan: TablePlan) -> list[Stretch]:
    """The headers of a GPT behind an MBR: a conversion was cut, or another tool left them."""
    sector = plan.sector_bytes
    ends = [(sector, 2 * sector), (plan.disk_size_bytes - sector, plan.disk_size_bytes)]
    parts = [(one.start_sector * sector, one.end_sector * sector) for one in plan.partitions]
    free = [end for end in ends if without([end], parts)]
    return [end for end in free if os.pread(device_fd, 8, end[0]) == gpt.SIGNATURE]


def without(stretches: Iterable[Stretch], holes: Iterable[Stretch]) -> list[Stretch]:
    """What is left of ``stretches`` outside ``holes``."""
    left = list(stretches)
    for low, high in holes:
        cut = [((start, min(end, low)), (max(start, high), end)) for start, end in left]
        left = [piece for pieces in cut for piece in pieces if piece[0] < piece[1]]
    return left


def _inside(stretch: Stretch, others: Iterable[Stretch]) -> bool:
    return any(low <= stretch[0] and stretch[1] <= high for low, high in others)


def _zero_all(device_fd: int, stretches: Iterable[Stretch]) -> None:
    for start, end in stretches:
        at = start
        while at < end:
            at += os.pwrite(device_fd, bytes(min(MIB, end - at)), at)
    os.fsync(device_fd)


def _write(device_fd: int, offset: int, raw: bytes) -> None:
    while raw:
        done = os.pwrite(device_fd, raw, offset)
        offset, raw = offset + done, raw[done:]
    os.fsync(device_fd)


def _reader(device_fd: int) -> mbr.Read:
    return lambda offset, length: os.pread(device_fd, length, offset)
