# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes a planned partition table, and proves that it is there.

An msdos table is made by the tools (``msdos``). A GPT is made here, entry by entry: the tools know
128 entries and the names of their own character sets. Whoever made it, sfdisk reads the table on a
draft and what it finds is compared with the plan; then it is brought onto the disk in an order that
survives a power cut (``sectors``). The disk is held exclusively and locked meanwhile (udev waits
for the lock), and only then is the kernel told.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from oglib.disk.model import Disk, Partition, TableKind
from oglib.disk.planning.planned import TablePlan
from oglib.disk.probe import probe_target
from oglib.disk.probing.virtual import read_table, sfdisk_table
from oglib.disk.remedy import remedy
from oglib.disk.tables import gpt, mbr
from oglib.disk.tables.damage import examine
from oglib.disk.writing import sectors
from oglib.disk.writing.draft import compare, draft_of
from oglib.disk.writing.kernel import reread, wait_for_nodes, without_maps
from oglib.errors import OgErr, PartitionError
from oglib.kernel.claim import claimed
from oglib.kernel.udev import settle


def apply_table(plan: TablePlan) -> Disk:
    """Write the plan, wait until the kernel shows it, and return the disk as it is now.

    Raises PartitionError and changes nothing when the disk is in use, or is not what was
    planned for; raises it as well when the disk afterwards does not hold the plan.
    """
    if plan.nothing_to_change:
        return probe_target(plan.path)
    disk = refuse_changed(plan)
    with without_maps(disk), claimed(plan.path, write=True) as device_fd:
        old_chain = _old_chain(disk, plan, device_fd)
        table = _finished(plan, device_fd, old_chain)
        sectors.write_plan(device_fd, plan, table, old_chain)
        if (at := sectors.first_difference(device_fd, table)) is not None:
            raise PartitionError(
                f"The table of {plan.path} was written, but the disk does not give back what was "
                f"written at byte {at}.",
                hint="The disk may be failing; look at the kernel's log.",
            )
        compare(plan, plan.path, read_table(plan.path))
        shown = reread(device_fd, plan.path)
    if shown:
        wait_for_nodes(plan)
    return probe_target(plan.path)


def check_drafted(plan: TablePlan, disk: Disk) -> None:
    """Raise where ``apply_table`` would before it writes: the table is made on a draft; only reads.

    For whoever writes something else first.
    """
    if plan.nothing_to_change:
        return
    with disk.path.open("rb", buffering=0) as device:
        _finished(plan, device.fileno(), _old_chain(disk, plan, device.fileno()))


def _old_chain(disk: Disk, plan: TablePlan, device_fd: int) -> Sequence[int]:
    if disk.table is not TableKind.MSDOS:
        return ()
    return sectors.present_chain(device_fd, plan.sector_bytes)


def _finished(plan: TablePlan, device_fd: int, old_chain: Sequence[int]) -> sectors.Table:
    """The sectors to write, judged by sfdisk on a draft; nothing is written to the disk."""
    found = examine(plan.path, plan.disk_size_bytes, plan.sector_bytes)
    first = mbr.unmarked(os.pread(device_fd, plan.sector_bytes, 0))
    if plan.exactly and plan.like is not None:
        table = sectors.exact_table(plan.like, found.good, old_chain)
    elif plan.table is TableKind.GPT:
        try:
            if plan.new_table:
                table = sectors.planned_gpt(plan, None, bytes(len(first)), found.good)
            else:
                table = sectors.planned_gpt(plan, found.copy, first, found.good)
        except ValueError as error:
            raise PartitionError(
                f"The planned GPT has no room on {plan.path}: {error}.",
                hint="Nothing was written. Leave room for the table at both ends of the disk.",
            ) from error
    else:
        with draft_of(plan, () if plan.new_table else [(0, first)]) as draft:
            from oglib.disk.writing import msdos  # noqa: PLC0415  libparted is met by few

            msdos.draft(plan, draft, first)
            return sectors.read_msdos(draft, plan, old_chain)
    with draft_of(plan, [*table.others, (0, table.first)]) as draft:
        compare(plan, draft, sfdisk_table(draft))
    return table


def is_of_another_size(disk: Disk) -> bool:
    """Whether the GPT on this disk was made for one of another size: a raw copy's."""
    found = examine(disk.path, disk.size_bytes, disk.logical_sector_bytes)
    last = disk.size_bytes // disk.logical_sector_bytes - 1
    return found.good is not None and found.good.at == 1 and found.good.other != last


