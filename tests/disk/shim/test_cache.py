# SPDX-License-Identifier: GPL-3.0-or-later
"""The old commands of the cache, run as scripts run them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from oglib.disk.loop import attached
from oglib.disk.model import MIB
from oglib.errors import OgErr
from unit.shim.old import Old, Ran

DISK_MIB = 128
CACHE_KB = 32 * 1024
START_MIB = DISK_MIB - 1 - 32
Cmd = Callable[..., Ran]


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """A disk with one small partition of a user."""
    path = tmp_path / "disk.img"
    with path.open("wb") as file:
        file.truncate(DISK_MIB * MIB)
    text = "label: dos\nstart=1MiB, size=8MiB, type=83\n"
    subprocess.run(
        ["sfdisk", "--quiet", "--no-tell-kernel", path], input=text, text=True, check=True
    )
    return path


@pytest.fixture
def og(old: Old, disk: Path, tmp_path: Path) -> Iterator[Cmd]:
    """An old command on that disk; the cache is mounted below the test's own folder."""
    point = tmp_path / "cache"

    def call(name: str, *words: object) -> Ran:
        return old(name, *map(str, words), disks=[disk], env={"OGCAC": str(point)})

    yield call
    while point.is_mount():
        subprocess.run(["umount", point], check=True)
    with suppress(FileNotFoundError):
        Path("/mnt/disk.imgp4").unlink()


@pytest.fixture
def cache(og: Cmd) -> Cmd:
    """The same, with a cache that is made, not formatted."""
    assert og("ogCreateCache", 1, 4, CACHE_KB) == Ran("", "", 0)
    return og


@pytest.fixture
def formatted(cache: Cmd) -> Cmd:
    """The same, formatted and mounted."""
    assert cache("ogFormatCache") == Ran("", "", 0)
    return cache


def table(disk: Path) -> str:
    subprocess.run(["sfdisk", "--verify", disk], check=True, capture_output=True)
    return subprocess.run(
        ["sfdisk", "--dump", disk], check=True, capture_output=True, text=True
    ).stdout


@pytest.mark.proves("ogCreateCache")
def test_a_cache_is_made_at_the_end_and_a_second_call_changes_nothing(og: Cmd, disk: Path) -> None:
    assert og("ogCreateCache", CACHE_KB) == Ran("", "", 0)
    made = table(disk)
    last = made.splitlines()[-1]
    assert f"start={START_MIB * 2048:12}" in last
    assert f"size={CACHE_KB * 2:12}" in last
    assert "type=ca" in last
    assert "disk.img4" in last
    assert og("ogCreateCache", 1, 4, CACHE_KB) == Ran("", "", 0)
    assert table(disk) == made


@pytest.mark.refuses("ogCreateCache")
@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["12499"], OgErr.FORMAT),
        (["many"], OgErr.FORMAT),
        (["-32768"], OgErr.FORMAT),
        ([str(120 * 1024)], OgErr.FORMAT),
        (["9", "4", "32768"], OgErr.NOTFOUND),
        (["1", "1", "32768"], OgErr.PARTITION),
    ],
)
def test_a_cache_that_cannot_be_is_refused(
    og: Cmd, disk: Path, words: list[str], code: OgErr
) -> None:
    before = disk.read_bytes()
    ran = og("ogCreateCache", *words)
    assert (ran.stdout, ran.status) == ("", code), ran.stderr
    assert disk.read_bytes() == before


@pytest.mark.proves("ogDeleteCache")
def test_deleting_leaves_the_others(formatted: Cmd, disk: Path, tmp_path: Path) -> None:
    assert formatted("ogDeleteCache") == Ran("", "", 0)
    rows = [line for line in table(disk).splitlines() if "start=" in line]
    assert len(rows) == 1
    assert not (tmp_path / "cache").is_mount()


@pytest.mark.proves("ogFindCache", "ogGetCacheSize", "ogGetCacheSpace")
def test_a_cache_is_found_with_its_size(cache: Cmd) -> None:
    assert cache("ogFindCache") == Ran("1 4\n", "", 0)
    assert cache("ogGetCacheSize") == Ran(f"{CACHE_KB}\n", "", 0)
    assert cache("ogGetCacheSpace") == Ran(f"{DISK_MIB // 2 * 1024}\n", "", 0)


def test_the_space_begins_behind_a_third_partition_beyond_the_middle(og: Cmd, disk: Path) -> None:
    text = "label: dos\nstart=1MiB, size=4MiB\nstart=5MiB, size=4MiB\nstart=9MiB, size=71MiB\n"
    subprocess.run(
        ["sfdisk", "--quiet", "--no-tell-kernel", disk], input=text, text=True, check=True
    )
    assert og("ogCreateCache", 16 * 1024).status == 0
    assert og("ogGetCacheSpace") == Ran(f"{(DISK_MIB - 1 - 80) * 1024}\n", "", 0)


