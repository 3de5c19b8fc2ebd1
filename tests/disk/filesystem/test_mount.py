# SPDX-License-Identifier: GPL-3.0-or-later
"""Mounts for a block and for a person; a hibernated Windows keeps what it has."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from disk.filesystem.devices import MIB, device_of, mount_options
from oglib.disk.loop import attached
from oglib.errors import FilesystemError, OgErr
from oglib.filesystem.check import check_filesystem
from oglib.filesystem.kind import Trouble
from oglib.filesystem.make import format_filesystem
from oglib.filesystem.mount import mount_for_person, mounted, mounted_at, unmount_device
from oglib.filesystem.mounts import mountpoints_of
from oglib.filesystem.resize import grow_filesystem, minimum_size, shrink_filesystem
from oglib.filesystem.state import state_of

NAME = "og-test-mount"


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    yield
    assert not Path("/mnt", NAME).exists()


def test_mounts_are_harmless_and_gone_afterwards(tmp_path: Path) -> None:
    with device_of(tmp_path, 64 * MIB) as device:
        format_filesystem(device, "ext4")
        with mounted(device) as point:
            assert {"ro", "nosuid", "nodev", "noexec"} <= set(mount_options(point))
            assert mountpoints_of(device) == (point,)
        assert mountpoints_of(device) == ()
        assert not point.exists()
        with pytest.raises(ZeroDivisionError), mounted(device, write=True) as point:
            assert "rw" in mount_options(point)
            raise ZeroDivisionError
        assert not point.exists()
        folder = tmp_path / "at"
        folder.mkdir()
        with mounted_at(device, folder):
            assert folder.is_mount()
        assert not folder.is_mount()


def test_what_is_no_filesystem_is_not_mounted(tmp_path: Path) -> None:
    with device_of(tmp_path, 8 * MIB) as device:
        with pytest.raises(FilesystemError, match="cannot be mounted"), mounted(device):
            pass
        with pytest.raises(FilesystemError, match="no filesystem"):
            mount_for_person(device, name=NAME)


@pytest.mark.parametrize("sector", [512, 4096])
@pytest.mark.parametrize("kind", ["ext4", "ntfs"])
def test_a_mount_for_a_person_outlives_its_loop_device(
    tmp_path: Path, kind: str, sector: int
) -> None:
    """The partition of a plain file, mounted by one command and unmounted by another."""
    image, offset = tmp_path / "disk.img", 3 * MIB
    image.touch()
    os.truncate(image, 64 * MIB)

    def device() -> AbstractContextManager[Path]:
        return attached(image, offset_bytes=offset, size_bytes=48 * MIB, sector_bytes=sector)

    with device() as made:
        format_filesystem(made, kind)
        point = mount_for_person(made, name=NAME, write=True)
    assert point == Path("/mnt", NAME)
    assert {"rw", "nosuid", "nodev", "noexec"} <= set(mount_options(point))
    (point / "file").write_text("kept")
    with device() as again:
        assert mountpoints_of(again) == (point,)
        assert mount_for_person(again) == point  # mounted already: says where
        with pytest.raises(FilesystemError, match="is mounted at") as caught:
            format_filesystem(again, kind)
        assert caught.value.code == OgErr.DONTFORMAT
    with attached(image, size_bytes=2 * MIB) as other:
        assert mountpoints_of(other) == ()  # another stretch of the same file
    with device() as again:
        assert unmount_device(again) == (point,)
        assert unmount_device(again) == ()
        with mounted(again) as read_only:
            assert (read_only / "file").read_text() == "kept"
    left = subprocess.run(["losetup", "--associated", image], capture_output=True, check=True)
    assert left.stdout == b""


def test_a_read_only_mount_does_not_become_writable_unasked(tmp_path: Path) -> None:
    with device_of(tmp_path, 64 * MIB) as device:
        format_filesystem(device, "ext4")
        mount_for_person(device, name=NAME)
        try:
            with pytest.raises(FilesystemError, match="is mounted read-only at") as caught:
                mount_for_person(device, write=True)
            assert caught.value.code == OgErr.LOCKED
        finally:
            unmount_device(device)


def test_a_folder_with_content_is_not_covered(tmp_path: Path) -> None:
    point = Path("/mnt", NAME)
    point.mkdir()
    (point / "mine").touch()
    try:
        with device_of(tmp_path, 64 * MIB) as device:
            format_filesystem(device, "ext4")
            with pytest.raises(FilesystemError, match="is taken"):
                mount_for_person(device, name=NAME)
        assert (point / "mine").exists()
    finally:
        (point / "mine").unlink()
        point.rmdir()


@pytest.fixture(params=[0, 400], ids=["few-files", "many-files"])
def hibernated(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """As Windows leaves it, made with ntfs-3g; with many files their index is a tree."""
    with device_of(tmp_path, 64 * MIB) as device:
        format_filesystem(device, "ntfs")
        with mounted(device, write=True, kind="ntfs-3g") as point:
            for number in range(request.param):
                (point / f"name that is rather long {number}").touch()
            (point / "hiberfil.sys").write_bytes(b"hibr" + bytes(MIB))
            (point / "document").write_text("unsaved")
        # the judge is ntfs-3g itself: 14 is "hibernated"
        judged = subprocess.run(
            ["ntfs-3g.probe", "--readwrite", device], capture_output=True, check=False
        )
        assert judged.returncode == 14
        yield device


def test_a_hibernated_windows_is_named_with_its_remedy(hibernated: Path) -> None:
    (state,) = state_of(hibernated)
    assert state.trouble == Trouble.HIBERNATED
    assert "powercfg /h off" in state.remedy


def test_a_hibernated_windows_loses_nothing(hibernated: Path) -> None:
    before = hibernated.read_bytes()
    for call in (
        lambda: mount_for_person(hibernated, name=NAME, write=True),
        lambda: check_filesystem(hibernated),
        lambda: shrink_filesystem(hibernated),
        lambda: minimum_size(hibernated),
        lambda: grow_filesystem(hibernated),
    ):
        with pytest.raises(FilesystemError, match="Windows is hibernated") as caught:
            call()
        assert "powercfg /h off" in caught.value.hint
    with mounted(hibernated) as point:
        assert (point / "document").read_text() == "unsaved"
    with mounted(hibernated, kind="ntfs-3g") as point:
        assert "ro" in mount_options(point)
    assert hibernated.read_bytes() == before


def test_the_mount_refusal_has_its_number(hibernated: Path) -> None:
    with pytest.raises(FilesystemError) as caught, mounted(hibernated, write=True):
        pass
    assert caught.value.code == OgErr.FILESYS


def test_hibernation_is_discarded_when_asked_by_name(hibernated: Path) -> None:
    point = mount_for_person(hibernated, name=NAME, write=True, discard_hibernation=True)
    try:
        assert "rw" in mount_options(point)
        assert not (point / "hiberfil.sys").exists()
    finally:
        unmount_device(hibernated)
    assert state_of(hibernated) == ()


def test_ntfs_states_agree_with_ntfs_3g(tmp_path: Path) -> None:
    with device_of(tmp_path, 32 * MIB) as device:
        format_filesystem(device, "ntfs")
        assert state_of(device) == ()
        subprocess.run(["ntfsfix", device], check=True, capture_output=True)  # sets the flag
        assert [state.trouble for state in state_of(device)] == [Trouble.DIRTY]
        assert check_filesystem(device).repaired
        # only Windows can take the flag back
        assert [state.trouble for state in state_of(device)] == [Trouble.DIRTY]
        with mounted(device, write=True, kind="ntfs-3g") as point:
            (point / "file").write_text("x")


def test_a_bitlocker_volume_is_not_mounted(tmp_path: Path) -> None:
    with device_of(tmp_path, 8 * MIB) as device:
        with device.open("r+b") as file:
            file.write(b"\xeb\x58\x90-FVE-FS-")
        (state,) = state_of(device)
        assert state.trouble == Trouble.BITLOCKER
        with pytest.raises(FilesystemError, match="BitLocker") as caught, mounted(device):
            pass
        assert "manage-bde -off C:" in caught.value.hint


def test_an_ext4_with_a_journal_to_replay(tmp_path: Path) -> None:
    with device_of(tmp_path, 64 * MIB) as device:
        format_filesystem(device, "ext4")
        flags = ["debugfs", "-w", "-R", "feature needs_recovery", str(device)]
        subprocess.run(flags, check=True, capture_output=True)
        assert [state.trouble for state in state_of(device)] == [Trouble.JOURNAL]
        for kind in ("ext4", ""):  # reading leaves it alone
            with mounted(device, kind=kind):
                pass
        assert [state.trouble for state in state_of(device)] == [Trouble.JOURNAL]
        check_filesystem(device)
        assert state_of(device) == ()
