# SPDX-License-Identifier: GPL-3.0-or-later
"""What stays keeps every byte: other layouts, other kinds of table, single changes, damage."""

from __future__ import annotations

import os
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from disk.disk.tables import (
    PRIMARY,
    UEFI,
    Rows,
    a_file,
    applied,
    changed,
    digest,
    dump,
    fill,
    judge,
    said,
    write_at,
)
from oglib.disk.loop import attached
from oglib.disk.model import MIB, Disk, Partition, TableKind
from oglib.disk.planning import edit
from oglib.disk.planning.cache_partition import plan_cache
from oglib.disk.planning.layout import layout_from
from oglib.disk.planning.old_layouts import layout_from_old
from oglib.disk.planning.plan import plan_layout
from oglib.disk.probe import probe_target
from oglib.disk.tables import mbr
from oglib.disk.tables.damage import UNFINISHED
from oglib.disk.writing.table import apply_table, repair_table
from oglib.errors import PartitionError

SMALL: Rows = [
    {"type": "NTFS", "size": "20MiB"},
    {
        "type": "EXTENDED",
        "size": "120MiB",
        "partitions": [
            {"type": "LINUX", "size": "20MiB"},
            {"type": "LINUX", "size": "20MiB"},
            {"type": "LINUX-SWAP", "size": "20MiB"},
        ],
    },
    {"type": "CACHE", "size": "30MiB", "number": 4},
]
UEFI_SMALL: Rows = [{"type": "EFI", "size": "20MiB"}, {"type": "LINUX", "size": "rest"}]


@pytest.fixture(params=[512, 4096])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    image = a_file(tmp_path / "disk.img", 256 * MIB)
    if request.param == 512:
        yield image
        return
    with attached(image, sector_bytes=4096) as device:
        yield device


def filled(target: Path, disk: Disk) -> dict[int, str]:
    """The digest of each partition that has a content of its own, by where it begins."""
    return {
        part.start_bytes: fill(target, part) for part in disk.partitions if part.type != "EXTENDED"
    }


def check_content(target: Path, parts: list[Partition], before: dict[int, str]) -> None:
    for part in parts:
        assert digest(target, part) == before[part.start_bytes], part


def test_kept_partitions_and_the_cache_through_both_conversions(target: Path) -> None:
    content = filled(target, applied(target, "msdos", SMALL))
    rows: Rows = [{"keep": True, "number": 1}, {"keep": True, "number": 6}]
    gpt = apply_table(plan_layout(layout_from({"partitions": rows}), probe_target(target)))
    judge(target, gpt)
    assert [(part.number, part.type) for part in gpt.partitions] == [
        (1, "WINDOWS"),
        (4, "CACHE"),
        (6, "LINUX"),
    ]
    check_content(target, list(gpt.partitions), content)
    rows = [
        {"keep": True, "partuuid": gpt.partitions[0].partuuid},
        {"type": "EFI", "size": "8MiB"},
        {"keep": True, "partuuid": gpt.partitions[2].partuuid},
    ]
    msdos = apply_table(
        plan_layout(layout_from({"table": "msdos", "partitions": rows}), probe_target(target))
    )
    judge(target, msdos)
    assert [(part.number, part.type) for part in msdos.partitions] == [
        (1, "NTFS"),
        (2, "EFI"),
        (3, "LINUX"),
        (4, "CACHE"),
    ]
    check_content(target, [part for part in msdos.partitions if part.number != 2], content)
    assert said("wipefs", "--noheadings", "--output", "TYPE", target).split() == ["dos"]


def test_kept_logical_partitions_keep_every_byte(target: Path) -> None:
    content = filled(target, applied(target, "msdos", SMALL))
    rows: Rows = [
        {"type": "LINUX", "size": "10MiB"},
        {
            "type": "EXTENDED",
            "keep": True,
            "number": 2,
            "partitions": [
                {"keep": True, "number": 5},
                {"type": "NTFS", "size": "5MiB"},
                {"keep": True, "number": 7},
            ],
        },
    ]
    disk = apply_table(
        plan_layout(layout_from({"table": "msdos", "partitions": rows}), probe_target(target))
    )
    judge(target, disk)
    assert [(part.number, part.type) for part in disk.partitions] == [
        (1, "LINUX"),
        (2, "EXTENDED"),
        (4, "CACHE"),
        (5, "LINUX"),
        (6, "NTFS"),
        (7, "LINUX-SWAP"),
    ]
    check_content(target, [disk.partitions[at] for at in (2, 3, 5)], content)


