# SPDX-License-Identifier: GPL-3.0-or-later
"""Old commands that write whole tables, judged by sfdisk and sgdisk."""

from __future__ import annotations

from pathlib import Path

import pytest

from disk.shim.images import MIB, device, mount_points, partitioned, rows, said, tool
from oglib.disk.loop import attached
from oglib.errors import OgErr
from oglib.shim.command import command_of
from oglib.shim.filesystem_mount import COMMANDS as MOUNT
from unit.shim.old import Old, Ran, answer, code_of

WITH_CACHE = """label: gpt
1: size=8M, type=uefi
4: start=42M, size=20M, type=linux, name=CACHE
"""


@pytest.fixture(scope="module")
def formatted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return partitioned(tmp_path_factory.mktemp("blank") / "made.img", "")


def listed() -> object:
    return command_of("ogListPartitions").run(["1"])


def table_of(image: Path) -> str:
    return said("blkid", "-p", "-o", "value", "-s", "PTTYPE", image).strip()


@pytest.mark.proves("ogCreatePartitions")
def test_an_msdos_table_with_logical_partitions(old: Old, image: Path) -> None:
    asked = "NTFS:10240 EXTENDED:40960 EMPTY:0 EMPTY:0 LINUX:20480 LINUX-SWAP:4096"
    assert old("ogCreatePartitions", 1, *asked.split(), disks=[image]) == Ran("", "", 0)
    assert table_of(image) == "dos"
    found = rows(image)
    assert {number: row["type"] for number, row in found.items()} == {
        1: "7",
        2: "5",
        5: "83",
        6: "82",
    }
    assert found[1]["size"] == 10 * MIB // 512
    assert found[5]["size"] == 20 * MIB // 512
    assert all(int(str(found[number]["start"])) % 2048 == 0 for number in (1, 2, 5, 6))
    tool("sfdisk", "--verify", image)
    assert listed() == asked


@pytest.mark.proves("ogCreateGptPartitions")
def test_a_gpt(old: Old, image: Path) -> None:
    asked = "EFI:8192 WINDOWS:20480 EMPTY:0 LINUX:10240"
    assert old("ogCreateGptPartitions", 1, *asked.split(), disks=[image]) == Ran("", "", 0)
    assert "No problems found" in tool("sgdisk", "-v", image)
    assert [line.split()[5] for line in tool("sgdisk", "-p", image).splitlines()[-3:]] == [
        "EF00",
        "0700",
        "8300",
    ]
    assert listed() == asked


@pytest.mark.refuses("ogCreatePartitions", "ogCreateGptPartitions")
def test_layouts_that_are_refused(old: Old, image: Path) -> None:
    before = image.read_bytes()
    ran = old("ogCreatePartitions", 1, "CACHE:1024", disks=[image])
    assert (ran.stdout, ran.status) == ("", OgErr.PARTITION)
    for name in ("ogCreatePartitions", "ogCreateGptPartitions"):
        assert code_of(name, "1", "CACHE:1024") is OgErr.PARTITION
        assert code_of(name, "1", "NTFS:much") is OgErr.FORMAT
        assert code_of(name, "1", "LINUX:40960", "LINUX:40960") is OgErr.FORMAT
        assert code_of(name, "2", "LINUX:1024") is OgErr.NOTFOUND
        assert code_of(name, "1") is OgErr.FORMAT
    assert code_of("ogCreateGptPartitions", "1", "EXTENDED:1024") is OgErr.PARTITION
    assert image.read_bytes() == before


def test_the_cache_stays_and_is_mounted_again(old: Old, image: Path) -> None:
    tool("sfdisk", "-q", "--no-tell-kernel", image, stdin=WITH_CACHE)
    with device(image, 4) as loop:
        tool("mkfs.ext4", "-q", "-F", loop)
    with device(image, 1) as loop:
        tool("mkfs.ext4", "-q", "-F", loop)
    point = Path(str(MOUNT["ogMountFs"].run(["1", "4"])))
    (point / "image").write_text("kept")
    was = rows(image)[4]
    MOUNT["ogMountFs"].run(["1", "1"])
    ran = old("ogCreatePartitions", 1, "LINUX:16384", "LINUX:8192", disks=[image])
    assert ran == Ran("", "", 0)
    assert rows(image)[4] == was
    assert listed() == "LINUX:16384 LINUX:8192 EMPTY:0 CACHE:20480"
    assert mount_points(image) == [str(point)]
    assert (point / "image").read_text() == "kept"


