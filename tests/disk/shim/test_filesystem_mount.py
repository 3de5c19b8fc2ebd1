# SPDX-License-Identifier: GPL-3.0-or-later
"""Old commands that mount and unmount, judged by findmnt."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from disk.shim.images import MIB, device, mount_points, mounted, partitioned, release, tool
from oglib.disk.find import find_partition
from oglib.disk.lock import drop_lock, take_lock
from oglib.disk.probing.virtual import probe_virtual
from oglib.errors import NotFoundError, OgErr, UsageError
from unit.shim.old import Old, Ran, answer, code_of

GPT = """label: gpt
1: size=8M, type=swap
2: size=16M, type=linux
3: size=16M, type=ebd0a0a2-b9e5-4433-87c0-68b6b72699c7
4: size=16M, type=linux, name=CACHE
"""
MAKE = {
    1: ("mkswap", "-q"),
    2: ("mkfs.ext4", "-q", "-F"),
    3: ("mkfs.ntfs", "-q", "-F", "-Q"),
    4: ("mkfs.ext4", "-q", "-F", "-L", "CACHE"),
}


@pytest.fixture(scope="module")
def formatted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = partitioned(tmp_path_factory.mktemp("fs") / "made.img", GPT, 80)
    for number, argv in MAKE.items():
        with device(made, number) as loop:
            tool(*argv, loop)
    return made


@pytest.fixture
def locked(image: Path) -> Iterator[Path]:
    """Partition 2 is locked by this very script."""
    disk = probe_virtual(image)
    part = find_partition(disk, 2)
    take_lock(disk, part, pid=os.getpid())
    yield image
    drop_lock(disk, part)


@pytest.mark.proves("ogMount", "ogUnmount", "ogMountFs", "ogUnmountFs")
@pytest.mark.parametrize("end", ["", "Fs"])
def test_mount_and_unmount(old: Old, image: Path, end: str) -> None:
    point = Path(f"/mnt/{image.name}p2")
    assert old(f"ogMount{end}", 1, 2, disks=[image]) == Ran(f"{point}\n", "", 0)
    assert mount_points(image) == [str(point)]
    (point / "written").write_text("yes")
    assert old(f"ogMount{end}", 1, 2, disks=[image]) == Ran(f"{point}\n", "", 0)
    assert mount_points(image) == [str(point)]
    assert old(f"ogUnmount{end}", 1, 2, disks=[image]) == Ran("", "", 0)
    assert mount_points(image) == []
    assert not point.exists()
    ran = old(f"ogUnmount{end}", 1, 2, disks=[image])
    assert (ran.stdout, ran.status) == ("", 0)
    assert "is not mounted" in ran.stderr


def test_mounted_elsewhere_it_stays_there(image: Path, tmp_path: Path) -> None:
    with mounted(image, 2, tmp_path / "else") as point:
        assert answer("ogMount", "1", "2") == str(point)


@pytest.mark.refuses("ogMount", "ogMountFs", "ogUnmount", "ogUnmountFs", "ogUnmountAll")
@pytest.mark.refuses("ogMountFirstFs")
def test_what_is_locked_is_left_alone(old: Old, locked: Path) -> None:
    ran = old("ogMount", 1, 2, disks=[locked])
    assert (ran.stdout, ran.status) == ("", OgErr.LOCKED)
    assert "is locked by process" in ran.stderr
    for name in ("ogUnmount", "ogUnmountFs", "ogMountFs"):
        assert old(name, 1, 2, disks=[locked]).status == OgErr.LOCKED
    for name in ("ogUnmountAll", "ogMountFirstFs"):
        assert old(name, 1, disks=[locked]).status == OgErr.LOCKED
    assert mount_points(locked) == []


@pytest.mark.refuses("ogMount", "ogMountFs")
def test_what_cannot_be_mounted(old: Old, image: Path) -> None:
    ran = old("ogMountFs", 1, 1, disks=[image])
    assert (ran.stdout, ran.status) == ("", OgErr.PARTITION)
    assert code_of("ogMount", "1", "9") is OgErr.NOTFOUND
    assert code_of("ogMount", "DVD") is OgErr.FORMAT
    assert not list(Path("/mnt").glob(f"{image.name}*"))


def test_a_hibernated_windows_is_mounted_read_only_and_sleeps_on(
    old: Old, image: Path, tmp_path: Path
) -> None:
    with mounted(image, 3, tmp_path / "windows") as point:
        (point / "hiberfil.sys").write_bytes(b"HIBR" + bytes(8192))
    before = image.read_bytes()
    ran = old("ogMount", 1, 3, disks=[image])
    assert (ran.stdout, ran.status) == (f"/mnt/{image.name}p3\n", 0)
    assert "read-only" in ran.stderr
    assert "powercfg /h off" in ran.stderr
    assert mount_points(image) == [f"/mnt/{image.name}p3"]
    assert os.statvfs(f"/mnt/{image.name}p3").f_flag & os.ST_RDONLY
    assert old("ogUnmount", 1, 3, disks=[image]) == Ran("", "", 0)
    assert image.read_bytes() == before


@pytest.mark.proves("ogMountFirstFs")
def test_the_first_that_can_be_mounted(old: Old, image: Path) -> None:
    ran = old("ogMountFirstFs", 1, disks=[image])
    assert (ran.stdout, ran.status) == (f"/mnt/{image.name}p2\n", 0)
    assert mount_points(image) == [f"/mnt/{image.name}p2"]


@pytest.mark.refuses("ogMountFirstFs")
def test_a_disk_with_nothing_to_mount(old: Old, tmp_path: Path) -> None:
    empty = partitioned(tmp_path / "empty.img", "label: gpt\nsize=4M\n", 16)
    ran = old("ogMountFirstFs", 1, disks=[empty])
    assert (ran.stdout, ran.status) == ("", OgErr.NOTFOUND)


@pytest.mark.proves("ogUnmountAll")
def test_everything_but_the_cache_is_unmounted(old: Old, image: Path) -> None:
    answer("ogMount", "1", "2")
    cache = answer("ogMount", "1", "4")
    assert len(mount_points(image)) == 2
    assert old("ogUnmountAll", 1, disks=[image]) == Ran("", "", 0)
    assert mount_points(image) == [cache]


@pytest.mark.refuses("ogUnmountAll")
def test_no_disk_to_unmount(image: Path) -> None:
    with pytest.raises(NotFoundError):
        answer("ogUnmountAll", "2")
    with pytest.raises(UsageError):
        answer("ogUnmountAll")
    assert image.exists()


@pytest.mark.proves("ogMount", "ogUnmount")
def test_the_cache_by_its_name(old: Old, image: Path, tmp_path: Path) -> None:
    here = {"OGCAC": str(tmp_path / "cache")}
    ran = old("ogMount", "cache", disks=[image], env=here)
    assert (ran.stdout, ran.status) == (f"{tmp_path}/cache\n", 0), ran.stderr
    assert mount_points(image) == [f"{tmp_path}/cache"]
    assert old("ogUnmount", "CACHE", disks=[image], env=here) == Ran("", "", 0)
    assert mount_points(image) == []


def test_what_is_busy_stays_mounted_with_a_warning(
    image: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("oglib.filesystem.mount._UNMOUNT_PAUSE_S", 0)
    point = Path(str(answer("ogMount", "1", "2")))
    with (point / "open").open("w"):
        assert answer("ogUnmount", "1", "2") is None
    assert "cannot be unmounted" in capsys.readouterr().err
    assert mount_points(image) == [str(point)]


@pytest.fixture
def drive(tmp_path: Path) -> Iterator[Path]:
    """A disc in /dev/cdrom."""
    link = Path("/dev/cdrom")
    if link.exists():
        pytest.skip("this machine has a drive of its own")
    (tmp_path / "files").mkdir()
    (tmp_path / "files/readme").write_text("hello")
    disc = tmp_path / "disc.img"
    tool("mkfs.ext4", "-q", "-F", "-d", tmp_path / "files", disc, f"{4 * MIB // 1024}k")
    loop = Path(tool("losetup", "-f", "--show", "-r", disc).strip())
    link.symlink_to(loop)
    yield disc
    link.unlink()
    release(disc)


@pytest.mark.proves("ogMountCdrom")
def test_a_disc(old: Old, drive: Path) -> None:
    assert old("ogMountCdrom") == Ran("/mnt/cdrom\n", "", 0)
    assert Path("/mnt/cdrom/readme").read_text() == "hello"
    assert mount_points(drive) == ["/mnt/cdrom"]
    assert answer("ogMount", "cdrom") == "/mnt/cdrom"
    assert answer("ogUnmount", "CDROM") is None
    assert mount_points(drive) == []


@pytest.mark.refuses("ogMountCdrom")
def test_no_drive(old: Old) -> None:
    if Path("/dev/cdrom").exists():
        pytest.skip("this machine has a drive")
    ran = old("ogMountCdrom")
    assert (ran.stdout, ran.status) == ("", OgErr.NOTFOUND)
