# SPDX-License-Identifier: GPL-3.0-or-later
"""Old commands that ask about filesystems, judged by df, blkid and mount themselves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from disk.shim.images import device, mounted, partitioned, release, tool
from oglib.errors import NotFoundError, OgErr, UsageError
from unit.shim.old import Old, Ran, answer

GPT = """label: gpt
1: size=40M, type=linux
2: size=16M, type=ebd0a0a2-b9e5-4433-87c0-68b6b72699c7
3: size=40M, type=uefi
4: size=16M, type=swap
5: size=16M, type=linux
6: size=24M, type=linux, name=CACHE
7: size=16M, type=linux
"""
MAKE = {
    1: ("mkfs.ext4", "-q", "-F"),
    2: ("mkfs.ntfs", "-q", "-F", "-Q"),
    3: ("mkfs.vfat", "-F", "32"),
    4: ("mkswap", "-q"),
    6: ("mkfs.ext4", "-q", "-F", "-L", "CACHE"),
    7: ("mkfs.ext4", "-q", "-F", "-L", "CACHE"),
}


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    made = partitioned(tmp_path_factory.mktemp("fs") / f"{uuid4()}.img", GPT, 200)
    for number, argv in MAKE.items():
        with device(made, number) as loop:
            tool(*argv, loop)
    yield made
    release(made)


@pytest.fixture(autouse=True)
def here(image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OG_DISKS", str(image))


def df(point: Path) -> list[int]:
    """Size and used as df tells them, and what is free for root; in KB."""
    said = tool("df", "-B1024", "--output=size,used", point)
    free, block = tool("stat", "-f", "-c", "%f %S", point).split()
    return [*(int(word) for word in said.splitlines()[1].split()), int(free) * int(block) // 1024]


@pytest.mark.proves("ogGetFsType")
def test_kinds_of_filesystems(old: Old, image: Path) -> None:
    assert old("ogGetFsType", 1, 1, disks=[image]) == Ran("EXT4\n", "", 0)
    kinds = [answer("ogGetFsType", "1", number) for number in "2345"]
    assert kinds == ["NTFS", "FAT32", "LINUX-SWAP", False]


def test_only_the_partition_of_the_cache_holds_the_cache() -> None:
    assert answer("ogGetFsType", "1", "6") == "CACHE"
    assert answer("ogGetFsType", "1", "7") == "EXT4"


@pytest.mark.refuses("ogGetFsType", "ogGetFsSize", "ogGetFreeSize", "ogGetMountPoint")
def test_partitions_that_are_not_there(old: Old, image: Path) -> None:
    ran = old("ogGetFsType", 1, 9, disks=[image])
    assert (ran.stdout, ran.status) == ("", OgErr.NOTFOUND)
    for name in ("ogGetFsSize", "ogGetFreeSize", "ogGetMountPoint"):
        with pytest.raises(NotFoundError):
            answer(name, "1", "9")
        with pytest.raises(UsageError):
            answer(name, "1")
    for name in ("ogGetFsSize", "ogGetFreeSize"):
        with pytest.raises(UsageError, match="not a unit"):
            answer(name, "1", "1", "PB")


@pytest.mark.proves("ogGetFsSize", "ogGetFreeSize")
def test_sizes_are_those_of_df(old: Old, image: Path, tmp_path: Path) -> None:
    with mounted(image, 1, tmp_path / "here", "ro") as point:
        size, used, free = df(point)
    assert old("ogGetFsSize", 1, 1, disks=[image]) == Ran(f"{size}\n", "", 0)
    assert old("ogGetFreeSize", 1, 1, disks=[image]) == Ran(f"{free}\n", "", 0)
    assert answer("ogGetFsSize", "1", "1", "KB") == str(size)
    assert answer("ogGetFsSize", "1", "1", "MB") == str(size // 1024)
    assert answer("ogGetFreeSize", "1", "1", "kB") == str(free)
    both = f"{size // 1024}:{used // 1024}:{free // 1024}"
    assert answer("ogGetFreeSize", "1", "1", "MB") == both
    assert answer("ogGetFreeSize", "1", "1", "GB") == "0:0:0"


def test_what_cannot_be_mounted_has_size_0_and_says_so(old: Old, image: Path) -> None:
    ran = old("ogGetFsSize", 1, 4, disks=[image])
    assert (ran.stdout, ran.status) == ("0\n", 0)
    assert ran.stderr.startswith("warning: ")
    assert old("ogGetFreeSize", 1, 4, disks=[image]).status == OgErr.PARTITION


@pytest.mark.proves("ogGetMountPoint", "ogIsMounted", "ogIsWritable")
def test_a_partition_mounted_for_writing(old: Old, image: Path, tmp_path: Path) -> None:
    with mounted(image, 1, tmp_path / "a b", "rw") as point:
        assert old("ogGetMountPoint", 1, 1, disks=[image]) == Ran(f"{point}\n", "", 0)
        assert old("ogIsMounted", 1, 1, disks=[image]) == Ran("", "", 0)
        assert old("ogIsWritable", 1, 1, disks=[image]) == Ran("", "", 0)
        assert answer("ogIsReadonly", "1", "1") is False
    assert old("ogGetMountPoint", 1, 1, disks=[image]) == Ran("", "", 1)


@pytest.mark.proves("ogIsReadonly")
def test_a_partition_mounted_read_only(old: Old, image: Path, tmp_path: Path) -> None:
    with mounted(image, 1, tmp_path / "here", "ro"):
        assert old("ogIsReadonly", 1, 1, disks=[image]) == Ran("", "", 0)
        assert answer("ogIsWritable", "1", "1") is False
        assert answer("ogIsMounted", "1", "1") is True


@pytest.mark.refuses("ogIsMounted", "ogIsReadonly", "ogIsWritable")
def test_a_partition_that_is_not_mounted(old: Old, image: Path) -> None:
    for name in ("ogIsMounted", "ogIsReadonly", "ogIsWritable"):
        assert old(name, 1, 1, disks=[image]) == Ran("", "", 1)
        assert old(name, 1, 9, disks=[image]).status == 1


@pytest.mark.proves("ogIsFormated")
def test_a_partition_with_a_filesystem(old: Old, image: Path) -> None:
    assert old("ogIsFormated", 1, 2, disks=[image]) == Ran("", "", 0)


@pytest.mark.refuses("ogIsFormated")
def test_a_partition_without_a_filesystem(old: Old, image: Path) -> None:
    for number in (5, 4):  # nothing, and swap
        assert old("ogIsFormated", 1, number, disks=[image]) == Ran("", "", 1)
    assert old("ogIsFormated", 4, 5, disks=[image]).status == 1