def test_sectors_of_4096_bytes(image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with attached(image, sector_bytes=4096) as loop:
        monkeypatch.setenv("OG_DISKS", str(loop))
        for name, asked in (
            ("ogCreatePartitions", "NTFS:10240 EXTENDED:40960 EMPTY:0 EMPTY:0 LINUX:20480"),
            ("ogCreateGptPartitions", "EFI:8192 WINDOWS:20480 EMPTY:0 LINUX:10240"),
        ):
            answer(name, "1", *asked.split())
            tool("sfdisk", "--verify", loop)
            assert listed() == asked
        assert "No problems found" in tool("sgdisk", "-v", loop)


@pytest.mark.proves("ogCreatePartitionTable")
def test_empty_tables(old: Old, image: Path) -> None:
    assert old("ogCreatePartitionTable", 1, disks=[image]) == Ran("", "", 0)
    assert table_of(image) == "dos"
    tool("sfdisk", "-q", "--no-tell-kernel", image, stdin="label: dos\n1: size=8M, type=7\n")
    answer("ogCreatePartitionTable", "1", "MSDOS")
    assert rows(image)[1]["type"] == "7", "there is a sound one of that kind"
    answer("ogCreatePartitionTable", "1", "GPT")
    assert (table_of(image), rows(image)) == ("gpt", {})
    assert "No problems found" in tool("sgdisk", "-v", image)
    tool("sfdisk", "-q", "--no-tell-kernel", image, stdin=WITH_CACHE)
    answer("ogCreatePartitionTable", "1")
    assert sorted(rows(image)) == [1, 4]
    answer("ogCreatePartitionTable", "1", "msdos")
    assert (table_of(image), rows(image)) == ("dos", {})


@pytest.mark.refuses("ogCreatePartitionTable")
def test_tables_that_are_not_made(old: Old, image: Path) -> None:
    before = image.read_bytes()
    ran = old("ogCreatePartitionTable", 1, "LVM", disks=[image])
    assert (ran.stdout, ran.status) == ("", OgErr.FORMAT)
    assert code_of("ogCreatePartitionTable", "2") is OgErr.NOTFOUND
    assert image.read_bytes() == before


@pytest.mark.proves("ogDeletePartitionTable")
def test_tables_are_emptied(old: Old, image: Path) -> None:
    tool("sfdisk", "-q", "--no-tell-kernel", image, stdin=WITH_CACHE)
    assert old("ogDeletePartitionTable", 1, disks=[image]) == Ran("", "", 0)
    assert (table_of(image), rows(image)) == ("gpt", {})
    tool("sfdisk", "-q", "--no-tell-kernel", image, stdin="label: dos\n1: size=8M, type=7\n")
    answer("ogDeletePartitionTable", "1")
    assert (table_of(image), rows(image)) == ("dos", {})


@pytest.mark.refuses("ogDeletePartitionTable")
def test_no_table_to_empty(old: Old, image: Path) -> None:
    before = image.read_bytes()
    assert old("ogDeletePartitionTable", 1, disks=[image]) == Ran("", "", 0)
    assert image.read_bytes() == before
    assert code_of("ogDeletePartitionTable", "2") is OgErr.NOTFOUND


@pytest.mark.proves("ogUpdatePartitionTable")
def test_the_kernel_is_told(old: Old, image: Path) -> None:
    tool("sfdisk", "-q", "--no-tell-kernel", image, stdin=WITH_CACHE)
    with attached(image) as loop:
        node = Path("/sys/class/block", f"{loop.name}p4")
        assert not node.exists()
        assert old("ogUpdatePartitionTable", disks=[loop, image]) == Ran("", "", 0)
        try:
            assert (node / "size").read_text().strip() == str(rows(image)[4]["size"])
        finally:
            tool("partx", "--delete", loop)


@pytest.mark.refuses("ogUpdatePartitionTable")
def test_the_kernel_is_told_of_all_disks_only(old: Old, image: Path) -> None:
    """Words mean nothing to it; a disk that is not there is an error."""
    assert old("ogUpdatePartitionTable", 1, "x", disks=[image]) == Ran("", "", 0)
    ran = old("ogUpdatePartitionTable", 1, disks=[image.with_name("none.img")])
    assert ran.stdout == ""
    assert ran.status not in (0, OgErr.FORMAT)