def test_a_table_that_begins_at_sector_63_becomes_a_gpt_around_it(tmp_path: Path) -> None:
    target = a_file(tmp_path / "disk.img", 64 * MIB)
    script = "label: dos\nstart=63, size=40000, type=7\nstart=40163, size=40000, type=83\n"
    subprocess.run(
        ["sfdisk", "-q", "--no-tell-kernel", target], input=script, text=True, check=True
    )
    content = filled(target, probe_target(target))
    rows: Rows = [{"keep": True, "number": 1}, {"keep": True, "number": 2}]
    disk = apply_table(plan_layout(layout_from({"partitions": rows}), probe_target(target)))
    assert "No errors detected" in said("sfdisk", "--verify", target)
    check_content(target, list(disk.partitions), content)
    assert disk.damage == ()


def test_single_changes_leave_content_and_identity(target: Path) -> None:
    before = applied(
        target, "gpt", [{"type": "LINUX", "size": "20MiB"}, UEFI[0] | {"size": "9MiB"}]
    )
    content = filled(target, before)
    disk = changed(target, edit.with_type(before, 2, "WINDOWS"))
    assert dump(target)[1]["type"] == "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7"
    disk = changed(target, plan_cache(disk, 64 * MIB))
    assert [part.number for part in disk.partitions] == [1, 2, 4]
    assert disk.partitions[2].end_bytes > disk.size_bytes - 3 * MIB
    check_content(target, list(disk.partitions[:2]), content)
    disk = changed(target, edit.with_size(disk, 2, 12 * MIB))
    assert [part.partuuid for part in disk.partitions[:2]] == [
        part.partuuid for part in before.partitions
    ]
    assert disk.partitions[1].size_bytes == 12 * MIB
    check_content(
        target, [disk.partitions[0], replace(disk.partitions[1], size_bytes=9 * MIB)], content
    )
    disk = changed(target, edit.without(disk, 1))
    disk = changed(target, edit.without(disk, 4))
    assert [part.number for part in disk.partitions] == [2]
    disk = changed(target, edit.emptied(disk))
    assert (disk.table, disk.partitions) == (TableKind.GPT, ())


def test_single_changes_of_an_msdos_table(target: Path) -> None:
    disk = applied(target, "msdos", SMALL)
    content = filled(target, disk)
    disk = changed(target, edit.with_type(disk, 6, "17"))
    assert [row["type"] for row in dump(target)] == ["7", "5", "ca", "83", "17", "82"]
    disk = changed(target, edit.with_size(disk, 2, 121 * MIB))
    disk = changed(target, edit.with_active(disk, 4))
    assert [part.number for part in disk.partitions if part.active] == [4]
    disk = changed(target, edit.without(disk, 5))
    assert [(part.number, part.type) for part in disk.partitions] == [
        (1, "NTFS"),
        (2, "EXTENDED"),
        (4, "CACHE"),
        (5, "HNTFS"),
        (6, "LINUX-SWAP"),
    ]
    check_content(target, [part for part in disk.partitions if part.type != "EXTENDED"], content)
    disk = changed(target, edit.emptied(disk))
    assert (disk.table, disk.partitions) == (TableKind.MSDOS, ())
    disk = changed(target, edit.with_table(disk, TableKind.GPT))
    assert (disk.table, disk.partitions) == (TableKind.GPT, ())


