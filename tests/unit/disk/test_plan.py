# SPDX-License-Identifier: GPL-3.0-or-later
"""The planner on data alone: what must hold for every disk and layout, and the named cases."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from oglib.disk import types
from oglib.disk.layout import Layout, Size, Wanted, layout_from
from oglib.disk.model import MIB, Disk, Partition, TableKind
from oglib.disk.plan import TablePlan, plan_layout
from oglib.errors import PartitionError

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
        assert all(part.end_sector <= 2**32 for part in plan.partitions)
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
def rows(draw: st.DrawFn, type_names: list[str], most: int) -> tuple[Wanted, ...]:
    entries = [
        Wanted(type=draw(st.sampled_from(type_names)), size=draw(sizes))
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
                Wanted(type=types.EXTENDED, size=size, logical=inside),
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


@settings(max_examples=300, deadline=None)
@given(layout=layouts(), size=disk_sizes, sector=sectors)
def test_every_plan_is_sound_and_a_second_one_changes_nothing(
    layout: Layout, size: int, sector: int
) -> None:
    disk = a_disk(size, sector)
    try:
        plan = plan_layout(layout, disk)
    except PartitionError:
        assume(False)
    check_invariants(plan, disk)
    assert not plan.nothing_to_change
    assert all(part.fresh for part in plan.partitions)
    again = plan_layout(layout, after(plan, disk))
    assert again.nothing_to_change, again.changes
    assert not any(part.fresh for part in again.partitions)
    assert [part.number for part in again.partitions] == [part.number for part in plan.partitions]


@settings(max_examples=150, deadline=None)
@given(first=layouts(), second=layouts(), size=disk_sizes, sector=sectors)
def test_from_any_table_to_any_other(first: Layout, second: Layout, size: int, sector: int) -> None:
    disk = a_disk(size, sector)
    try:
        before = after(plan_layout(first, disk), disk)
        plan = plan_layout(second, before)
    except PartitionError:
        assume(False)
    check_invariants(plan, before)
    assert plan_layout(second, after(plan, before)).nothing_to_change


@settings(max_examples=150, deadline=None)
@given(data=st.data(), size=disk_sizes, sector=sectors)
def test_a_kept_partition_stays_where_it_is(data: st.DataObject, size: int, sector: int) -> None:
    table = data.draw(st.sampled_from([TableKind.GPT, TableKind.MSDOS]))
    disk = a_disk(size, sector)
    try:
        first = Layout(table, data.draw(rows(["LINUX", "LINUX-SWAP"], 4)))
        before = after(plan_layout(first, disk), disk)
        at = data.draw(st.integers(0, len(before.partitions) - 1))
        kept = before.partitions[at]
        new = list(data.draw(rows(["LINUX", "LINUX-SWAP"], 3)))
        where = data.draw(st.integers(0, len(new)))
        new.insert(where, Wanted(type=kept.type, size=None, keep=True, number=kept.number))
        plan = plan_layout(Layout(table, tuple(new)), before)
    except PartitionError:
        assume(False)
    check_invariants(plan, before, kept=(kept,))
    assert plan_layout(Layout(table, tuple(new)), after(plan, before)).nothing_to_change


def planned(layout: dict[str, object], disk: Disk) -> list[tuple[int, int, int]]:
    """(number, start, size) in MiB."""
    plan = plan_layout(layout_from(layout), disk)
    per = MIB // plan.sector_bytes
    return [
        (one.number, one.start_sector // per, one.size_sectors // per) for one in plan.partitions
    ]


def test_the_usual_uefi_disk() -> None:
    layout: dict[str, object] = {
        "table": "gpt",
        "partitions": [
            {"type": "EFI", "size": "256MiB"},
            {"type": "LINUX", "size": "rest"},
            {"type": "LINUX-SWAP", "size": "512MiB"},
        ],
    }
    assert planned(layout, a_disk()) == [(1, 1, 256), (2, 257, 7422), (3, 7679, 512)]
    assert planned(layout, a_disk(sector=4096)) == [(1, 1, 256), (2, 257, 7422), (3, 7679, 512)]


def test_a_size_in_bytes_is_exact_to_the_sector() -> None:
    layout = layout_from(
        {"table": "gpt", "partitions": [{"type": "LINUX", "size": 512 * MIB - 512}]}
    )
    assert plan_layout(layout, a_disk()).partitions[0].size_sectors == 512 * MIB // 512 - 1
    assert plan_layout(layout, a_disk(sector=4096)).partitions[0].size_sectors == 512 * MIB // 4096


def test_a_cache_at_the_end_of_the_list_lies_at_the_end_of_the_disk() -> None:
    layout: dict[str, object] = {
        "table": "msdos",
        "partitions": [
            {"type": "NTFS", "size": "2GiB"},
            {"type": "CACHE", "size": "1GiB", "number": 4},
        ],
    }
    assert planned(layout, a_disk()) == [(1, 1, 2048), (4, 7167, 1024)]


def test_a_cache_is_kept_unless_said_otherwise() -> None:
    cache = Partition(number=4, start_bytes=6 * GIB, size_bytes=GIB, type="CACHE", type_id="ca")
    disk = a_disk(table=TableKind.MSDOS, partitions=(cache,))
    entries: list[dict[str, object]] = [
        {"type": "LINUX", "size": "rest"},
        {"type": "CACHE", "size": "2GiB"},
    ]
    plan = plan_layout(layout_from({"table": "msdos", "partitions": entries}), disk)
    assert [(one.number, one.fresh) for one in plan.partitions] == [(1, True), (4, False)]
    assert plan.partitions[0].end_sector == 6 * GIB // 512
    assert plan.notes == ("partition 4 (CACHE) keeps its 1.0 GiB, the layout says 2.0 GiB",)
    entries[1]["keep"] = False
    plan = plan_layout(layout_from({"table": "msdos", "partitions": entries}), disk)
    assert [one.number for one in plan.partitions] == [1, 2]
    assert plan.removed == (4,)


def test_a_kept_cache_survives_a_conversion_of_the_table() -> None:
    cache = Partition(number=3, start_bytes=6 * GIB, size_bytes=GIB, type="CACHE", type_id="ca")
    disk = a_disk(table=TableKind.MSDOS, partitions=(cache,))
    entries = [{"type": "EFI", "size": "256MiB"}, {"type": "CACHE", "size": "1GiB"}]
    plan = plan_layout(layout_from({"table": "gpt", "partitions": entries}), disk)
    kept = plan.partitions[1]
    assert (kept.number, kept.start_sector, kept.fresh) == (3, 6 * GIB // 512, False)
    assert kept.name == "CACHE"
    assert "keep the content of partition 3 (CACHE, 1.0 GiB)" in plan.changes


def test_logical_partitions_lie_inside_the_extended_one() -> None:
    layout: dict[str, object] = {
        "table": "msdos",
        "partitions": [
            {"type": "NTFS", "size": "1GiB"},
            {
                "type": "EXTENDED",
                "partitions": [
                    {"type": "LINUX", "size": "1GiB"},
                    {"type": "SWAP", "size": "512MiB"},
                ],
            },
            {"type": "LINUX", "size": "1GiB"},
        ],
    }
    assert planned(layout, a_disk()) == [
        (1, 1, 1024),
        (2, 1025, 1538),
        (3, 2563, 1024),
        (5, 1026, 1024),
        (6, 2051, 512),
    ]


def test_what_is_the_same_stays_and_what_is_not_is_told() -> None:
    first = {"type": "EFI", "size": "256MiB"}
    disk = a_disk()
    before = after(
        plan_layout(layout_from({"partitions": [first, {"type": "LINUX", "size": "rest"}]}), disk),
        disk,
    )
    plan = plan_layout(
        layout_from({"partitions": [first, {"type": "LINUX", "size": "2GiB", "name": "root"}]}),
        before,
    )
    assert [part.fresh for part in plan.partitions] == [False, True]
    assert plan.changes == (
        "remove partition 2 (LINUX, 7.7 GiB)",
        "create partition 2: LINUX, 2.0 GiB at 257.0 MiB",
    )


def test_a_name_alone_changes_no_content() -> None:
    disk = a_disk()
    layout = {"partitions": [{"type": "LINUX", "size": "rest"}]}
    before = after(plan_layout(layout_from(layout), disk), disk)
    layout["partitions"][0]["name"] = "root"
    plan = plan_layout(layout_from(layout), before)
    assert plan.changes == ("name partition 1 'root'",)
    assert not plan.partitions[0].fresh


@pytest.mark.parametrize(
    ("partitions", "says"),
    [
        ([{"type": "LINUX", "size": "9GiB"}], r"9\.0 GiB \(9663676416 bytes\).*8587837440"),
        (
            [{"type": "LINUX", "size": "rest"}, {"type": "LINUX", "size": "8GiB"}],
            "need 8.0 GiB",
        ),
        (
            [{"type": "LINUX", "size": "rest"}, {"type": "CACHE", "size": "rest"}],
            "Partitions 1 and 2 both want the rest",
        ),
        ([{"keep": True, "number": 3}], "Partition 3 of .* shall be kept, but there is none"),
        (
            [
                {"type": "LINUX", "size": "1GiB", "number": 2},
                {"type": "EFI", "size": "1GiB", "number": 2},
            ],
            "number 2 to two partitions",
        ),
    ],
)
def test_what_does_not_fit_is_refused(partitions: list[object], says: str) -> None:
    with pytest.raises(PartitionError, match=says):
        plan_layout(layout_from({"partitions": partitions}), a_disk())


def test_an_order_that_contradicts_the_disk_is_refused() -> None:
    at_front = Partition(number=1, start_bytes=MIB, size_bytes=GIB, type="LINUX", type_id="83")
    disk = a_disk(table=TableKind.MSDOS, partitions=(at_front,))
    layout = layout_from(
        {
            "table": "msdos",
            "partitions": [
                {"type": "NTFS", "size": "1GiB", "number": 2},
                {"type": "LINUX", "keep": True, "number": 1},
            ],
        }
    )
    with pytest.raises(PartitionError, match=r"need 1\.0 GiB"):
        plan_layout(layout, disk)


def test_msdos_reaches_two_tebibytes_and_says_so() -> None:
    layout = layout_from({"table": "msdos", "partitions": [{"type": "LINUX", "size": "rest"}]})
    plan = plan_layout(layout, a_disk(4096 * GIB))
    assert plan.partitions[0].end_sector <= 2**32 - 1
    assert "use gpt for all of it" in plan.notes[0]
