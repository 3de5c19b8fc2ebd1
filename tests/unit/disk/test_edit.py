# SPDX-License-Identifier: GPL-3.0-or-later
"""Single changes to a table: what they change, what they refuse, that all else stays."""

from __future__ import annotations

from dataclasses import replace

import pytest

from oglib.disk.model import MIB, Disk, TableKind
from oglib.disk.planning import edit
from oglib.disk.planning.cache_partition import cache_room, plan_cache
from oglib.disk.planning.layout import layout_from
from oglib.disk.planning.plan import plan_layout
from oglib.disk.tables.damage import UNFINISHED
from oglib.errors import NotFoundError, OgErr, PartitionError
from unit.disk.plans import GIB, a_disk, after

ROWS: list[dict[str, object]] = [
    {"type": "NTFS", "size": "1GiB"},
    {
        "type": "EXTENDED",
        "size": "4GiB",
        "partitions": [{"type": "LINUX", "size": "1GiB"}, {"type": "SWAP", "size": "1GiB"}],
    },
]


def a_disk_with(table: str, rows: list[dict[str, object]]) -> Disk:
    disk = a_disk()
    return after(plan_layout(layout_from({"table": table, "partitions": rows}), disk), disk)


def msdos() -> Disk:
    return a_disk_with("msdos", ROWS)


def gpt() -> Disk:
    return a_disk_with("gpt", [ROWS[0], {"type": "LINUX", "size": "1GiB", "name": "home"}])


def test_another_type() -> None:
    plan = edit.with_type(msdos(), 1, "17")
    assert (plan.partitions[0].type, plan.partitions[0].type_id) == ("HNTFS", "17")
    assert plan.changes == ("change the type of partition 1: NTFS -> HNTFS (17)",)
    assert not any(part.fresh for part in plan.partitions)
    assert edit.with_type(msdos(), 1, "HNTFS").partitions == plan.partitions
    assert edit.with_type(msdos(), 1, "0x7").nothing_to_change
    assert edit.with_type(msdos(), 1, "99").partitions[0].type == "UNKNOWN"


def test_the_name_makes_a_cache_of_a_gpt_partition() -> None:
    disk = gpt()
    plan = edit.with_type(disk, 2, "CACHE")
    assert (plan.partitions[1].type, plan.partitions[1].name) == ("CACHE", "CACHE")
    back = edit.with_type(after(plan, disk), 2, "LINUX")
    assert (back.partitions[1].type, back.partitions[1].name) == ("LINUX", "")


@pytest.mark.parametrize("wrong", ["0", "1ff", "xy", "", "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7"])
def test_what_is_no_type(wrong: str) -> None:
    with pytest.raises(PartitionError, match="is not a partition type of a msdos table") as caught:
        edit.with_type(msdos(), 1, wrong)
    assert caught.value.code == OgErr.OUTOFLIMIT


def test_extended_is_no_type_to_change() -> None:
    for number, kind in ((2, "83"), (1, "5")):
        with pytest.raises(PartitionError, match="EXTENDED partition holds others"):
            edit.with_type(msdos(), number, kind)


def test_only_one_is_active() -> None:
    disk = msdos()
    assert disk.partitions[0].active
    assert edit.with_active(disk, 1).nothing_to_change
    plan = edit.with_active(disk, 1, active=False)
    assert not any(part.active for part in plan.partitions)
    for number in (2, 5):
        with pytest.raises(PartitionError, match="only a primary one can"):
            edit.with_active(disk, number)
    with pytest.raises(PartitionError, match="only msdos knows") as caught:
        edit.with_active(gpt(), 1)
    assert caught.value.code == OgErr.NOMSDOS


