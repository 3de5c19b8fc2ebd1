# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole disks by the old names: onto a larger disk, and from what the old engine left."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from disk.shim.images import device, mounted, partitioned, refusal, release, rows, tool
from oglib.disk.probing.virtual import probe_virtual
from oglib.errors import OgErr, PartitionError
from oglib.shim.image_disk import _refuse_on_itself
from unit.shim.old import Old, Ran

MIB = 1024 * 1024
LAYOUT = """label: gpt
1: size=4M, type=linux
2: size=24M, type=linux
"""
Cmd = Callable[..., Ran]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A small partition, and a larger one with files."""
    folder = tmp_path_factory.mktemp("disk-image")
    disk = partitioned(folder / f"{uuid4()}.img", LAYOUT, 40)
    for number in (1, 2):
        with device(disk, number) as loop:
            tool("mkfs.ext4", "-q", "-F", loop)
    with mounted(disk, 2, folder / "made") as top:
        (top / "data").write_bytes(os.urandom(3 * MIB))
    yield disk
    release(disk)


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Path]:
    disk = partitioned(tmp_path / f"{uuid4()}.img", "label: dos\nstart=1MiB, size=8MiB\n", 56)
    yield disk
    release(disk)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    (folder / "aula1").mkdir(parents=True)
    return folder


@pytest.fixture
def og(old: Old, source: Path, target: Path, images: Path, monkeypatch: pytest.MonkeyPatch) -> Cmd:
    monkeypatch.setenv("OG_DISKS", f"{source}:{target}")
    monkeypatch.setenv("OGIMG", str(images))

    def call(name: str, *words: object) -> Ran:
        return old(name, *map(str, words), disks=[source, target], env={"OGIMG": str(images)})

    return call


def same(source: Path, target: Path, tmp_path: Path) -> bool:
    with device(target, 2) as loop:
        tool("e2fsck", "-fn", loop)
    with (
        mounted(source, 2, tmp_path / "a", "ro") as one,
        mounted(target, 2, tmp_path / "b", "ro") as two,
    ):
        tool("diff", "-r", one, two)
    return True


@pytest.mark.proves("ogCreateDiskImage", "ogRestoreDiskImage")
def test_a_disk_goes_to_a_larger_one(
    og: Cmd, source: Path, target: Path, images: Path, tmp_path: Path
) -> None:
    ran = og("ogCreateDiskImage", 1, "REPO", "/aula1/debian", "partclone", "lzop")
    assert (ran.stdout, ran.status) == ("", 0), ran.stderr
    assert "warning: the partitions of a whole disk are compressed with zstd" in ran.stderr
    assert (images / "aula1/debian/disk.json").is_file()
    assert not list(images.rglob("*.lock"))
    ran = og("ogRestoreDiskImage", "REPO", "aula1/DEBIAN", 2)
    assert (ran.stdout, ran.status) == ("", 0), ran.stderr
    assert ran.stderr.count("The image debian is not signed") == 1
    before, after = rows(source), rows(target)
    assert [row["type"] for row in before.values()] == [row["type"] for row in after.values()]
    assert before[1]["size"] == after[1]["size"]
    assert "No problems found" in tool("sgdisk", "--verify", target)
    assert same(source, target, tmp_path)


@pytest.mark.proves("ogRestoreDiskImage")
@pytest.mark.parametrize("maker", ["partclone.imager -c -s", "cat"])
def test_what_the_old_engine_left_is_restored(
    og: Cmd, source: Path, target: Path, tmp_path: Path, maker: str
) -> None:
    old = tmp_path / "images/old.dsk"
    tool("bash", "-c", f"set -o pipefail; {maker} {source} | lzop -c > {old}")
    ran = og("ogRestoreDiskImage", "REPO", "old", 2)
    assert (ran.stdout, ran.status) == ("", 0), ran.stderr
    assert rows(target).keys() == rows(source).keys()
    assert same(source, target, tmp_path)


@pytest.mark.refuses("ogCreateDiskImage")
def test_disks_that_are_not_captured(og: Cmd, images: Path) -> None:
    (images / "taken.lock").touch()
    for words, code in (
        ((1, "REPO"), OgErr.FORMAT),
        ((9, "REPO", "debian"), OgErr.NOTFOUND),
        ((1, "NOWHERE", "debian"), OgErr.FORMAT),
        ((1, "REPO", "debian", "tar"), OgErr.FORMAT),
        ((1, "REPO", "aula2/debian"), OgErr.NOTFOUND),
        ((1, "REPO", "taken"), OgErr.LOCKED),
    ):
        assert refusal("ogCreateDiskImage", *words) == code, words
    ran = og("ogCreateDiskImage", 1, "REPO", "taken")
    assert (ran.stdout, ran.status) == ("", OgErr.LOCKED), ran.stderr
    assert sorted(path.name for path in images.iterdir()) == ["aula1", "taken.lock"]


@pytest.mark.refuses("ogCreateDiskImage")
def test_an_image_cannot_grow_on_the_disk_it_is_made_of(source: Path, tmp_path: Path) -> None:
    with mounted(source, 2, tmp_path / "repo", "ro") as point:
        disk = probe_virtual(source)
        with pytest.raises(PartitionError, match="is on partition 2 of the disk itself"):
            _refuse_on_itself(disk, point / "images")
        _refuse_on_itself(disk, tmp_path)


@pytest.mark.refuses("ogRestoreDiskImage")
def test_disks_that_are_not_restored(og: Cmd, target: Path, images: Path) -> None:
    (images / "page.dsk").write_text("<html>404</html>")
    (images / "empty").mkdir()
    (images / "taken.dsk").write_bytes(bytes(MIB))
    (images / "taken.dsk.lock").touch()
    before = target.read_bytes()
    for words, code in (
        (("REPO", "page"), OgErr.FORMAT),
        (("REPO", "none", 2), OgErr.NOTFOUND),
        (("REPO", "page", 9), OgErr.NOTFOUND),
        (("REPO", "page", 2), OgErr.IMAGE),
        (("REPO", "taken", 2), OgErr.LOCKED),
    ):
        assert refusal("ogRestoreDiskImage", *words) == code, words
    assert refusal("ogRestoreDiskImage", "REPO", "empty", 2)
    ran = og("ogRestoreDiskImage", "REPO", "page", 2)
    assert (ran.stdout, ran.status) == ("", OgErr.IMAGE), ran.stderr
    assert target.read_bytes() == before
