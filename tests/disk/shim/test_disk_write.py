# SPDX-License-Identifier: GPL-3.0-or-later
"""Old commands that change one entry of a table, judged by sfdisk and sgdisk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from disk.shim.images import MIB, device, mount_points, partitioned, release, rows, tool
from oglib.disk.firmware import Firmware
from oglib.disk.loop import attached
from oglib.errors import OgErr
from oglib.shim import disk_write
from unit.shim.old import Old, Ran, answer_about, code_about

GPT = """label: gpt
1: size=8M, type=uefi
2: size=16M, type=ebd0a0a2-b9e5-4433-87c0-68b6b72699c7, name="Basic data"
3: size=20M, type=linux, name=CACHE
"""
MSDOS = """label: dos
1: size=10M, type=7, bootable
2: size=10M, type=83
3: size=30M, type=5
5: size=12M, type=83
"""
BASIC_DATA = "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7"
LINUX = "0FC63DAF-8483-4772-8E79-3D69D8477DE4"
RESERVED = "E3C9E316-0B5C-4DB8-817D-F92DF00215AE"


@pytest.fixture
def disks(tmp_path: Path) -> Iterator[list[Path]]:
    """One msdos, one gpt; both with something in the first sectors of every partition."""
    made = [
        partitioned(tmp_path / f"{uuid4()}.img", MSDOS),
        partitioned(tmp_path / f"{uuid4()}.img", GPT),
    ]
    for image in made:
        with image.open("r+b") as file:
            for row in rows(image).values():
                if row["type"] != "5":
                    file.seek(int(str(row["start"])) * 512)
                    file.write(b"content of a user " * 200)
    yield made
    for image in made:
        release(image)


def column(image: Path, name: str) -> dict[int, object]:
    return {number: row.get(name) for number, row in rows(image).items()}


def kept(image: Path) -> dict[int, bytes]:
    """The first bytes of each partition but an extended one."""
    with image.open("rb") as file:
        found = {}
        for number, row in rows(image).items():
            file.seek(int(str(row["start"])) * 512)
            found[number] = b"" if row["type"] == "5" else file.read(4096)
    return found


def sound(*disks: Path) -> None:
    for image in disks:
        tool("sfdisk", "--verify", image)
        assert "No problems found" in tool("sgdisk", "-v", image)


@pytest.mark.proves("ogSetPartitionType")
def test_types_by_name(old: Old, disks: list[Path]) -> None:
    content = kept(disks[0]), kept(disks[1])
    assert old("ogSetPartitionType", 1, 2, "NTFS", disks=disks[:1]) == Ran("", "", 0)
    assert column(disks[0], "type") == {1: "7", 2: "7", 3: "5", 5: "83"}
    answer_about(disks[0], "ogSetPartitionType", "5", "LINUX-SWAP")
    answer_about(disks[1], "ogSetPartitionType", "2", "EXT4")
    assert column(disks[0], "type") == {1: "7", 2: "7", 3: "5", 5: "82"}
    assert column(disks[0], "bootable") == {1: True, 2: None, 3: None, 5: None}
    assert column(disks[1], "type")[2] == LINUX
    assert column(disks[1], "name")[2] == "Basic data"
    assert (kept(disks[0]), kept(disks[1])) == content
    sound(disks[1])


@pytest.mark.proves("ogSetPartitionId")
def test_types_by_code(old: Old, disks: list[Path]) -> None:
    assert old("ogSetPartitionId", 1, 2, "c", disks=disks[:1]) == Ran("", "", 0)
    assert column(disks[0], "type")[2] == "c"
    answer_about(disks[1], "ogSetPartitionId", "2", "8304")
    assert "8304" in tool("sgdisk", "-p", disks[1])
    answer_about(disks[1], "ogSetPartitionId", "3", "0700")
    answer_about(disks[1], "ogSetPartitionId", "2", "CA00")
    assert column(disks[1], "type")[2] == LINUX
    assert column(disks[1], "name")[2] == "CACHE"
    assert column(disks[1], "type")[3] == BASIC_DATA
    sound(disks[1])


@pytest.mark.refuses("ogSetPartitionType", "ogSetPartitionId")
def test_types_that_are_refused(old: Old, disks: list[Path]) -> None:
    before = [image.read_bytes() for image in disks]
    ran = old("ogSetPartitionType", 1, 1, "NONSENSE", disks=disks[:1])
    assert (ran.stdout, ran.status) == ("", OgErr.FORMAT)
    assert code_about(disks[0], "ogSetPartitionType", "4", "NTFS") is OgErr.NOTFOUND
    assert code_about(disks[0], "ogSetPartitionId", "1", "xyz") is OgErr.OUTOFLIMIT
    assert code_about(disks[0], "ogSetPartitionId", "1", "0700") is OgErr.OUTOFLIMIT
    assert code_about(disks[1], "ogSetPartitionId", "1", "0001") is OgErr.PARTITION
    assert code_about(disks[1], "ogSetPartitionId", "1") is OgErr.FORMAT
    assert code_about(disks[0], "ogSetPartitionId", "1", "0") is OgErr.PARTITION
    assert [image.read_bytes() for image in disks] == before


@pytest.mark.proves("ogHidePartition", "ogUnhidePartition")
def test_hidden_and_shown_again(old: Old, disks: list[Path]) -> None:
    assert old("ogHidePartition", 1, 1, disks=disks[:1]) == Ran("", "", 0)
    assert column(disks[0], "type")[1] == "17"
    assert old("ogUnhidePartition", 1, 1, disks=disks[:1]) == Ran("", "", 0)
    assert column(disks[0], "type")[1] == "7"
    answer_about(disks[1], "ogHidePartition", "2")
    assert column(disks[1], "type")[2] == RESERVED
    answer_about(disks[1], "ogUnhidePartition", "2")
    assert column(disks[1], "type")[2] == BASIC_DATA


@pytest.mark.refuses("ogHidePartition", "ogUnhidePartition")
def test_what_cannot_be_hidden(old: Old, disks: list[Path]) -> None:
    ran = old("ogHidePartition", 1, 2, disks=disks[:1])
    assert (ran.stdout, ran.status) == ("", OgErr.PARTITION)
    assert code_about(disks[0], "ogUnhidePartition", "1") is OgErr.PARTITION
    assert code_about(disks[1], "ogHidePartition", "1") is OgErr.PARTITION


@pytest.mark.proves("ogSetPartitionActive")
def test_the_active_partition(old: Old, disks: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk_write, "running_firmware", lambda: Firmware.BIOS)
    answer_about(disks[0], "ogSetPartitionActive", "2")
    assert column(disks[0], "bootable") == {1: None, 2: True, 3: None, 5: None}
    if not Path("/sys/firmware/efi").exists():
        assert old("ogSetPartitionActive", 1, 1, disks=disks[:1]) == Ran("", "", 0)
        assert column(disks[0], "bootable") == {1: True, 2: None, 3: None, 5: None}


@pytest.mark.refuses("ogSetPartitionActive")
def test_no_active_partition(
    disks: list[Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(disk_write, "running_firmware", lambda: Firmware.BIOS)
    assert code_about(disks[1], "ogSetPartitionActive", "1") is OgErr.NOMSDOS
    assert code_about(disks[0], "ogSetPartitionActive", "4") is OgErr.NOTFOUND
    monkeypatch.setattr(disk_write, "running_firmware", lambda: Firmware.UEFI)
    before = disks[0].read_bytes()
    assert answer_about(disks[0], "ogSetPartitionActive", "2") is None
    assert "UEFI" in capsys.readouterr().err
    assert disks[0].read_bytes() == before


@pytest.mark.proves("ogSetPartitionSize")
def test_sizes(old: Old, disks: list[Path]) -> None:
    starts = column(disks[0], "start"), column(disks[1], "start")
    content = kept(disks[0]), kept(disks[1])
    assert old("ogSetPartitionSize", 1, 3, 30 * 1024, disks=disks[1:]) == Ran("", "", 0)
    assert column(disks[1], "size")[3] == 30 * MIB // 512
    answer_about(disks[0], "ogSetPartitionSize", "1", "4096")
    assert column(disks[0], "size")[1] == 4096 * 2
    assert (column(disks[0], "start"), column(disks[1], "start")) == starts
    assert (kept(disks[0]), kept(disks[1])) == content
    sound(disks[1])


@pytest.mark.refuses("ogSetPartitionSize")
def test_sizes_that_are_refused(old: Old, disks: list[Path]) -> None:
    before = [image.read_bytes() for image in disks]
    ran = old("ogSetPartitionSize", 1, 1, 20 * 1024, disks=disks[1:])
    assert (ran.stdout, ran.status) == ("", OgErr.PARTITION)
    assert code_about(disks[1], "ogSetPartitionSize", "3", str(99 * 1024)) is OgErr.PARTITION
    assert code_about(disks[1], "ogSetPartitionSize", "3", "0") is OgErr.FORMAT
    assert code_about(disks[1], "ogSetPartitionSize", "9", "1024") is OgErr.NOTFOUND
    assert [image.read_bytes() for image in disks] == before


def test_the_mounted_cache_comes_back_after_a_change(disks: list[Path]) -> None:
    with device(disks[1], 3) as loop:
        tool("mkfs.ext4", "-q", "-F", loop)
    point = Path(str(answer_about(disks[1], "ogMountFs", "3")))
    (point / "image").write_text("kept")
    answer_about(disks[1], "ogSetPartitionType", "2", "LINUX")
    assert column(disks[1], "type")[2] == LINUX
    assert mount_points(disks[1]) == [str(point)]
    assert (point / "image").read_text() == "kept"
    assert not os.statvfs(point).f_flag & os.ST_RDONLY


def test_a_mount_in_use_refuses_the_change(
    disks: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("oglib.filesystem.mount._UNMOUNT_PAUSE_S", 0)
    with device(disks[1], 3) as loop:
        tool("mkfs.ext4", "-q", "-F", loop)
    point = Path(str(answer_about(disks[1], "ogMountFs", "3")))
    with (point / "image").open("w"):
        assert code_about(disks[1], "ogSetPartitionType", "2", "LINUX") is OgErr.LOCKED
    assert mount_points(disks[1]) == [str(point)]
    assert column(disks[1], "type")[2] == BASIC_DATA


def test_sectors_of_4096_bytes(tmp_path: Path) -> None:
    image = partitioned(tmp_path / "4k.img", "")
    with attached(image, sector_bytes=4096) as loop:
        tool("sfdisk", "-q", "--no-tell-kernel", loop, stdin=GPT)
        answer_about(loop, "ogSetPartitionType", "2", "LINUX")
        answer_about(loop, "ogSetPartitionSize", "3", str(24 * 1024))
        found = rows(loop)
        assert (found[2]["type"], found[3]["size"]) == (LINUX, 24 * MIB // 4096)
        sound(loop)
