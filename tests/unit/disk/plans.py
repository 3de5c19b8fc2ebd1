# SPDX-License-Identifier: GPL-3.0-or-later
"""Disks and layouts for the tests of the planner, and what every plan must fulfil."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from hypothesis import strategies as st

from oglib.disk import types
from oglib.disk.model import MIB, Disk, Partition, TableKind
from oglib.disk.planning.layout import Layout, LayoutPartition, Size
from oglib.disk.planning.planned import TablePlan

GIB = 1024**3


def a_disk(
    size_bytes: int = 8 * GIB,
    sector: int = 512,
    table: TableKind = TableKind.NONE,
    partitions: tuple[Partition, ...] = (),
) -> Disk:
    return Disk(
        number=1,
        path=Path("/dev/vda"),
        size_bytes=size_bytes // sector * sector,
        table=table,
        partitions=partitions,
        logical_sector_bytes=sector,
    )


def after(plan: TablePlan, disk: Disk) -> Disk:
    """The disk as it will be found once the plan is written."""
    sector = plan.sector_bytes
    return replace(
        disk,
        table=plan.table,
        partitions=tuple(
            Partition(
                number=part.number,
                start_bytes=part.start_sector * sector,
                size_bytes=part.size_sectors * sector,
                type=part.type,
                type_id=part.type_id,
                name=part.name,
                active=part.active,
            )
            for part in plan.partitions
        ),
    )


def check_invariants(plan: TablePlan, disk: Disk, *, kept: tuple[Partition, ...] = ()) -> None:
    sector = plan.sector_bytes
    total = disk.size_bytes // sector
    for part in plan.partitions:
        assert part.size_sectors > 0
        assert 0 < part.start_sector < part.end_sector
        # the backup of a gpt needs 33 sectors of 512 bytes, or 5 of 4096
        assert part.end_sector <= total - (16384 // sector + 1)
        if not any(part.start_sector * sector == one.start_bytes for one in kept):
            assert part.start_sector * sector % MIB == 0
    extended = [part for part in plan.partitions if part.type == types.EXTENDED]
    logical = [
        part for part in plan.partitions if plan.table is TableKind.MSDOS and part.number > 4
    ]
    primary = [part for part in plan.partitions if part not in logical]
    for row in (primary, logical):
        by_place = sorted(row, key=lambda part: part.start_sector)
        for one, two in pairwise(by_place):
            assert one.end_sector <= two.start_sector
    for part in logical:
        assert extended[0].start_sector < part.start_sector
        assert part.end_sector <= extended[0].end_sector
    ordered = sorted(logical, key=lambda part: part.start_sector)
    assert [part.number for part in ordered] == list(range(5, 5 + len(ordered)))
    for one, two in pairwise(ordered):
        assert one.end_sector < two.start_sector  # the sector of the logical one's own table
    if plan.table is TableKind.MSDOS:
        assert all(part.end_sector <= 2**32 for part in plan.partitions if not part.kept)
        # two numbers of 32 bits: what stays may reach beyond the first 2 TiB of 512-byte sectors
        assert all(max(part.start_sector, part.size_sectors) < 2**32 for part in plan.partitions)
        assert sum(part.active for part in plan.partitions) <= 1
    for stays in kept:
        found = [
            part for part in plan.partitions if part.start_sector * sector == stays.start_bytes
        ]
        assert len(found) == 1
        assert found[0].size_sectors * sector == stays.size_bytes
        assert not found[0].fresh


sizes = st.one_of(
    st.integers(1, 64 * GIB).map(lambda count: Size(bytes=count)),
    st.integers(1, 90).map(lambda share: Size(percent=float(share))),
)
sectors = st.sampled_from([512, 4096])
disk_sizes = st.integers(64 * MIB, 16 * 1024 * GIB)


@st.composite
def rows(draw: st.DrawFn, type_names: list[str], most: int) -> tuple[LayoutPartition, ...]:
    entries = [
        LayoutPartition(type=draw(st.sampled_from(type_names)), size=draw(sizes))
        for _ in range(draw(st.integers(1, most)))
    ]
    if draw(st.booleans()):
        at = draw(st.integers(0, len(entries) - 1))
        entries[at] = replace(entries[at], size=Size(rest=True))
    return tuple(entries)


@st.composite
def layouts(draw: st.DrawFn) -> Layout:
    if draw(st.booleans()):
        kinds = ["EFI", "LINUX", "LINUX-SWAP", "WINDOWS", "WIN-RESERV", "CACHE", "BIOS-BOOT"]
        entries = draw(rows(kinds, 12))
        table = TableKind.GPT
    else:
        kinds = ["NTFS", "LINUX", "LINUX-SWAP", "CACHE", "FAT32"]
        entries = draw(rows(kinds, 4))
        table = TableKind.MSDOS
        if draw(st.booleans()):
            at = draw(st.integers(0, len(entries) - 1))
            inside = draw(rows(kinds, 6))
            size = draw(st.one_of(st.none(), st.just(entries[at].size)))
            entries = (
                *entries[:at],
                LayoutPartition(type=types.EXTENDED, size=size, logical=inside),
                *entries[at + 1 :],
            )
    # one cache at most: of two, nobody could say which one is meant to stay
    caches = 0
    unique = []
    for entry in entries:
        caches += entry.type == "CACHE"
        one = replace(entry, type="LINUX") if entry.type == "CACHE" and caches > 1 else entry
        inside_one = tuple(
            replace(child, type="LINUX") if child.type == "CACHE" else child
            for child in one.logical
        )
        unique.append(replace(one, logical=inside_one))
    return Layout(table, tuple(unique))