@pytest.mark.refuses(
    "ogDeleteCache",
    "ogFindCache",
    "ogFormatCache",
    "ogGetCacheSize",
    "ogGetCacheSpace",
    "ogMountCache",
)
def test_without_a_cache_each_says_so(og: Cmd, disk: Path) -> None:
    before = disk.read_bytes()
    assert og("ogFindCache") == Ran("", "", OgErr.NOTFOUND)
    for name in (
        "ogDeleteCache",
        "ogFormatCache",
        "ogGetCacheSize",
        "ogGetCacheSpace",
        "ogMountCache",
    ):
        ran = og(name)
        assert (ran.stdout, ran.status) == ("", OgErr.PARTITION), name
        assert "no cache" in ran.stderr
    ran = og("ogUnmountCache")
    assert (ran.stdout, ran.status) == ("", 0)
    assert "no cache" in ran.stderr
    assert disk.read_bytes() == before


@pytest.mark.refuses("ogFindCache")
def test_a_wrong_call_is_not_a_no(og: Cmd) -> None:
    assert og("ogFindCache", 1).status == OgErr.FORMAT


def test_a_data_partition_with_the_label_is_not_the_cache(og: Cmd, disk: Path) -> None:
    with attached(disk, offset_bytes=MIB, size_bytes=8 * MIB) as device:
        subprocess.run(["mkfs.ext4", "-qF", "-L", "CACHE", device], check=True)
    assert og("ogFindCache") == Ran("", "", OgErr.NOTFOUND)


@pytest.mark.proves("ogFormatCache")
def test_a_formatted_cache_is_mounted_with_the_folder_of_images(
    formatted: Cmd, disk: Path, tmp_path: Path
) -> None:
    assert (tmp_path / "cache").is_mount()
    assert (tmp_path / "cache/opt/opengnsys/images").is_dir()
    assert formatted("ogUnmountCache").status == 0
    with attached(disk, offset_bytes=START_MIB * MIB, size_bytes=CACHE_KB * 1024) as device:
        subprocess.run(["e2fsck", "-fn", device], check=True, capture_output=True)
        said = subprocess.run(
            ["blkid", "-p", "-o", "export", device], check=True, capture_output=True, text=True
        ).stdout
    assert "LABEL=CACHE\n" in said
    assert "TYPE=ext4\n" in said


@pytest.mark.proves("ogMountCache", "ogUnmountCache")
def test_the_cache_is_mounted_where_scripts_look(formatted: Cmd, tmp_path: Path) -> None:
    point, link = tmp_path / "cache", Path("/mnt/disk.imgp4")
    assert formatted("ogUnmountCache") == Ran("", "", 0)
    assert not point.is_mount()
    assert not link.is_symlink()
    for _ in range(2):  # a mounted one stays so
        assert formatted("ogMountCache") == Ran(f"{point}\n", "", 0)
        assert point.is_mount()
        assert link.resolve() == point
    assert formatted("ogUnmountCache").status == 0
    ran = formatted("ogUnmountCache")
    assert (ran.stdout, ran.status) == ("", 0)
    assert "was not mounted" in ran.stderr


@pytest.mark.refuses("ogMountCache")
def test_a_cache_without_a_filesystem_is_not_mounted(cache: Cmd) -> None:
    ran = cache("ogMountCache")
    assert (ran.stdout, ran.status) == ("", OgErr.PARTITION)
    assert "not formatted" in ran.stderr


@pytest.mark.refuses("ogUnmountCache")
def test_a_cache_in_use_stays_mounted(formatted: Cmd, tmp_path: Path) -> None:
    kept = tmp_path / "cache/opt/opengnsys/images/debian.img"
    kept.write_bytes(b"image")
    with kept.open("rb"):
        ran = formatted("ogUnmountCache")
    assert (ran.stdout, ran.status) == ("", OgErr.LOCKED), ran.stderr
    assert kept.read_bytes() == b"image"


@pytest.mark.proves("ogInfoCache")
def test_what_is_in_the_cache(formatted: Cmd, tmp_path: Path) -> None:
    (tmp_path / "cache/opt/opengnsys/images/debian.img").touch()
    ran = formatted("ogInfoCache")
    first, second = ran.stdout.splitlines()
    assert first.split()[-1] == str(tmp_path / "cache")
    assert len(first.split()) == 6
    assert "images/debian.img" in second.split()
    assert not (tmp_path / "cache").is_mount()


@pytest.mark.refuses("ogInfoCache")
def test_no_cache_has_no_facts(og: Cmd) -> None:
    assert og("ogInfoCache") == Ran(" \n", "", 0)
    assert og("ogInfoCache", 1).status == OgErr.FORMAT
