# SPDX-License-Identifier: GPL-3.0-or-later
"""How much an image would need and how much is free, judged by df and du themselves."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from disk.shim.images import device, mounted, partitioned, release, tool
from oglib.errors import NotFoundError, OgErr
from oglib.shim import image_size
from unit.shim.old import Old, Ran

LAYOUT = "label: gpt\n1: size=64M, type=linux\n2: size=8M, type=linux\n"
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A filesystem with 23 MiB in it, and a partition with none."""
    folder = tmp_path_factory.mktemp("size")
    image = partitioned(folder / f"{uuid4()}.img", LAYOUT, 80)
    with device(image, 1) as loop:
        tool("mkfs.ext4", "-q", "-F", loop)
    with mounted(image, 1, folder / "made") as top:
        (top / "home").mkdir()
        (top / "home/data").write_bytes(os.urandom(20 * MIB))
        (top / "home/more").write_bytes(os.urandom(3 * MIB))
    yield image
    release(image)


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Path]:
    """A filesystem of its own, so that nothing else changes what is free."""
    folder = tmp_path / "images"
    folder.mkdir()
    tool("mount", "-t", "tmpfs", "-o", "size=400M", "images", folder)
    (folder / "aula1").mkdir()
    yield folder
    tool("umount", folder)


def df(path: Path, column: str) -> int:
    return int(tool("df", "-B1024", f"--output={column}", path).splitlines()[1])


@pytest.mark.proves("ogGetSizeParameters")
def test_what_an_image_needs_and_what_is_free(
    old: Old, disk: Path, repository: Path, tmp_path: Path
) -> None:
    env = {"OGIMG": str(repository)}
    with mounted(disk, 1, tmp_path / "made", "ro") as top:
        used = df(top, "used")
    (repository / "aula1/debian.img").write_bytes(bytes(7 * MIB))
    free = df(repository, "avail")
    words = (1, 1, "REPO", "/aula1/debian")
    expected = f"{used} {used * 65 // 100} {free} TRUE\n"
    assert old("ogGetSizeParameters", *words, disks=[disk], env=env) == Ran(expected, "", 0)
    ran = old("ogGetSizeParameters", *words, "MONOLIT", disks=[disk], env=env)
    assert ran == Ran(expected, "", 0)
    # a synchronised image is changed in its place, and is never smaller than 300000 KB
    ran = old("ogGetSizeParameters", *words, "sync", disks=[disk], env=env)
    assert ran == Ran(f"{used} 300000 {free + 7 * 1024} TRUE\n", "", 0)
    knobs = {**env, "FACTORSYNC": "2000", "IMGFS": "BTRFS"}
    ran = old("ogGetSizeParameters", *words, "sync", disks=[disk], env=knobs)
    needed = used * 1980 // 100
    assert ran == Ran(f"{used} {needed} {free + 7 * 1024} FALSE\n", "", 0)


@pytest.mark.proves("ogGetSizeParameters")
def test_what_the_files_of_a_scan_need(
    disk: Path, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listing = tmp_path / "ogimg.info"
    monkeypatch.setattr(image_size, "_LISTING", listing)
    monkeypatch.setenv("OGIMG", str(repository))
    monkeypatch.setenv("OG_DISKS", str(disk))
    call = image_size.COMMANDS["ogGetSizeParameters"].run
    free = df(repository, "avail")
    names = ["home/more", "home/more", "gone", "../../etc/passwd"]
    listing.write_text("#EXT4:NO:EXTFS:65536\n" + "\n".join(names) + "\n")
    assert call(["1", "1", "REPO", "debian", "diff"]) == f"3072 300000 {free} TRUE"
    listing.unlink()
    with pytest.raises(NotFoundError, match="ogCreateInfoImage"):
        call(["1", "1", "REPO", "debian", "diff"])


@pytest.mark.refuses("ogGetSizeParameters")
@pytest.mark.parametrize(
    ("words", "code"),
    [
        ((1, 1, "REPO"), OgErr.FORMAT),
        ((1, 1, "NOWHERE", "debian"), OgErr.FORMAT),
        ((1, 1, "REPO", "debian", "whole"), OgErr.FORMAT),
        ((1, 1, "REPO", "debian", "sync"), OgErr.FORMAT),
        ((1, 9, "REPO", "debian"), OgErr.NOTFOUND),
        ((1, 1, "REPO", "aula2/debian"), OgErr.NOTFOUND),
        ((1, 2, "REPO", "debian"), OgErr.PARTITION),
    ],
)
def test_what_cannot_be_sized(
    old: Old, disk: Path, repository: Path, words: tuple[object, ...], code: OgErr
) -> None:
    env = {"OGIMG": str(repository), "FACTORSYNC": "much"}
    ran = old("ogGetSizeParameters", *map(str, words), disks=[disk], env=env)
    assert (ran.stdout, ran.status) == ("", code), ran.stderr
