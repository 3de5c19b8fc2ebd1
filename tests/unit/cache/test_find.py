# SPDX-License-Identifier: GPL-3.0-or-later
"""Which partition is the cache: never a user's data partition by accident."""

from __future__ import annotations

from pathlib import Path

import pytest

from oglib.cache.find import find_cache, require_cache
from oglib.cache.partition import plan_creation, plan_deletion
from oglib.disk import types
from oglib.disk.model import MIB, Disk, Partition, TableKind
from oglib.errors import OgErr, OgError, PartitionError, UsageError

GUID = types.raw_id("LINUX", TableKind.GPT)
GIB = 1024 * MIB


def part(number: int, kind: str, filesystem: str = "", label: str = "") -> Partition:
    name = types.CACHE if kind == types.CACHE else ""
    return Partition(
        number=number,
        start_bytes=number * GIB,
        size_bytes=GIB,
        type=kind,
        type_id=types.raw_id(kind, TableKind.GPT),
        filesystem=filesystem,
        label=label,
        name=name,
    )


def disk(*partitions: Partition, number: int = 1) -> Disk:
    return Disk(
        number=number,
        path=Path(f"/dev/disk{number}"),
        size_bytes=16 * GIB,
        table=TableKind.GPT,
        partitions=partitions,
    )


def no_folders(_disk: Disk, _part: Partition) -> bool:
    return False


def folders(_disk: Disk, _part: Partition) -> bool:
    return True


def never(_disk: Disk, one: Partition) -> bool:
    raise AssertionError(f"{one} was looked into")


CACHE = part(4, "CACHE", "ext4", "CACHE")


@pytest.mark.parametrize(
    "one", [CACHE, part(4, "CACHE"), part(4, "CACHE", "ext3", "CACHE")], ids=str
)
def test_table_and_content_agree(one: Partition) -> None:
    found = find_cache([disk(part(1, "LINUX", "ext4"), one)], never)
    assert found is not None
    assert found.part == one


@pytest.mark.parametrize(
    "one",
    [
        part(4, "LINUX", "ext4", "CACHE"),
        part(4, "CACHE", "ext4", "home"),
        part(4, "CACHE", "ext4"),
    ],
    ids=str,
)
def test_where_only_one_of_them_says_so_the_folders_decide(one: Partition) -> None:
    assert find_cache([disk(one)], no_folders) is None
    found = find_cache([disk(one)], folders)
    assert found is not None
    assert found.part == one


@pytest.mark.parametrize(
    "one",
    [
        part(4, "CACHE", "ntfs", "CACHE"),
        part(4, "CACHE", "crypto_LUKS"),
        part(4, "WINDOWS", "ntfs", "CACHE"),
        part(4, "LINUX", "xfs", "CACHE"),
        part(4, "EFI", "ext4", "CACHE"),
        part(4, "LINUX", "ext4", "cache"),
        part(4, "LINUX"),
    ],
    ids=str,
)
def test_what_is_no_cache_is_not_even_mounted(one: Partition) -> None:
    assert find_cache([disk(one)], never) is None


def test_several_are_refused_by_name() -> None:
    with pytest.raises(OgError, match=r"/dev/disk1.*/dev/disk2") as caught:
        find_cache([disk(CACHE), disk(CACHE, number=2)], never)
    assert caught.value.code == OgErr.CACHE


def test_a_missing_cache_names_what_looks_like_one() -> None:
    with pytest.raises(OgError, match="holds ntfs") as caught:
        require_cache([disk(part(3, "CACHE", "ntfs", "data"))], never)
    assert caught.value.code == OgErr.NOTCACHE


def test_the_same_size_changes_nothing() -> None:
    there = disk(part(1, "LINUX", "ext4"), CACHE)
    assert plan_creation([there], there, GIB).nothing_to_change


def test_another_size_replaces_it_at_the_end() -> None:
    there = disk(part(1, "LINUX", "ext4"), CACHE)
    plan = plan_creation([there], there, 2 * GIB)
    made = plan.partitions[-1]
    assert (made.number, made.size_sectors * 512, made.fresh) == (4, 2 * GIB, True)
    assert made.end_sector * 512 == 16 * GIB - MIB
    assert [one.number for one in plan.partitions if not one.fresh] == [1]


def test_a_second_cache_is_refused() -> None:
    other = disk(part(1, "LINUX"), number=2)
    with pytest.raises(OgError, match="has a cache already") as caught:
        plan_creation([disk(CACHE), other], other, GIB)
    assert caught.value.code == OgErr.CACHE


def test_a_lookalike_is_never_replaced() -> None:
    there = disk(part(4, "CACHE", "ntfs", "data"))
    with pytest.raises(PartitionError, match="holds ntfs that is no cache"):
        plan_creation([there], there, GIB)


def test_the_least_size_is_25000_sectors() -> None:
    there = disk(part(1, "LINUX"))
    with pytest.raises(UsageError):
        plan_creation([there], there, 25_000 * 512 - 1)
    assert plan_creation([there], there, 25_000 * 512).partitions[-1].type == types.CACHE


def test_a_disk_without_a_table_gets_none() -> None:
    bare = Disk(1, Path("/dev/disk1"), 16 * GIB, TableKind.NONE)
    with pytest.raises(PartitionError, match="no partition table"):
        plan_creation([bare], bare, GIB)


def test_deleting_leaves_all_others() -> None:
    there = disk(part(1, "LINUX", "ext4"), CACHE)
    found = find_cache([there], never)
    assert found is not None
    plan = plan_deletion(found)
    assert (plan.removed, [one.number for one in plan.partitions]) == ((4,), [1])
    assert not plan.partitions[0].fresh


def test_one_known_by_its_folders_becomes_typed_and_can_be_deleted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    there = disk(part(1, "LINUX", "ext4"), part(4, "LINUX", "ext4", "CACHE"))
    found = find_cache([there], folders)
    assert found is not None
    monkeypatch.setattr("oglib.cache.partition.find_cache", lambda _disks: found)
    plan = plan_creation([there], there, GIB)
    (change,) = plan.changes
    assert change.startswith("change the type of partition 4: LINUX -> CACHE")
    with pytest.raises(PartitionError, match="og cache delete"):
        plan_creation([there], there, 2 * GIB)
    assert plan_deletion(found).removed == (4,)