def repair_table(disk: Disk) -> Disk:
    """Write both copies of a damaged GPT from the good one; the partitions stay as they are.

    Raises PartitionError and changes nothing when there is nothing to repair, or no good copy.
    """
    refuse_busy(disk)
    with without_maps(disk), claimed(disk.path, write=True) as device_fd:
        table = _planned_repair(disk, device_fd)
        sectors.write_copies(device_fd, table, disk.logical_sector_bytes)
        shown = reread(device_fd, disk.path)
    repaired = probe_target(disk.path)
    if repaired.damage:
        raise PartitionError(
            f"The partition table of {disk.describe()} was repaired, but is still damaged: "
            f"{' '.join(repaired.damage)}",
            hint="The disk may be failing; look at the kernel's log.",
        )
    if shown:
        settle()
    return repaired


def check_repairable(disk: Disk) -> None:
    """Raise where ``repair_table`` would, by what is on the disk; only reads."""
    refuse_busy(disk)
    with disk.path.open("rb", buffering=0) as device:
        _planned_repair(disk, device.fileno())


def _planned_repair(disk: Disk, device_fd: int) -> sectors.Table:
    """Both copies as a repair writes them."""
    found = examine(disk.path, disk.size_bytes, disk.logical_sector_bytes)
    if not found.damage:
        raise PartitionError(f"The partition table of {disk.describe()} is not damaged.")
    try:
        if found.good is None:
            raise ValueError("no copy of a GPT is whole")
        return _repaired(found.good, disk, device_fd)
    except ValueError as error:
        raise PartitionError(
            f"The partition table of {disk.describe()} cannot be repaired ({error}): "
            f"{' '.join(found.damage)}",
            hint="Save what is needed, then write a new one: "
            "'og disk apply DISK LAYOUT --replace-damaged'.",
        ) from error


def _repaired(good: gpt.Copy, disk: Disk, device_fd: int) -> sectors.Table:
    """Both copies from the good one; ValueError where that would lose what the MBR alone names."""
    sector = disk.logical_sector_bytes
    first = os.pread(device_fd, sector, 0)
    there = {(entry.first, entry.last - entry.first + 1) for entry in good.entries}
    rows = [row for row in mbr.rows(first) if row.used and row.kind != mbr.PROTECTIVE]
    if not mbr.hybrid_rows(first) and any((row.start, row.length) not in there for row in rows):
        raise ValueError("the MBR names partitions that are not in the GPT")
    count = disk.size_bytes // sector
    return sectors.gpt_table(good, mbr.in_front_of_gpt(first, count, {}), (count, sector), good)


def refuse_busy(disk: Disk) -> None:
    """Refuse a disk that somebody uses, or that cannot be written."""
    if disk.in_use:
        raise PartitionError(
            f"{disk.describe()} is in use ({'; '.join(disk.in_use)}), so its partitions "
            "are not changed.",
            hint=remedy(disk),
            code=OgErr.LOCKED,
        )
    if disk.read_only:
        raise PartitionError(f"{disk.describe()} is read-only.", code=OgErr.NOTWRITE)


def refuse_changed(plan: TablePlan) -> Disk:
    """The disk as it is now; raises when it is in use, or not what was planned for any more.

    What its partitions hold is not looked at.
    """
    disk = probe_target(plan.path, contents=False)
    refuse_busy(disk)
    found = (disk.damage, _places(disk.partitions))
    if found != (plan.damage, _places(plan.before)) or disk.size_bytes != plan.disk_size_bytes:
        raise _changed(disk)
    return disk


def refuse_moved(disk: Disk, part: Partition | None = None) -> None:
    """Raise where the disk, or this partition of it, is not where it was when it was found.

    Between a question and its answer somebody may have partitioned, or plugged another disk in.
    """
    now = probe_target(disk.path, contents=False)
    same = (now.size_bytes, now.serial) == (disk.size_bytes, disk.serial)
    there = [one for one in now.partitions if part and one.number == part.number]
    if not same or (part and _places(there) != _places([part])):
        raise _changed(now)


def _changed(disk: Disk) -> PartitionError:
    return PartitionError(
        f"{disk.describe()} is not as it was when this was planned.",
        hint="Look at it again and plan anew.",
    )


def _places(partitions: Sequence[Partition]) -> list[tuple[int, int, int]]:
    return sorted((part.number, part.start_bytes, part.size_bytes) for part in partitions)
