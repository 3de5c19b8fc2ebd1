# SPDX-License-Identifier: GPL-3.0-or-later
"""Partition tables written on sparse files and loop devices, judged by sfdisk and sgdisk."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from disk.disk.tables import (
    GIB,
    PRIMARY,
    UEFI,
    Rows,
    a_file,
    applied,
    dump,
    said,
)
from oglib.disk.loop import attached, partition_device
from oglib.disk.model import MIB
from oglib.disk.planning.layout import layout_from
from oglib.disk.planning.plan import plan_layout
from oglib.disk.planning.planned import TablePlan
from oglib.disk.probe import probe_target
from oglib.disk.writing.kernel import node_path
from oglib.disk.writing.table import apply_table
from oglib.errors import OgErr, OgError, PartitionError

GAPS: Rows = [
    {"type": "BIOS-BOOT", "size": "1MiB", "number": 2},
    {"type": "LINUX", "size": "10%", "number": 4},
    {"type": "CACHE", "size": "1GiB", "number": 9},
]
LOGICAL: Rows = [
    {"type": "NTFS", "size": "1GiB"},
    {
        "type": "EXTENDED",
        "size": "rest",
        "partitions": [
            {"type": "LINUX", "size": "1GiB"},
            {"type": "LINUX-SWAP", "size": "512MiB"},
            {"type": "LINUX", "size": "rest"},
        ],
    },
    {"type": "CACHE", "size": "1GiB", "number": 4},
]


@pytest.fixture(params=["file", "4096"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    image = a_file(tmp_path / "disk.img")
    if request.param == "file":
        yield image
        return
    with attached(image, sector_bytes=int(request.param)) as device:
        yield device


def test_a_gpt_for_uefi(target: Path) -> None:
    disk = applied(target, "gpt", UEFI)
    assert [(part.number, part.type) for part in disk.partitions] == [
        (1, "EFI"),
        (2, "LINUX"),
        (3, "LINUX-SWAP"),
    ]
    assert disk.partitions[1].name == "root of it"
    assert [row["type"] for row in dump(target)] == [
        "C12A7328-F81F-11D2-BA4B-00A0C93EC93B",
        "0FC63DAF-8483-4772-8E79-3D69D8477DE4",
        "0657FD6D-A4AB-43C4-84E5-0933C84B4F4F",
    ]


def test_numbers_with_gaps(target: Path) -> None:
    disk = applied(target, "gpt", GAPS)
    assert [(part.number, part.type) for part in disk.partitions] == [
        (2, "BIOS-BOOT"),
        (4, "LINUX"),
        (9, "CACHE"),
    ]


def test_an_msdos_table_with_logical_partitions(target: Path) -> None:
    disk = applied(target, "msdos", LOGICAL)
    assert [(part.number, part.type) for part in disk.partitions] == [
        (1, "NTFS"),
        (2, "EXTENDED"),
        (4, "CACHE"),
        (5, "LINUX"),
        (6, "LINUX-SWAP"),
        (7, "LINUX"),
    ]
    assert [row["type"] for row in dump(target) if row["type"] not in ("5", "f")] == [
        "7",
        "ca",
        "83",
        "82",
        "83",
    ]


def test_the_linux_partition_of_an_msdos_table_is_active(target: Path) -> None:
    disk = applied(target, "msdos", PRIMARY)
    assert [part.active for part in disk.partitions] == [True, False]
    moved: Rows = [PRIMARY[0], {**PRIMARY[1], "active": True}]
    disk = applied(target, "msdos", moved)
    assert [part.active for part in disk.partitions] == [False, True]


def test_from_one_table_to_another_and_back(target: Path) -> None:
    for table, partitions in (
        ("gpt", UEFI),
        ("msdos", LOGICAL),
        ("gpt", GAPS),
        ("msdos", PRIMARY),
        ("gpt", UEFI),
    ):
        applied(target, table, partitions)
        said_types = said("wipefs", "--noheadings", "--output", "TYPE", target).split()
        assert set(said_types) == ({"gpt", "PMBR"} if table == "gpt" else {"dos"})


def test_what_stays_keeps_its_identity_and_its_bytes(target: Path) -> None:
    before = applied(target, "gpt", UEFI)
    with target.open("r+b") as file:
        file.seek(before.partitions[2].start_bytes)
        file.write(b"precious" * 1000)
    smaller: Rows = [
        {"type": "LINUX", "size": "1GiB", "number": 1},
        {"type": "LINUX", "size": "rest", "number": 5},
        {"keep": True, "number": 3},
    ]
    after = applied(target, "gpt", smaller)
    kept = next(part for part in after.partitions if part.number == 3)
    assert kept.partuuid == before.partitions[2].partuuid
    assert kept.start_bytes == before.partitions[2].start_bytes
    with target.open("rb") as file:
        file.seek(kept.start_bytes)
        assert file.read(8000) == b"precious" * 1000


def test_the_partuuids_of_an_msdos_table_stay(target: Path) -> None:
    before = applied(target, "msdos", PRIMARY)
    after = applied(
        target, "msdos", [{"keep": True, "number": 1}, {"type": "CACHE", "size": "rest"}]
    )
    assert after.partitions[0].partuuid == before.partitions[0].partuuid


def test_a_new_partition_shows_no_old_filesystem(target: Path) -> None:
    disk = applied(target, "gpt", UEFI)
    with partition_device(disk, disk.partitions[1]) as device:
        said("mkfs.ext4", "-q", "-L", "old", device)
    assert probe_target(target).partitions[1].label == "old"
    shifted: Rows = [UEFI[0], {"type": "LINUX", "size": "2GiB"}]
    disk = applied(target, "gpt", shifted)
    assert disk.partitions[1].start_bytes == 257 * MIB
    assert (disk.partitions[1].filesystem, disk.partitions[1].label) == ("", "")


def test_a_filesystem_on_the_bare_disk_gives_way(target: Path) -> None:
    said("mkfs.ext4", "-q", "-F", "-L", "bare", target)
    assert probe_target(target).label == "bare"
    applied(target, "gpt", UEFI)
    assert said("wipefs", "--noheadings", "--output", "TYPE", target).split() == [
        "gpt",
        "gpt",
        "PMBR",
    ]


def plan_uefi(target: Path) -> TablePlan:
    return plan_layout(layout_from({"partitions": UEFI}), probe_target(target))


def test_a_disk_that_changed_since_it_was_planned_is_refused(target: Path) -> None:
    plan = plan_uefi(target)
    applied(target, "gpt", GAPS)
    with pytest.raises(PartitionError, match="not as it was when this was planned"):
        apply_table(plan)
    assert [part.number for part in probe_target(target).partitions] == [2, 4, 9]


def test_a_file_that_is_attached_is_refused(tmp_path: Path) -> None:
    image = tmp_path / "disk.img"
    image.touch()
    os.truncate(image, 1 * GIB)
    plan = plan_uefi(image)
    with attached(image), pytest.raises(PartitionError, match="in use") as caught:
        apply_table(plan)
    assert caught.value.code == OgErr.LOCKED


def test_a_mounted_disk_is_refused(tmp_path: Path) -> None:
    image = tmp_path / "disk.img"
    image.touch()
    os.truncate(image, 1 * GIB)
    with attached(image) as device:
        said("mkfs.ext4", "-q", device)
        plan = plan_uefi(device)
        point = tmp_path / "point"
        point.mkdir()
        said("mount", device, point)
        try:
            with pytest.raises(PartitionError, match=f"mounted on {point}") as caught:
                apply_table(plan)
        finally:
            said("umount", point)
        assert caught.value.code == OgErr.LOCKED
        assert "ext4" in said("wipefs", "--noheadings", "--output", "TYPE", device)


@pytest.mark.parametrize(
    ("disk", "node"),
    [
        ("/dev/sda", "/dev/sda3"),
        ("/dev/vda", "/dev/vda3"),
        ("/dev/nvme0n1", "/dev/nvme0n1p3"),
        ("/dev/mmcblk0", "/dev/mmcblk0p3"),
    ],
)
def test_the_kernels_names_of_partitions(disk: str, node: str) -> None:
    assert str(node_path(Path(disk), 3)) == node


@pytest.mark.parametrize(("table", "tib"), [("gpt", 15), ("msdos", 3)])
def test_a_large_disk(table: str, tib: int, tmp_path: Path) -> None:
    image = a_file(tmp_path / "disk.img", tib * 1024 * GIB)
    disk = applied(image, table, [*PRIMARY, {"type": "CACHE", "size": "50GiB"}])
    reach = disk.size_bytes if table == "gpt" else 2**32 * 512
    assert reach - 2 * MIB < disk.partitions[2].end_bytes <= reach


def test_a_disk_that_another_program_has_locked_is_not_waited_for_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = a_file(tmp_path / "disk.img")
    plan = plan_layout(layout_from({"table": "gpt", "partitions": UEFI}), probe_target(image))
    monkeypatch.setattr("oglib.kernel.claim.PATIENCE_S", 0.2)
    with image.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_SH)
        with pytest.raises(OgError, match=r"holds ") as caught:
            apply_table(plan)
    assert caught.value.code is OgErr.LOCKED
    assert len(apply_table(plan).partitions) == 3
