# SPDX-License-Identifier: GPL-3.0-or-later
"""Old commands that make, check and resize filesystems, judged by the filesystems' own tools."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from uuid import uuid4

import pytest

from disk.shim.images import device, mount_points, mounted, partitioned, release, said, tool
from oglib.disk.find import find_partition
from oglib.disk.lock import drop_lock, is_locked, take_lock
from oglib.disk.probing.virtual import probe_virtual
from oglib.errors import OgErr
from unit.shim.old import Old, Ran, answer, code_of

GPT = """label: gpt
1: size=40M, type=linux
2: size=16M, type=ebd0a0a2-b9e5-4433-87c0-68b6b72699c7
3: size=8M, type=linux
4: size=8M, type=8da63339-0007-60c0-c436-083ac8230908
"""
ON_ONE = ("ogCheckFs", "ogExtendFs", "ogReduceFs", "ogFormatFs", "ogUnsetDirtyBit")


@pytest.fixture(scope="module")
def formatted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = partitioned(tmp_path_factory.mktemp("fs") / "made.img", GPT, 80)
    with device(made, 1) as loop:
        tool("mkfs.ext4", "-q", "-F", "-b", "1024", loop, "20M")
    with device(made, 2) as loop:
        tool("mkfs.ntfs", "-q", "-F", "-Q", "-L", "OLD", loop)
    return made


def blkid(image: Path, number: int) -> dict[str, str]:
    with device(image, number) as loop:
        found = said("blkid", "-p", "-o", "export", loop)
    pairs = dict(line.split("=", 1) for line in found.splitlines())
    return {key: value for key, value in pairs.items() if key != "DEVNAME"}


def ext_kb(image: Path, number: int) -> int:
    """The size of an ext filesystem in KB, from its superblock; it must be sound."""
    with device(image, number) as loop:
        shown = tool("dumpe2fs", "-h", loop)
        tool("e2fsck", "-f", "-n", loop)
    count, size = (re.search(rf"{name}: +(\d+)", shown) for name in ("Block count", "Block size"))
    assert count
    assert size
    return int(count[1]) * int(size[1]) // 1024


@pytest.mark.proves("ogFormatFs", "ogFormat")
@pytest.mark.parametrize("name", ["ogFormatFs", "ogFormat"])
def test_a_fresh_filesystem(old: Old, image: Path, name: str) -> None:
    assert old(name, 1, 3, "EXT3", "data", disks=[image]) == Ran("", "", 0)
    assert (blkid(image, 3)["TYPE"], blkid(image, 3)["LABEL"]) == ("ext3", "data")
    assert ext_kb(image, 3) == 8192
    assert not list(Path("/var/lock").glob(f"*{image.name}*"))


@pytest.mark.proves("ogFormat")
def test_the_cache_by_its_name(old: Old, tmp_path: Path) -> None:
    disk = partitioned(tmp_path / f"{uuid4()}.img", "label: gpt\nsize=40M, name=CACHE\n")
    try:
        ran = old("ogFormat", "CACHE", disks=[disk], env={"OGCAC": str(tmp_path / "cache")})
        assert (ran.stdout, ran.status) == ("", 0), ran.stderr
        assert (blkid(disk, 1)["TYPE"], blkid(disk, 1)["LABEL"]) == ("ext4", "CACHE")
        assert (tmp_path / "cache/opt/opengnsys/images").is_dir()
    finally:
        release(disk)


def test_the_present_kind_or_what_is_usual_for_the_type(image: Path) -> None:
    assert blkid(image, 2)["LABEL"] == "OLD"
    answer("ogFormatFs", "1", "2")
    assert blkid(image, 2)["TYPE"] == "ntfs"
    assert "LABEL" not in blkid(image, 2)
    answer("ogFormatFs", "1", "3")
    assert blkid(image, 3)["TYPE"] == "ext4"
    assert code_of("ogFormatFs", "1", "4") is OgErr.FORMAT


@pytest.mark.refuses("ogFormatFs", "ogFormat")
def test_what_is_not_formatted(old: Old, image: Path, tmp_path: Path) -> None:
    before = blkid(image, 1)
    with mounted(image, 1, tmp_path / "here"):
        ran = old("ogFormatFs", 1, 1, "EXT4", disks=[image])
        assert (ran.stdout, ran.status) == ("", OgErr.DONTFORMAT)
    assert "is mounted" in ran.stderr
    for name in ("ogFormat", "ogFormatFs"):
        assert code_of(name, "1", "1", "EXT4", "CACHE") is OgErr.FORMAT
        assert code_of(name, "1", "1", "EXT4", "a label that is too long") is OgErr.FORMAT
        assert code_of(name, "1", "1", "NONSENSE") is OgErr.PARTITION
        assert code_of(name, "1", "9", "EXT4") is OgErr.NOTFOUND
        assert code_of(name, "1") is OgErr.FORMAT
    assert code_of("ogFormat", "NONSENSE") is OgErr.FORMAT
    assert blkid(image, 1) == before


def test_a_missing_tool_is_named(old: Old, image: Path, tmp_path: Path) -> None:
    here = tmp_path / "bin"
    here.mkdir()
    for name in ("blkid", "losetup", "lsblk", "sfdisk", "wipefs"):
        (here / name).symlink_to(str(shutil.which(name)))
    ran = old("ogFormatFs", 1, 3, "EXT4", disks=[image], env={"PATH": str(here)})
    assert (ran.stdout, ran.status) == ("", OgErr.NOTEXEC)
    assert "mkfs.ext4" in ran.stderr


@pytest.mark.refuses("ogCheckFs", "ogExtendFs", "ogReduceFs", "ogFormatFs", "ogUnsetDirtyBit")
def test_what_is_locked_is_refused_to_its_own_script_too(image: Path) -> None:
    disk = probe_virtual(image)
    part = find_partition(disk, 1)
    before = image.read_bytes()
    take_lock(disk, part, pid=os.getppid())
    try:
        assert {name: code_of(name, "1", "1") for name in ON_ONE} == dict.fromkeys(
            ON_ONE, OgErr.LOCKED
        )
        assert is_locked(disk, part)
    finally:
        drop_lock(disk, part)
    assert image.read_bytes() == before


@pytest.mark.refuses("ogCheckFs", "ogExtendFs", "ogReduceFs", "ogUnsetDirtyBit")
def test_without_a_filesystem_there_is_nothing_to_do(old: Old, image: Path) -> None:
    ran = old("ogCheckFs", 1, 3, disks=[image])
    assert (ran.stdout, ran.status) == ("", OgErr.PARTITION)
    assert "There is no filesystem" in ran.stderr
    for name in ("ogExtendFs", "ogReduceFs"):
        assert code_of(name, "1", "3") is OgErr.PARTITION
    for name in ("ogExtendFs", "ogReduceFs", "ogUnsetDirtyBit"):
        assert code_of(name, "1", "9") is OgErr.NOTFOUND
    assert answer("ogUnsetDirtyBit", "1", "3") is None


@pytest.mark.proves("ogCheckFs")
def test_a_repaired_filesystem_is_a_good_one(old: Old, image: Path) -> None:
    with device(image, 1) as loop:
        tool("debugfs", "-w", "-R", "mkdir lost", loop)
        tool("debugfs", "-w", "-R", "clri lost", loop)
        wrong = subprocess.run(["e2fsck", "-f", "-n", loop], capture_output=True, check=False)
        assert wrong.returncode
    answer("ogCheckFs", "1", "2")
    assert old("ogCheckFs", 1, 1, disks=[image]) == Ran("", "", 0)
    assert ext_kb(image, 1) == 20480


def test_a_mounted_filesystem_is_unmounted_to_be_checked(image: Path, tmp_path: Path) -> None:
    with mounted(image, 1, tmp_path / "here"):
        answer("ogCheckFs", "1", "1")
        assert mount_points(image) == []


@pytest.mark.refuses("ogCheckFs")
def test_a_filesystem_beyond_repair(image: Path) -> None:
    with device(image, 1) as loop:
        shown = tool("dumpe2fs", loop)
        # the descriptors of all groups, and every copy of the superblock from which to restore them
        with Path(loop).open("r+b") as file:
            file.seek(2048)
            file.write(b"\xff" * 4096)
            for at in re.findall(r"Backup superblock at (\d+)", shown):
                file.seek(int(at) * 1024)
                file.write(b"\xff" * 8192)
    with device(image, 1) as loop:
        status = subprocess.run(["e2fsck", "-f", "-y", loop], capture_output=True, check=False)
    if status.returncode in (0, 1, 2):
        pytest.fail("e2fsck repaired it after all: damage more")
    assert code_of("ogCheckFs", "1", "1") is OgErr.PARTITION


@pytest.mark.proves("ogExtendFs")
def test_a_filesystem_fills_its_partition(old: Old, image: Path) -> None:
    assert old("ogExtendFs", 1, 1, disks=[image]) == Ran("", "", 0)
    assert ext_kb(image, 1) == 40960
    answer("ogFormatFs", "1", "3", "FAT12")
    before = image.read_bytes()
    answer("ogExtendFs", "1", "3")
    assert image.read_bytes() == before


@pytest.mark.refuses("ogExtendFs", "ogReduceFs")
def test_swap_has_no_size_to_be_changed(image: Path) -> None:
    answer("ogFormatFs", "1", "3", "LINUX-SWAP")
    before = image.read_bytes()
    for name in ("ogExtendFs", "ogReduceFs"):
        assert code_of(name, "1", "3") is OgErr.PARTITION
    assert image.read_bytes() == before


@pytest.mark.proves("ogReduceFs")
def test_a_filesystem_as_small_as_it_can_be(old: Old, image: Path, tmp_path: Path) -> None:
    with mounted(image, 1, tmp_path / "here") as point:
        (point / "file").write_bytes(b"content" * 1000)
    ran = old("ogReduceFs", 1, 1, disks=[image])
    assert (ran.stderr, ran.status) == ("", 0)
    assert ext_kb(image, 1) < 20480
    with mounted(image, 1, tmp_path / "here", "ro") as point:
        size = tool("df", "-B1024", "--output=size", point).split()[1]
        assert ran.stdout == f"{size}\n"
        assert (point / "file").read_bytes() == b"content" * 1000


@pytest.mark.proves("ogUnsetDirtyBit")
def test_a_dirty_ntfs_is_made_clean(old: Old, image: Path) -> None:
    with device(image, 2) as loop:
        tool("ntfsfix", loop)
        assert "Volume Flags: 0x0001" in tool("ntfsinfo", "--force", "-m", loop)
    assert old("ogUnsetDirtyBit", 1, 2, disks=[image]) == Ran("", "", 0)
    with device(image, 2) as loop:
        assert "Volume Flags: 0x0000" in tool("ntfsinfo", "-m", loop)
    before = image.read_bytes()
    answer("ogUnsetDirtyBit", "1", "1")
    assert image.read_bytes() == before


@pytest.mark.refuses("ogUnsetDirtyBit")
def test_a_hibernated_windows_is_not_touched(old: Old, image: Path, tmp_path: Path) -> None:
    with mounted(image, 2, tmp_path / "windows") as point:
        (point / "hiberfil.sys").write_bytes(b"HIBR" + bytes(8192))
    before = image.read_bytes()
    ran = old("ogUnsetDirtyBit", 1, 2, disks=[image])
    assert (ran.stdout, ran.status) == ("", OgErr.PARTITION)
    assert "powercfg /h off" in ran.stderr
    assert image.read_bytes() == before