def test_another_size() -> None:
    plan = edit.with_size(gpt(), 1, GIB // 2)
    assert plan.partitions[0].size_sectors == GIB // 2 // 512
    assert plan.changes == ("change the size of partition 1: 1073741824 -> 536870912 bytes",)
    assert edit.with_size(gpt(), 1, GIB).nothing_to_change
    with pytest.raises(PartitionError, match=r"1 and 2 would overlap: 1 ends at sector 2099201, 2"):
        edit.with_size(gpt(), 1, GIB + 512)
    with pytest.raises(PartitionError, match=r"to 20973568.* room from 34 to 16777183"):
        edit.with_size(gpt(), 2, 9 * GIB)


def test_the_size_of_logical_and_extended_partitions() -> None:
    disk = msdos()
    with pytest.raises(
        PartitionError, match=r"6 would end at sector .*, but its EXTENDED one ends"
    ):
        edit.with_size(disk, 6, 3 * GIB)
    with pytest.raises(PartitionError, match="last logical one ends at"):
        edit.with_size(disk, 2, GIB)
    assert edit.with_size(disk, 2, 5 * GIB).partitions[1].size_sectors == 5 * GIB // 512


def test_one_less() -> None:
    assert [part.number for part in edit.without(gpt(), 1).partitions] == [2]
    disk = msdos()
    plan = edit.without(disk, 5)
    assert [(part.number, part.type) for part in plan.partitions] == [
        (1, "NTFS"),
        (2, "EXTENDED"),
        (5, "LINUX-SWAP"),
    ]
    assert [part.number for part in edit.without(disk, 2).partitions] == [1]
    with pytest.raises(NotFoundError, match=r"no partition 7\. Its partitions: 1 \(NTFS\)"):
        edit.without(disk, 7)


def test_empty_tables() -> None:
    plan = edit.emptied(msdos())
    assert (plan.table, plan.partitions, plan.new_table) == (TableKind.MSDOS, (), True)
    assert plan.removed == (1, 2, 5, 6)
    assert edit.emptied(a_disk(table=TableKind.GPT)).nothing_to_change
    assert edit.emptied(a_disk()).table is TableKind.MSDOS
    assert edit.with_table(gpt(), TableKind.GPT).nothing_to_change
    assert edit.with_table(gpt(), TableKind.MSDOS).partitions == ()
    damaged = replace(gpt(), damage=("It is torn.",))
    assert not edit.with_table(damaged, TableKind.GPT).nothing_to_change
    with pytest.raises(PartitionError, match="is damaged"):
        edit.without(damaged, 1)


def test_a_cache_at_the_end() -> None:
    disk = gpt()
    plan = plan_cache(disk, GIB)
    cache = plan.partitions[-1]
    assert (cache.number, cache.type, cache.name, cache.fresh) == (4, "CACHE", "CACHE", True)
    assert cache.start_sector == 7167 * MIB // 512
    assert plan.partitions[:2] == edit.with_table(disk, TableKind.GPT).partitions
    made = after(plan, disk)
    assert plan_cache(made, GIB).nothing_to_change
    bigger = plan_cache(made, 2 * GIB)
    assert [part.number for part in bigger.partitions] == [1, 2, 4]
    assert bigger.removed == (4,)
    assert [part.number for part in edit.without(made, 4).partitions] == [1, 2]
    assert plan_cache(disk, GIB, number=7).partitions[-1].number == 7
    assert plan_cache(a_disk(), GIB).table is TableKind.GPT


def test_a_logical_cache_becomes_a_primary_one_at_the_end() -> None:
    disk = msdos()
    disk = after(edit.with_type(disk, 5, "CACHE"), disk)
    plan = plan_cache(disk, GIB // 2)
    assert [(part.number, part.type) for part in plan.partitions] == [
        (1, "NTFS"),
        (2, "EXTENDED"),
        (4, "CACHE"),
        (5, "LINUX-SWAP"),
    ]


@pytest.mark.parametrize("number", [None, 5])
def test_a_logical_cache_of_the_size_asked_for_stays(number: int | None) -> None:
    disk = msdos()
    disk = after(edit.with_type(disk, 5, "CACHE"), disk)
    size = next(part.size_bytes for part in disk.partitions if part.number == 5)
    assert plan_cache(disk, size, number=number).nothing_to_change


def test_an_unfinished_table_is_finished_by_an_edit() -> None:
    disk = replace(gpt(), damage=(UNFINISHED,))
    finish = ("finish the table whose writing was interrupted",)
    assert edit.with_table(disk, TableKind.GPT).changes == finish
    assert edit.with_size(disk, 1, GIB).changes == finish
    assert [part.number for part in edit.with_table(disk, TableKind.GPT).partitions] == [1, 2]


def test_a_cache_that_does_not_fit() -> None:
    disk = gpt()
    room = cache_room(disk)
    assert room == (8191 - 2049) * MIB
    assert plan_cache(disk, room).partitions[-1].start_sector == 2049 * MIB // 512
    with pytest.raises(
        PartitionError, match=rf"\({room + 1} bytes\) does not fit .* \({room} bytes\)"
    ):
        plan_cache(disk, room + 1)
    with pytest.raises(PartitionError, match=r"Number 1 .* taken by a partition of type WINDOWS"):
        plan_cache(disk, GIB, number=1)
