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
from dataclasses import dataclass
from pathlib import Path

from oglib.disk import gpt, mbr, types
from oglib.disk.model import MIB, TableKind
from oglib.disk.planned import TablePlan
from oglib.errors import PartitionError

Stretch = tuple[int, int]  # bytes from, to before


@dataclass(frozen=True, slots=True)
class Table:
    """The sectors of a finished table: sector 0, and (byte offset, content) of the others.

    ``others`` are in the order in which they may be written.
    """

    first: bytes
    others: tuple[tuple[int, bytes], ...]


def read_gpt(path: Path, plan: TablePlan, good: gpt.Copy | None) -> Table:
    """The table that tools left on a draft. ``good``: the copy on the disk to replace last."""
    sectors = plan.disk_size_bytes // plan.sector_bytes
    with path.open("rb", buffering=0) as draft:
        copy = gpt.read_copy(_reader(draft.fileno()), 1, sectors, plan.sector_bytes)
        first = os.pread(draft.fileno(), plan.sector_bytes, 0)
    if isinstance(copy, str):
        raise PartitionError(f"The GPT drafted for {plan.path} {copy}.")
    if plan.identity is not None:
        copy = copy.marked(plan.identity.disk_id, plan.identity.marks)
    return gpt_table(copy, first, (sectors, plan.sector_bytes), good)


def gpt_table(copy: gpt.Copy, first: bytes, size: tuple[int, int], good: gpt.Copy | None) -> Table:
    """Both copies for a disk of ``size`` (sectors, bytes of one); over ``good`` comes the last."""
    sectors, sector_bytes = size
    front, end = gpt.build(copy, sectors, sector_bytes)
    primary, backup = (sector_bytes, front), (sectors * sector_bytes - len(end), end)
    only_backup = good is not None and good.at != 1
    others = (primary, backup) if only_backup else (backup, primary)
    return Table(mbr.protective(first, sectors), others)


def read_msdos(path: Path, plan: TablePlan, old: Iterable[int]) -> Table:
    """The table that tools left on a draft; ``old`` are the sectors of the present chain."""
    size = plan.sector_bytes
    with path.open("rb", buffering=0) as draft:
        read = _reader(draft.fileno())
        chain = chain_sectors(read, size)
        tables = [(at * size, read(at * size, size)) for at in chain]
        first = read(0, size)
    if plan.identity is not None:
        # libparted puts code of its own there, which would start a disk that is not whole yet
        first = mbr.without_code(first)
    taken = {at * size for at in old}
    # what nothing refers to yet comes first, then the present chain from its end on: at any time
    # its old beginning leads into its new end
    fresh = [one for one in tables if one[0] not in taken]
    return Table(first, (*fresh, *(one for one in reversed(tables) if one[0] in taken)))


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
    _zero_all(device_fd, _without(fresh, tables))
    if plan.table is TableKind.MSDOS and tables and not _same_start(device_fd, table):
        # links count from where the extended partition begins: the old chain cannot lead into the
        # new one, and nothing of it stays
        _write(device_fd, 0, mbr.without_extended(os.pread(device_fd, sector, 0)))
    _write_others(device_fd, table)
    _write(device_fd, 0, mbr.marked(table.first))
    new = [(0, sector), *((at, at + len(raw)) for at, raw in table.others)]
    stale = _without([stretch for stretch in tables if _inside(stretch, fresh)], new)
    if plan.new_table or (plan.damage and plan.table is TableKind.GPT):
        stale += _without(_edges(plan), new)
    elif plan.table is TableKind.MSDOS:
        stale += _old_gpt(device_fd, plan)
    _zero_all(device_fd, stale)
    _write(device_fd, 0, table.first)


def write_copies(device_fd: int, table: Table, sector_bytes: int) -> None:
    """Write both copies of a GPT and its protective MBR; the partitions are not touched."""
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
    free = [end for end in ends if _without([end], parts)]
    return [end for end in free if os.pread(device_fd, 8, end[0]) == gpt.SIGNATURE]


def _without(stretches: Iterable[Stretch], holes: Iterable[Stretch]) -> list[Stretch]:
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
