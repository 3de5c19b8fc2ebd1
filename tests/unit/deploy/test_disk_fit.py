# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the partitions of an imaged disk come to lie on another one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oglib.deploy.disk_fit import Fitted, Wanted, fit
from oglib.deploy.disk_restore import can_grow
from oglib.disk.model import MIB, Disk, Partition, TableKind
from oglib.errors import OgErr, PartitionError
from oglib.image.disk_image import Content, DiskPart

LINUX = "0fc63daf-8483-4772-8e79-3d69d8477de4"
ESP = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"
SWAP = "0657fd6d-a4ab-43c4-84e5-0933c84b4f4f"
SIZE = 1024 * MIB


def part(number: int, start: int, size: int, content: Content, **more: object) -> DiskPart:
    """Start and size in MiB; an image needs its whole partition unless it is said."""
    fields: dict[str, object] = {"type_id": LINUX, "partuuid": LINUX, "filesystem": "ext4"}
    if content is Content.IMAGE:
        fields |= {"required_bytes": size * MIB}
    return DiskPart(number, start * MIB, size * MIB, content=content, **(fields | more))  # type: ignore[arg-type]


ROOT = part(2, 101, 800, Content.IMAGE)
GPT = (
    part(1, 1, 100, Content.IMAGE, type_id=ESP, filesystem="fat32"),
    ROOT,
    part(3, 901, 100, Content.SWAP, type_id=SWAP, filesystem="swap"),
)
MSDOS = (
    part(1, 1, 400, Content.IMAGE, type_id="83"),
    part(2, 401, 600, Content.EXTENDED, type_id="05"),
    part(5, 402, 100, Content.SWAP, type_id="82"),
    part(6, 503, 400, Content.IMAGE, type_id="83"),
)


def disk(size_bytes: int, sector_bytes: int = 512, **more: object) -> Disk:
    made = Disk(1, Path("/dev/sdz"), size_bytes, TableKind.NONE, logical_sector_bytes=sector_bytes)
    return replace(made, **more)  # type: ignore[arg-type]


def fitted(
    parts: tuple[DiskPart, ...], target: Disk, *, grow: bool = True, sector_bytes: int = 512
) -> Fitted:
    table = TableKind.GPT if parts[0].type_id == ESP else TableKind.MSDOS
    return fit(Wanted(table, LINUX, SIZE, sector_bytes, parts), target, can_grow, grow=grow)


def places(found: Fitted) -> dict[int, tuple[int, int]]:
    return {p.number: (p.start_bytes // MIB, p.size_bytes // MIB) for p in found.parts}


def test_a_disk_of_the_same_size_gets_the_same_table() -> None:
    assert fitted(GPT, disk(SIZE)).parts == GPT


def test_the_last_filesystem_that_can_grow_fills_a_larger_disk() -> None:
    assert places(fitted(GPT, disk(2 * SIZE))) == {1: (1, 100), 2: (101, 1846), 3: (1947, 100)}
    assert places(fitted(MSDOS, disk(2 * SIZE)))[6] == (503, 1446)
    assert places(fitted(MSDOS, disk(2 * SIZE)))[2] == (401, 1646)


def test_a_primary_before_the_extended_one_moves_it_as_a_whole() -> None:
    found = places(fitted(MSDOS[:3], disk(2 * SIZE)))
    assert found == {1: (1, 1446), 2: (1447, 600), 5: (1448, 100)}


def test_nothing_moves_that_a_boot_loader_looks_for() -> None:
    behind = part(4, 1001, 20, Content.IMAGE, filesystem="exfat")
    assert fitted((*GPT, behind), disk(2 * SIZE)).parts == (*GPT, behind)
    boot = part(4, 1001, 1, Content.GAP)
    assert fitted((*GPT, boot), disk(2 * SIZE)).parts == (*GPT, boot)
    assert fitted(GPT, disk(2 * SIZE), grow=False).parts == GPT


def test_a_smaller_disk_takes_what_the_image_does_not_need() -> None:
    roomy = (GPT[0], replace(ROOT, required_bytes=500 * MIB), GPT[2])
    assert places(fitted(roomy, disk(800 * MIB))) == {1: (1, 100), 2: (101, 598), 3: (699, 100)}
    with pytest.raises(PartitionError) as raised:
        fitted(roomy, disk(700 * MIB))
    assert raised.value.code is OgErr.IMGSIZEPARTITION
    with pytest.raises(PartitionError, match=r"needs 800\.0 MiB"):
        fitted(GPT, disk(1000 * MIB))


def test_a_few_sectors_less_do_not_matter_where_nothing_lies() -> None:
    assert fitted(GPT, disk(1002 * MIB)).parts == GPT


def test_other_sectors_are_refused() -> None:
    with pytest.raises(PartitionError, match="sectors of 4096"):
        fitted(GPT, disk(SIZE, 4096))


def test_the_plan_takes_over_what_the_disk_was_known_by() -> None:
    plan = fitted(GPT, disk(SIZE)).plan
    assert plan.new_table
    assert plan.identity is not None
    assert plan.identity.marks[2].guid == LINUX
    assert plan.changes[0] == "write a new gpt table (there was none)"


def test_what_lies_there_already_is_not_wiped_so_that_a_cut_restore_goes_on() -> None:
    there = tuple(Partition(p.number, p.start_bytes, p.size_bytes, "LINUX", LINUX) for p in GPT[:2])
    same = disk(SIZE, table=TableKind.GPT, partitions=there)
    assert [p.fresh for p in fitted(GPT, same).plan.partitions] == [False, False, True]
    damaged = replace(same, damage=("The primary GPT is missing.",))
    assert all(p.fresh for p in fitted(GPT, damaged).plan.partitions)


@given(st.integers(min_value=600, max_value=4000), st.integers(min_value=1, max_value=800))
def test_a_fitted_table_is_sound_or_refused(size_mib: int, needed_mib: int) -> None:
    parts = (GPT[0], replace(ROOT, required_bytes=needed_mib * MIB), GPT[2])
    target = disk(size_mib * MIB)
    try:
        found = fitted(parts, target)
    except PartitionError as error:
        refused = error.code
        assert refused is OgErr.IMGSIZEPARTITION
        return
    ends = [0]
    for one in found.parts:
        assert one.start_bytes >= ends[-1]
        assert one.size_bytes >= one.required_bytes
        ends.append(one.end_bytes)
    assert ends[-1] <= target.size_bytes - 34 * 512
