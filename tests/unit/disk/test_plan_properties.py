# SPDX-License-Identifier: GPL-3.0-or-later
"""What must hold for every disk and layout, on data alone."""

from __future__ import annotations

from hypothesis import assume, given
from hypothesis import strategies as st

import trying
from oglib.disk import types
from oglib.disk.model import Disk, Partition, TableKind
from oglib.disk.planning import edit
from oglib.disk.planning.cache_partition import plan_cache
from oglib.disk.planning.layout import Layout, LayoutPartition, Size
from oglib.disk.planning.plan import plan_layout
from oglib.disk.planning.planned import TablePlan
from oglib.errors import PartitionError
from unit.disk.plans import a_disk, after, check_invariants, disk_sizes, layouts, rows, sectors


@trying.examples(300, derandomize=True)
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


@trying.examples(150, derandomize=True)
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


@trying.examples(150, derandomize=True)
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
        new.insert(where, LayoutPartition(type=kept.type, size=None, keep=True, number=kept.number))
        plan = plan_layout(Layout(table, tuple(new)), before)
    except PartitionError:
        assume(False)
    check_invariants(plan, before, kept=(kept,))
    assert plan_layout(Layout(table, tuple(new)), after(plan, before)).nothing_to_change


def planned_or_not(layout: Layout, disk: Disk) -> TablePlan:
    """The plan; a layout that does not fit is refused, which is no case for these tests."""
    try:
        return plan_layout(layout, disk)
    except PartitionError:
        assume(False)
        raise


@trying.examples(150, derandomize=True)
@given(first=layouts(), second=layouts(), size=disk_sizes, sector=sectors)
def test_a_cache_that_nobody_names_stays(
    first: Layout, second: Layout, size: int, sector: int
) -> None:
    disk = a_disk(size, sector)
    cache = LayoutPartition(types.CACHE, size=Size(percent=20.0), keep=None)
    without = tuple(one for one in first.partitions if one.type != types.CACHE)[:3]
    before = after(planned_or_not(Layout(first.table, (*without, cache)), disk), disk)
    kept = next(part for part in before.partitions if part.type == types.CACHE)
    silent = tuple(one for one in second.partitions if one.type != types.CACHE)
    plan = planned_or_not(Layout(second.table, silent), before)
    check_invariants(plan, before, kept=(kept,))
    assert plan_layout(Layout(second.table, silent), after(plan, before)).nothing_to_change
    said = (*silent, LayoutPartition(types.CACHE, keep=False))
    gone = planned_or_not(Layout(second.table, said), before)
    assert all(part.type != types.CACHE for part in gone.partitions)


@trying.examples(150, derandomize=True)
@given(data=st.data(), size=disk_sizes, sector=sectors)
def test_what_is_kept_outlives_a_conversion(data: st.DataObject, size: int, sector: int) -> None:
    ways = [(TableKind.GPT, TableKind.MSDOS), (TableKind.MSDOS, TableKind.GPT)]
    old, new = data.draw(st.sampled_from(ways))
    kinds = ["LINUX", "LINUX-SWAP", "NTFS" if old is TableKind.MSDOS else "WINDOWS", "EFI"]
    entries = data.draw(rows(kinds, 4 if old is TableKind.MSDOS else 6))
    before = after(planned_or_not(Layout(old, entries), disk := a_disk(size, sector)), disk)
    chosen = data.draw(
        st.lists(st.sampled_from(before.partitions), min_size=1, max_size=4, unique=True)
    )
    kept = sorted(chosen, key=lambda part: part.start_bytes)
    wanted = tuple(LayoutPartition(types.UNKNOWN, keep=True, number=part.number) for part in kept)
    plan = planned_or_not(Layout(new, wanted), before)
    check_invariants(plan, before, kept=tuple(kept))
    assert plan.new_table
    assert set(plan.removed) == {part.number for part in before.partitions if part not in kept}


@trying.examples(150, derandomize=True)
@given(data=st.data(), size=disk_sizes, sector=sectors)
def test_one_change_leaves_all_others(data: st.DataObject, size: int, sector: int) -> None:
    disk = a_disk(size, sector)
    before = after(planned_or_not(data.draw(layouts()), disk), disk)
    part = data.draw(st.sampled_from(before.partitions))
    change = data.draw(st.sampled_from(["size", "without", "cache", "type"]))
    amount = data.draw(st.integers(1, size))
    try:
        plan = changed(before, part, change, amount)
    except PartitionError:
        assume(False)
        raise
    mentioned = {part.number} if change != "cache" else set()
    mentioned |= {one.number for one in before.partitions if one.type == types.CACHE}
    if part.type == types.EXTENDED or part.number > 4:  # logical ones may go or move up
        mentioned |= {one.number for one in before.partitions if one.number > 4}
    others = tuple(one for one in before.partitions if one.number not in mentioned)
    check_invariants(plan, before, kept=others)
    if change != "without":
        again = changed(after(plan, before), part, change, amount)
        assert again.nothing_to_change, again.changes


def changed(disk: Disk, part: Partition, change: str, amount: int) -> TablePlan:
    match change:
        case "size":
            return edit.with_size(disk, part.number, amount)
        case "without":
            return edit.without(disk, part.number)
        case "cache":
            return plan_cache(disk, amount)
    return edit.with_type(disk, part.number, "LINUX-SWAP")
