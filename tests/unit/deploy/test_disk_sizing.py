# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the partitions of an imaged disk come to lie on another one."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oglib.deploy.whole_disk.fixed import can_grow, fixed_as
from oglib.deploy.whole_disk.sizing import ImagedDisk, SizedDisk, sized_for
from oglib.disk.model import MIB, Disk, Partition, TableKind
from oglib.errors import OgErr, PartitionError
from oglib.image.format.disk_manifest import Content, DiskPart

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


def sized(
    parts: tuple[DiskPart, ...],
    target: Disk,
    *,
    grow: bool = True,
    sector_bytes: int = 512,
    size_known: bool = True,
) -> SizedDisk:
    table = TableKind.MSDOS if len(parts[0].type_id) == 2 else TableKind.GPT
    imaged = ImagedDisk(table, LINUX, SIZE, sector_bytes, parts, size_known=size_known)
    return sized_for(imaged, target, grow=grow)


def places(found: SizedDisk) -> dict[int, tuple[int, int]]:
    return {p.number: (p.start_bytes // MIB, p.size_bytes // MIB) for p in found.parts}


def test_a_disk_of_the_same_size_gets_the_same_table() -> None:
    assert sized(GPT, disk(SIZE)).parts == GPT


def test_the_last_filesystem_that_can_grow_fills_a_larger_disk() -> None:
    assert places(sized(GPT, disk(2 * SIZE))) == {1: (1, 100), 2: (101, 1846), 3: (1947, 100)}
    assert places(sized(MSDOS, disk(2 * SIZE)))[6] == (503, 1446)
    assert places(sized(MSDOS, disk(2 * SIZE)))[2] == (401, 1646)


def test_a_primary_before_the_extended_one_moves_it_as_a_whole() -> None:
    found = places(sized(MSDOS[:3], disk(2 * SIZE)))
    assert found == {1: (1, 1446), 2: (1447, 600), 5: (1448, 100)}


def test_nothing_moves_that_a_boot_loader_looks_for() -> None:
    behind = part(4, 1001, 20, Content.IMAGE, filesystem="exfat")
    assert sized((*GPT, behind), disk(2 * SIZE)).parts == (*GPT, behind)
    boot = part(4, 1001, 1, Content.GAP)
    assert sized((*GPT, boot), disk(2 * SIZE)).parts == (*GPT, boot)
    assert sized(GPT, disk(2 * SIZE), grow=False).parts == GPT


def test_a_smaller_disk_takes_what_the_image_does_not_need() -> None:
    roomy = (GPT[0], replace(ROOT, required_bytes=500 * MIB), GPT[2])
    assert places(sized(roomy, disk(800 * MIB))) == {1: (1, 100), 2: (101, 598), 3: (699, 100)}
    with pytest.raises(PartitionError) as raised:
        sized(roomy, disk(700 * MIB))
    assert raised.value.code is OgErr.IMGSIZEPARTITION
    with pytest.raises(PartitionError, match=r"needs 800\.0 MiB"):
        sized(GPT, disk(1000 * MIB))


def test_a_few_sectors_less_do_not_matter_where_nothing_lies() -> None:
    assert sized(GPT, disk(1002 * MIB)).parts == GPT


def test_other_sectors_are_refused() -> None:
    with pytest.raises(PartitionError, match="sectors of 4096"):
        sized(GPT, disk(SIZE, 4096))


def test_the_plan_takes_over_what_the_disk_was_known_by() -> None:
    plan = sized(GPT, disk(SIZE)).plan
    assert plan.new_table
    assert plan.identity is not None
    assert plan.identity.marks[2].guid == LINUX
    assert plan.changes[0] == "write a new gpt table (there was none)"


def test_what_lies_there_already_is_not_wiped_so_that_a_cut_restore_goes_on() -> None:
    there = tuple(Partition(p.number, p.start_bytes, p.size_bytes, "LINUX", LINUX) for p in GPT[:2])
    same = disk(SIZE, table=TableKind.GPT, partitions=there)
    assert [p.fresh for p in sized(GPT, same).plan.partitions] == [False, False, True]
    damaged = replace(same, damage=("The primary GPT is missing.",))
    assert all(p.fresh for p in sized(GPT, damaged).plan.partitions)


def test_a_disk_that_is_no_larger_gets_the_same_table() -> None:
    """Free space behind the last partition is left as it was, and what only just fits, fits."""
    short = (GPT[0], replace(ROOT, size_bytes=300 * MIB), part(3, 401, 100, Content.SWAP))
    for size in (SIZE, SIZE - 512, 600 * MIB):
        assert sized(short, disk(size)).parts == short
    assert places(sized(short, disk(SIZE + 8 * MIB)))[2] == (101, 830)


def test_a_disk_with_this_very_table_is_the_imaged_one_where_its_size_is_not_told() -> None:
    there = tuple(Partition(p.number, p.start_bytes, p.size_bytes, "LINUX", LINUX) for p in GPT)
    same = disk(2 * SIZE, table=TableKind.GPT, partitions=there)
    assert sized(GPT, same, size_known=False).parts == GPT
    assert places(sized(GPT, same))[2] == (101, 1846)
    other = replace(same, partitions=there[:2])
    assert places(sized(GPT, other, size_known=False))[2] == (101, 1846)


WINDOWS_TYPE = "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7"
RECOVERY = "de94bba4-06d1-4d40-a16a-bfd50179d6ac"
MSR = "e3c9e316-0b5c-4db8-817d-f92df00215ae"
NTFS: dict[str, object] = {"filesystem": "ntfs", "type_id": WINDOWS_TYPE}
WINDOWS = (
    part(1, 1, 100, Content.IMAGE, type_id=ESP, filesystem="fat32"),
    part(2, 101, 16, Content.EMPTY, type_id=MSR),
    part(3, 117, 400, Content.IMAGE, **NTFS),
    part(4, 517, 300, Content.IMAGE, **(NTFS | {"type_id": RECOVERY, "attributes": 1 << 63 | 1})),
)


def test_windows_grows_and_its_recovery_moves_along() -> None:
    found = sized(WINDOWS, disk(2 * SIZE))
    assert places(found) == {1: (1, 100), 2: (101, 16), 3: (117, 1630), 4: (1747, 300)}
    assert [text for text in found.plan.changes if "reagentc" in text]
    roomy = (*WINDOWS[:2], replace(WINDOWS[2], required_bytes=50 * MIB), WINDOWS[3])
    assert places(sized(roomy, disk(700 * MIB))) == {
        1: (1, 100), 2: (101, 16), 3: (117, 282), 4: (399, 300),
    }  # fmt: skip


@pytest.mark.parametrize(
    "fields",
    [
        {"type_id": RECOVERY},
        {"name": "WinRE tools"},
        {"label": "Recovery"},
        {"attributes": 1 << 0},
        {"attributes": 1 << 62},
        {"name": "DIAGS"},
        {"type_id": ESP},
        {"type_id": "bc13c2ff-59e6-4262-a352-b275fd6f7172"},
    ],
)
def test_what_is_fixed_never_grows(fields: dict[str, object]) -> None:
    fixed = part(4, 517, 300, Content.IMAGE, **(NTFS | fields))
    for parts in ((*WINDOWS[:2], fixed), (*WINDOWS[:3], fixed)):
        found = sized(parts, disk(2 * SIZE))
        assert next(one.size_bytes for one in found.parts if one.number == 4) == 300 * MIB
        moved = next(one.start_bytes for one in found.parts if one.number == 4) != 517 * MIB
        assert moved or [text for text in found.plan.changes if "at the end unused" in text]


@pytest.mark.parametrize("type_id", ["27", "17", "12", "ef", "82", "de"])
def test_on_an_msdos_table_recovery_is_found_by_its_place(type_id: str) -> None:
    parts = (
        part(1, 1, 400, Content.IMAGE, filesystem="ntfs", type_id="07"),
        part(2, 401, 300, Content.IMAGE, filesystem="ntfs", type_id=type_id),
    )
    found = sized(parts, disk(2 * SIZE))
    assert (places(found)[2] != (401, 300)) is (type_id == "82")
    assert places(found)[2][1] == 300


def test_what_the_image_does_not_hold_stays_or_is_said_to_be_lost() -> None:
    parts = (GPT[0], ROOT, part(3, 901, 100, Content.LEFT_OUT))
    there = tuple(Partition(p.number, p.start_bytes, p.size_bytes, "LINUX", LINUX) for p in parts)
    same = disk(2 * SIZE, table=TableKind.GPT, partitions=there)
    found = sized(parts, same)
    assert found.parts == parts
    assert [(p.fresh, p.kept) for p in found.plan.partitions] == [(False, False)] * 2 + [
        (False, True)
    ]
    assert any(text.startswith("keep partition 3") for text in found.plan.changes)
    assert any("partition 3 (its content is not in the image)" in one for one in found.plan.changes)
    moved = replace(same, partitions=(*there[:2], replace(there[2], size_bytes=50 * MIB)))
    for target, lost in ((moved, True), (disk(SIZE), False)):
        plan = sized(parts, target).plan
        assert (plan.partitions[2].fresh, plan.partitions[2].kept) == (True, False)
        said = next(text for text in plan.changes if text.startswith("create partition 3"))
        assert "its content is not in the image" in said
        assert ("that of partition 3 here is lost" in said) is lost
    damaged = replace(same, damage=("The primary GPT is missing.",))
    assert not sized(parts, damaged).plan.partitions[2].kept
    with pytest.raises(PartitionError, match="its content is not in the image"):
        sized(parts, disk(950 * MIB))


CONTENTS: tuple[dict[str, object], ...] = (
    {"content": Content.IMAGE},
    {"content": Content.IMAGE, "filesystem": "ntfs", "type_id": WINDOWS_TYPE},
    {"content": Content.IMAGE, "filesystem": "exfat"},
    {"content": Content.IMAGE, "filesystem": "fat32", "type_id": ESP},
    {"content": Content.IMAGE, "filesystem": "ntfs", "type_id": RECOVERY},
    {"content": Content.IMAGE, "filesystem": "ntfs", "name": "Recovery"},
    {"content": Content.SWAP, "type_id": SWAP},
    {"content": Content.EMPTY, "type_id": MSR},
    {"content": Content.GAP, "type_id": "21686148-6449-6e6f-744e-656564454649"},
    {"content": Content.LEFT_OUT},
)


@st.composite
def disks_of_images(draw: st.DrawFn) -> tuple[DiskPart, ...]:
    """Partitions behind each other, with and without holes, in any order of numbers."""
    rows = draw(st.lists(st.sampled_from(CONTENTS), min_size=1, max_size=6))
    numbers = draw(st.permutations(range(1, len(rows) + 1)))
    parts, at = [], 1
    for number, row in zip(numbers, rows, strict=True):
        at += draw(st.sampled_from((0, 0, 3)))
        size = draw(st.integers(min_value=1, max_value=150))
        needed = draw(st.integers(min_value=1, max_value=size)) * MIB
        more = {"required_bytes": needed} if row["content"] is Content.IMAGE else {}
        fields = {key: value for key, value in row.items() if key != "content"}
        content = Content(str(row["content"]))
        parts.append(part(number, at, size, content, **fields, **more))
        at += size
    return tuple(sorted(parts, key=lambda one: one.number))


@given(
    disks_of_images(),
    st.integers(min_value=4, max_value=2100),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
def test_whatever_the_image_and_the_disk(
    parts: tuple[DiskPart, ...], size_mib: int, grow: bool, size_known: bool, same_there: bool
) -> None:
    """Sound or refused; fixed things keep their size; nothing is lost or moved without a word."""
    there = tuple(Partition(p.number, p.start_bytes, p.size_bytes, "LINUX", LINUX) for p in parts)
    target = disk(size_mib * MIB)
    if same_there:
        target = replace(target, table=TableKind.GPT, partitions=there)
    imaged = ImagedDisk(
        TableKind.GPT, LINUX, SIZE, 512, parts, size_known=size_known, notes=("a note",)
    )
    try:
        found = sized_for(imaged, target, grow=grow)
    except PartitionError:
        assert size_mib * MIB < max(one.end_bytes for one in parts) + 3 * MIB
        return
    changes = found.plan.changes
    by_place = sorted(found.parts, key=lambda one: one.start_bytes)
    assert all(one.end_bytes <= two.start_bytes for one, two in pairwise(by_place))
    assert by_place[-1].end_bytes <= target.size_bytes - 33 * 512
    assert "a note" in changes
    resized = []
    for old, new, planned in zip(parts, found.parts, found.plan.partitions, strict=True):
        assert replace(new, start_bytes=old.start_bytes, size_bytes=old.size_bytes) == old
        assert any(f"partition {new.number}: " in text for text in changes)
        if new.size_bytes != old.size_bytes:
            resized.append(new)
            assert not fixed_as(new, TableKind.GPT)
            assert can_grow(new)
            assert new.size_bytes >= new.required_bytes
        if new.start_bytes != old.start_bytes:
            assert (
                new.content in {Content.SWAP, Content.EMPTY}
                or new.type_id == RECOVERY
                or (new.name == "Recovery")
            )
        if new.content is Content.LEFT_OUT:
            assert (new.start_bytes, new.size_bytes) == (old.start_bytes, old.size_bytes)
            assert planned.kept is same_there is not planned.fresh
            assert any(
                text.startswith(
                    f"keep partition {new.number}:" if same_there else "create partition"
                )
                and "image" in text
                for text in changes
            )
    assert len(resized) <= 1
    if size_mib * MIB <= SIZE and all(
        one.end_bytes <= target.size_bytes - 33 * 512 for one in parts
    ):
        assert found.parts == parts
    sizes = {one.number: one.size_bytes for one in parts}
    assert grow or all(one.size_bytes < sizes[one.number] for one in resized)
