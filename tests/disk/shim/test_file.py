# SPDX-License-Identifier: GPL-3.0-or-later
"""Old commands about files of a partition and of the cache, mounted by the command itself."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import pytest

from disk.shim.images import device, mount_points, mounted, partitioned, release, tool
from oglib.errors import OgErr
from unit.shim.old import Old, Ran

LAYOUT = """label: gpt
1: size=16M, type=linux
2: size=32M, type=linux, name=CACHE
"""
Cmd = Callable[..., Ran]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A user's ext4 with folders and hostile links in it, and a formatted cache."""
    image = partitioned(tmp_path / f"{uuid4()}.img", LAYOUT)
    for number, label in ((1, "data"), (2, "CACHE")):
        with device(image, number) as loop:
            tool("mkfs.ext4", "-q", "-F", "-L", label, loop)
    with mounted(image, 1, tmp_path / "made") as top:
        (top / "Users/Ana").mkdir(parents=True)
        (top / "Users/Ana/Notes.txt").write_text("own")
        (top / "passwd").symlink_to("/etc/passwd")
        (top / "Etc").symlink_to("../../../../../../../etc")
    with mounted(image, 2, tmp_path / "made") as top:
        (top / "opt/opengnsys/images").mkdir(parents=True)
    yield image
    release(image)


@pytest.fixture
def og(old: Old, disk: Path, tmp_path: Path) -> Iterator[Cmd]:
    point = tmp_path / "cache"
    (tmp_path / "images").mkdir()
    env = {"OGCAC": str(point), "OGIMG": str(tmp_path / "images")}

    def call(name: str, *words: object) -> Ran:
        return old(name, *map(str, words), disks=[disk], env=env)

    yield call
    while point.is_mount():
        subprocess.run(["umount", point], check=True)
    with suppress(FileNotFoundError):
        Path(f"/mnt/{disk.name}p2").unlink()


@pytest.mark.proves("ogGetPath", "ogGetParentPath")
def test_paths_of_a_partition_do_not_lead_out_of_it(og: Cmd, disk: Path) -> None:
    point = f"/mnt/{disk.name}p1"
    ran = og("ogGetPath", 1, 1, "/users/ANA/notes.TXT")
    assert ran == Ran(f"{point}/Users/Ana/Notes.txt\n", "", 0)
    assert mount_points(disk) == [point]
    assert og("ogGetParentPath", 1, 1, "/users/ana/none") == Ran(f"{point}/Users/Ana\n", "", 0)
    assert og("ogGetPath", 1, 1, "/passwd") == Ran("", "", 0)
    assert og("ogGetPath", 1, 1, "/etc/passwd") == Ran("", "", 0)


@pytest.mark.refuses("ogGetPath", "ogGetParentPath", "ogMakeDir")
@pytest.mark.parametrize("name", ["ogGetPath", "ogGetParentPath", "ogMakeDir"])
def test_what_cannot_be_mounted_is_no_silence(og: Cmd, name: str) -> None:
    ran = og(name, 1, 9, "/x")
    assert (ran.stdout, ran.status) == ("", OgErr.NOTFOUND)


@pytest.mark.proves("ogMakeDir", "ogDeleteTree")
def test_folders_of_a_partition(og: Cmd, disk: Path) -> None:
    point = Path(f"/mnt/{disk.name}p1")
    assert og("ogMakeDir", 1, 1, "users/bo/Desktop") == Ran("", "", 0)
    assert (point / "Users/bo/Desktop").is_dir()
    assert og("ogDeleteTree", 1, 1, "users") == Ran("", "", 0)
    assert not (point / "Users").exists()
    assert og("ogDeleteTree", 1, 1, "/").status == OgErr.FORMAT
    assert og("ogDeleteFile", 1, 1, "PASSWD") == Ran("", "", 0)
    assert Path("/etc/passwd").exists()
    assert sorted(path.name for path in point.iterdir()) == ["Etc", "lost+found"]


@pytest.mark.proves("ogCopyFile", "ogCompareChecksumFiles", "ogIsNewerFile")
def test_a_file_goes_from_the_repository_to_the_cache(og: Cmd, tmp_path: Path) -> None:
    (tmp_path / "images/debian.img").write_bytes(os.urandom(3_000_000))
    for file in ("debian.img", "debian.img.sum"):
        if file.endswith("sum"):
            assert og("ogMakeChecksumFile", "REPO", "debian.img").status == 0
        assert og("ogCopyFile", "REPO", file, "CACHE", "/").status == 0
    found = og("ogGetPath", "CACHE", "/debian.img").stdout.strip()
    assert found.endswith("/opt/opengnsys/images/debian.img")
    tool("cmp", found, tmp_path / "images/debian.img")
    both = ("REPO", "debian.img", "CACHE", "debian.img")
    assert og("ogCompareChecksumFiles", *both) == Ran("", "", 0)
    assert og("ogIsNewerFile", *both).status == 1


@pytest.mark.refuses("ogCopyFile")
def test_what_does_not_fit_into_the_cache_leaves_nothing(og: Cmd, tmp_path: Path) -> None:
    (tmp_path / "images/large.img").write_bytes(bytes(40_000_000))
    ran = og("ogCopyFile", "REPO", "large.img", "CACHE", "/")
    assert (ran.stdout, ran.status) == ("", OgErr.NOTWRITE)
    assert "40000000 bytes" in ran.stderr
    folder = Path(og("ogGetPath", "CACHE", "/").stdout.strip())
    assert list(folder.glob("large*")) == []
