# SPDX-License-Identifier: GPL-3.0-or-later
"""The system on a partition is found where its distribution puts it, and only there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from disk.inventory.room import tool
from disk.osconfig.systems import (
    BOOT_UUID,
    NAME,
    ROOT_UUID,
    device_of,
    make_debian,
    make_disk,
    seen_at,
)
from oglib.disk.find import find_disk
from oglib.disk.model import Disk, Partition
from oglib.errors import FilesystemError, OgError
from oglib.inventory.software import installed
from oglib.inventory.system import identify
from oglib.osconfig.fitted import why_not_fitted
from oglib.osconfig.opened_system import (
    NoFilesError,
    OpenedSystem,
    opened_root,
    opened_system,
)

BTRFS_MIB = 120
SEPARATE = (24, 12, 12)
ROOT, BOOT, VAR = 1, 2, 3
ALL_HERE = (
    f"UUID={ROOT_UUID} / ext4 defaults 0 1\n"
    f"UUID={BOOT_UUID} /boot ext4 defaults 0 2\n"
    "LABEL=var /var/ ext4 defaults 0 2\n"
    "tmpfs /usr tmpfs defaults 0 0\n"
)


def found(path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Disk, Partition]:
    monkeypatch.setenv("OG_DISKS", str(path))
    disk = find_disk("1")
    return disk, disk.partitions[0]


def separate(folder: Path, fstab: str) -> Path:
    """A Debian whose ``/boot`` and ``/var`` are partitions of their own."""
    disk = make_disk(folder / "disk.img", SEPARATE)
    tree = make_debian(folder / "tree", {"etc/fstab": fstab})
    options = {ROOT: ("-U", ROOT_UUID), BOOT: ("-U", BOOT_UUID), VAR: ("-L", "var")}
    content = {ROOT: tree, BOOT: tree / "boot", VAR: tree / "var"}
    for number in (BOOT, VAR, ROOT):
        with device_of(disk, SEPARATE, number) as device:
            tool("mkfs.ext4", "-q", *options[number], "-d", content[number], device)
        if number != ROOT:
            tool("rm", "-r", *content[number].iterdir())
    return disk


def software(system: OpenedSystem) -> list[str]:
    known = identify(system.root)
    assert known is not None
    assert known.description == NAME
    return [package.name for package in installed(system.root, known).packages]


def test_parts_on_filesystems_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = separate(tmp_path, ALL_HERE)
    before = path.read_bytes()
    disk, part = found(path, monkeypatch)
    with opened_system(disk, part) as system:
        assert software(system) == ["bash", "zlib1g"]
        assert system.root.exists("boot/grub/grub.cfg")
        assert [(one.point, one.part) for one in system.parts] == [
            ("/boot", disk.partitions[1]),
            ("/var", disk.partitions[2]),
        ]
        assert (system.boot, system.notes) == (system.parts[0], ())
        assert why_not_fitted(system) == ""
    assert path.read_bytes() == before
    with opened_system(disk, part, write=True) as system:
        system.root.write_bytes("boot/new", b"x")
        system.root.write_bytes("etc/new", b"y")
    with device_of(path, SEPARATE, BOOT) as device, seen_at(device, tmp_path / "at") as point:
        assert (point / "new").read_text() == "x"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("UUID=99999999-9999-4999-8999-999999999999 /var ext4 x 0 2", "was not found here"),
        ("/dev/mapper/vg-\x1bvar /var ext4 x 0 2", r"/dev/mapper/vg-\x1bvar was not found here"),
        (f"UUID={ROOT_UUID} /var ext4 subvol=@,rw 0 2", "its subvolume cannot be told"),
    ],
)
def test_what_is_not_here_is_told_and_no_absence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, said: str
) -> None:
    disk, part = found(separate(tmp_path, f"{line}\n"), monkeypatch)
    if "subvol" in line:
        said = "cannot be read"  # ext4 knows no subvolumes
    with opened_system(disk, part) as system:
        assert said in system.notes[0]
        assert system.absent == ("/var",)
        assert why_not_fitted(system) == ""


def test_a_boot_that_is_not_here_is_no_absence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = separate(tmp_path, "LABEL=nowhere /boot ext4 defaults 0 2\n")
    disk, part = found(path, monkeypatch)
    for write in (False, True):
        with opened_system(disk, part, write=write) as system:
            with pytest.raises(OgError, match="LABEL=nowhere was not found here"):
                system.files.names("boot/loader/entries")
            assert system.files.exists("etc/fstab")
    with device_of(path, SEPARATE, ROOT) as device, opened_root(device) as system:
        assert system.absent == ("/boot",)


@pytest.mark.parametrize("target", ["{outside}", "../../../{outside}", "nowhere"])
def test_a_mountpoint_that_leads_out_of_the_system_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    path = separate(tmp_path, ALL_HERE)
    with device_of(path, SEPARATE, ROOT) as device, seen_at(device, tmp_path / "at") as point:
        (point / "boot").rmdir()
        (point / "boot").symlink_to(target.format(outside=outside))
    disk, part = found(path, monkeypatch)
    with opened_system(disk, part) as system:
        assert not outside.is_mount()
        assert system.absent == ("/boot",)
        assert "the system has no such folder" in system.notes[0]


def test_a_mountpoint_that_is_a_link_inside_the_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = separate(tmp_path, ALL_HERE)
    with device_of(path, SEPARATE, ROOT) as device, seen_at(device, tmp_path / "at") as point:
        (point / "var").rmdir()
        (point / "srv/a b").mkdir(parents=True)
        (point / "var").symlink_to("/srv/a b")
    disk, part = found(path, monkeypatch)
    with opened_system(disk, part) as system:
        assert software(system) == ["bash", "zlib1g"]


def test_a_system_that_a_person_has_mounted_is_read_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = separate(tmp_path, ALL_HERE)
    with (
        device_of(path, SEPARATE, ROOT) as device,
        device_of(path, SEPARATE, VAR) as var,
        seen_at(device, tmp_path / "at") as point,
        seen_at(var, tmp_path / "at/var"),
    ):
        disk, part = found(path, monkeypatch)
        assert part.mountpoints == (str(point),)
        with opened_system(disk, part) as system:
            assert software(system) == ["bash", "zlib1g"]
            assert system.absent == ("/boot",)


def test_swap_and_damage_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = separate(tmp_path, ALL_HERE)
    with device_of(path, SEPARATE, VAR) as device:
        tool("mkswap", "-q", device)
    with device_of(path, SEPARATE, BOOT) as device, device.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (4 << 20))
    disk, part = found(path, monkeypatch)
    with pytest.raises(NoFilesError, match="can be read here: it holds swap"):
        opened_system(disk, disk.partitions[2]).__enter__()
    with pytest.raises(FilesystemError, match="cannot be mounted") as caught:
        opened_system(disk, disk.partitions[1]).__enter__()
    assert not isinstance(caught.value, NoFilesError)
    with opened_system(disk, part) as system:
        assert "cannot be read" in system.notes[0]
        assert system.absent == ("/boot", "/var")
    with opened_system(disk, part, write=True) as system:
        assert system.absent == ("/boot", "/var")


@contextmanager
def btrfs(folder: Path, uuid: str = "") -> Iterator[tuple[Path, Path]]:
    """The file of a disk with an empty btrfs, and where that can be filled.

    Never two with one UUID: the kernel takes them for one filesystem.
    """
    path = make_disk(folder / "disk.img", (BTRFS_MIB,))
    with device_of(path, (BTRFS_MIB,), 1) as device:
        tool("mkfs.btrfs", "-q", "-U", uuid or str(uuid4()), device)
        with seen_at(device, folder / "at") as point:
            yield path, point


def subvolume(path: Path, tree: Path | None = None) -> None:
    tool("btrfs", "subvolume", "create", path)
    if tree is not None:
        tool("cp", "--recursive", *tree.iterdir(), path)


@pytest.mark.parametrize("name", ["@", "root", "@rootfs", "@/.snapshots/1/snapshot", ""])
def test_the_system_lies_in_a_subvolume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Ubuntu, Fedora, Debian, openSUSE (by the default subvolume), and none."""
    tree = make_debian(tmp_path / "tree")
    with btrfs(tmp_path) as (path, top):
        if name.startswith("@/"):
            subvolume(top / "@")
            (top / name).parent.mkdir(parents=True)
        if name:
            subvolume(top / name, tree)
        else:
            tool("cp", "--recursive", *tree.iterdir(), top)
            subvolume(top / "@")  # of nobody's, and empty
        if name.startswith("@/"):
            tool("btrfs", "subvolume", "set-default", top / name)
    disk, part = found(path, monkeypatch)
    with opened_system(disk, part) as system:
        assert (system.subvolume, system.kind) == (name, "btrfs")
        assert software(system) == ["bash", "zlib1g"]
        assert why_not_fitted(system) == ""
    with opened_system(disk, part, write=True) as system:
        system.root.write_bytes("etc/new", b"x")
        # what gets a path (grub-install) sees a root like any other
        assert (system.root.path / "etc/new").read_text() == "x"
    with (
        device_of(path, (BTRFS_MIB,), 1) as device,
        seen_at(device, tmp_path / "at", "subvolid=5") as top,
    ):
        assert (top / name / "etc/new").read_text() == "x"
        with opened_root(device) as system:  # it is mounted elsewhere meanwhile
            assert system.subvolume == name


def test_parts_of_the_system_in_subvolumes_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uuid = str(uuid4())
    line = f"UUID={uuid} /var btrfs compress=zstd,subvol=/@var 0 0\n"
    tree = make_debian(tmp_path / "tree", {"etc/fstab": line})
    with btrfs(tmp_path, uuid) as (path, top):
        (top / "root").mkdir()  # a folder, and no subvolume, with a system's name
        (top / "root/etc").mkdir()
        (top / "root/etc/os-release").write_text("ID=other\n")
        subvolume(top / "@var", tree / "var")
        tool("rm", "-r", *(tree / "var").iterdir())
        subvolume(top / "@rootfs", tree)
    disk, part = found(path, monkeypatch)
    with opened_system(disk, part) as system:
        assert system.subvolume == "@rootfs"
        assert software(system) == ["bash", "zlib1g"]
        assert system.notes == ()