def test_the_old_list(target: Path) -> None:
    words = ["NTFS:20480", "EXTENDED:61440", "EMPTY:0", "EMPTY:0", "LINUX:20480", "LINUX-SWAP:9000"]
    for _ in range(2):
        disk = probe_target(target)
        disk = changed(target, plan_layout(layout_from_old(words, disk), disk))
        assert [(part.number, part.type, part.size_bytes // 1024) for part in disk.partitions] == [
            (1, "NTFS", 20480),
            (2, "EXTENDED", 61440),
            (5, "LINUX", 20480),
            (6, "LINUX-SWAP", 9000),
        ]
    assert plan_layout(layout_from_old(words, disk), disk).nothing_to_change


def sector_of(disk: Disk) -> int:
    return disk.logical_sector_bytes


@pytest.mark.parametrize("copy", ["primary", "backup", "protective", "disagreeing"])
def test_a_damaged_gpt_is_refused_and_can_be_repaired(target: Path, copy: str) -> None:
    rows: Rows = [{"type": "LINUX", "size": "20MiB"}, {"type": "CACHE", "size": "20MiB"}]
    disk = applied(target, "gpt", rows)
    content = filled(target, disk)
    sector = sector_of(disk)
    match copy:
        case "primary":
            write_at(target, sector, bytes(sector))
        case "backup":
            write_at(target, -sector, bytes(sector))
        case "protective":
            write_at(target, 446, bytes(16))
        case "disagreeing":
            other = edit.with_type(disk, 1, "LINUX-RAID")
            tail = read_at(target, disk.size_bytes - 33 * 512, 33 * 512)
            apply_table(other)
            write_at(target, -33 * 512, tail)
    damaged = probe_target(target)
    assert damaged.damage, copy
    with pytest.raises(PartitionError, match="is damaged, so it is not edited"):
        plan_layout(layout_from({"partitions": rows}), damaged)
    with pytest.raises(PartitionError, match="is damaged"):
        plan_cache(damaged, 10 * MIB)
    repaired = repair_table(damaged)
    judge(target, repaired)
    places = [(part.number, part.start_bytes, part.partuuid) for part in repaired.partitions]
    assert places == [(part.number, part.start_bytes, part.partuuid) for part in disk.partitions]
    check_content(target, list(repaired.partitions), content)
    with pytest.raises(PartitionError, match="is not damaged"):
        repair_table(repaired)


def test_the_table_of_a_disk_that_grew_is_repaired(tmp_path: Path) -> None:
    target = a_file(tmp_path / "disk.img", 100 * MIB)
    disk = applied(target, "gpt", UEFI_SMALL)
    os.truncate(target, 300 * MIB)
    grown = probe_target(target)
    assert "the table comes from a smaller disk" in grown.damage[0]
    repaired = repair_table(grown)
    judge(target, repaired)
    assert repaired.partitions == disk.partitions
    # the room behind is there to be used
    judge(target, apply_table(plan_cache(repaired, 150 * MIB)))


def read_at(target: Path, offset: int, length: int) -> bytes:
    with target.open("rb") as file:
        file.seek(offset)
        return file.read(length)


def test_what_cannot_be_repaired_is_replaced_when_told(target: Path) -> None:
    disk = applied(target, "gpt", UEFI_SMALL)
    sector = sector_of(disk)
    write_at(target, sector, bytes(sector))
    write_at(target, -sector, bytes(sector))
    damaged = probe_target(target)
    with pytest.raises(PartitionError, match=r"cannot be repaired .no copy of a GPT is whole"):
        repair_table(damaged)
    layout = layout_from({"partitions": UEFI_SMALL})
    with pytest.raises(PartitionError, match="--replace-damaged"):
        plan_layout(layout, damaged)
    changed(target, plan_layout(layout, damaged, replace_damaged=True))


def test_an_msdos_table_with_a_broken_chain_is_refused(tmp_path: Path) -> None:
    target = a_file(tmp_path / "disk.img", 256 * MIB)
    disk = applied(target, "msdos", SMALL)
    extended = disk.partitions[1].start_bytes
    write_at(target, extended + 446 + 16 + 8, struct.pack("<I", 0x7FFFFFFF))
    damaged = probe_target(target)
    assert any("chain of logical partitions leads to" in line for line in damaged.damage)
    with pytest.raises(PartitionError, match="is damaged"):
        plan_layout(layout_from({"table": "msdos", "partitions": PRIMARY}), damaged)
    layout = layout_from({"table": "msdos", "partitions": UEFI_SMALL})
    changed(target, plan_layout(layout, damaged, replace_damaged=True))


@pytest.mark.parametrize("torn", ["primary", "backup"])
def test_an_interrupted_writing_is_finished_by_the_same_layout(target: Path, torn: str) -> None:
    rows: Rows = [{"type": "LINUX", "size": "20MiB"}, {"type": "CACHE", "size": "20MiB"}]
    disk = applied(target, "gpt", rows)
    content = filled(target, disk)
    sector = sector_of(disk)
    write_at(target, 0, mbr.marked(read_at(target, 0, sector)))
    write_at(target, sector if torn == "primary" else -sector, bytes(sector))
    cut = probe_target(target)
    assert cut.damage == (UNFINISHED,)
    plan = plan_layout(layout_from({"partitions": rows}), cut)
    assert plan.changes == ("finish the table whose writing was interrupted",)
    done = changed(target, plan)
    assert done.partitions == disk.partitions
    check_content(target, list(done.partitions), content)
