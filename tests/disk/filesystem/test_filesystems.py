# SPDX-License-Identifier: GPL-3.0-or-later
"""Every filesystem whose tools are here, on a loop device, judged by its own checker.

A kind whose tools or kernel driver this machine has not is skipped with that reason; ogLive
has them all.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from oglib.disk.loop import attached
from oglib.errors import FilesystemError, OgErr
from oglib.filesystem.apply import check_filesystem, format_filesystem, grow_filesystem, make_swap
from oglib.filesystem.kinds import KINDS, Grow, kind_of
from oglib.filesystem.mount import mounted, mounted_at
from oglib.filesystem.probe import probe_filesystem

MIB = 1024**2
UUID = "0e1c6a1b-4f6c-4a0f-9e0e-2b9a3d8e7f11"
CHECKERS = {
    "ext2": ("e2fsck", "-f", "-n"),
    "ext3": ("e2fsck", "-f", "-n"),
    "ext4": ("e2fsck", "-f", "-n"),
    "xfs": ("xfs_repair", "-n"),
    "btrfs": ("btrfs", "check", "--readonly"),
    "fat16": ("fsck.vfat", "-n"),
    "fat32": ("fsck.vfat", "-n"),
    "ntfs": ("ntfsfix", "--no-action"),
    "exfat": ("fsck.exfat", "-n"),
    "f2fs": ("fsck.f2fs", "--dry-run"),
}


def need_tools(kind: str) -> None:
    tool = KINDS[kind].make[0]
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed here")


def need_driver(kind: str) -> None:
    known = Path("/proc/filesystems").read_text().split()
    name = KINDS[kind].mount_type
    if name in known or subprocess.run(["modprobe", "-q", name], check=False).returncode == 0:
        return
    pytest.skip(f"this kernel has no {name}")


@contextmanager
def device_of(tmp_path: Path, size_bytes: int, sector: int = 512) -> Iterator[Path]:
    image = tmp_path / "fs.img"
    image.touch()
    os.truncate(image, max(size_bytes, image.stat().st_size))
    with attached(image, size_bytes=size_bytes, sector_bytes=sector) as device:
        yield device


def judge(kind: str, device: Path) -> None:
    done = subprocess.run([*CHECKERS[kind], device], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("sector", [512, 4096])
@pytest.mark.parametrize("kind", sorted(CHECKERS))
def test_made_checked_and_recognised(tmp_path: Path, kind: str, sector: int) -> None:
    need_tools(kind)
    size = 160 * MIB if kind == "fat16" else 320 * MIB
    with device_of(tmp_path, size, sector) as device:
        chosen = {"vfat": "1234-ABCD"}.get(KINDS[kind].mount_type, UUID)
        uuid = chosen if KINDS[kind].uuid_option else ""
        made = format_filesystem(device, kind, label="Data", uuid=uuid)
        assert kind_of(made.kind).mount_type == KINDS[kind].mount_type
        assert made.label == ("DATA" if KINDS[kind].upper_label else "Data")
        assert not uuid or made.uuid == uuid
        judge(kind, device)
        check_filesystem(device)


@pytest.mark.parametrize("kind", ["ext2", "ext3", "ext4", "xfs", "btrfs", "fat32"])
def test_a_filesystem_fills_a_larger_partition(tmp_path: Path, kind: str) -> None:
    need_tools(kind)
    need_driver(kind)
    with device_of(tmp_path, 320 * MIB) as device:
        format_filesystem(device, kind)
        with mounted(device, write=True) as point:
            (point / "file").write_bytes(b"x" * MIB)
    with device_of(tmp_path, 640 * MIB) as device:
        able = KINDS[kind].grow is not Grow.NEVER
        assert grow_filesystem(device) is able
        assert grow_filesystem(device) is able  # safe to repeat
        judge(kind, device)
        with mounted(device) as point:
            assert (point / "file").read_bytes() == b"x" * MIB
            info = os.statvfs(point)
            grown = info.f_blocks * info.f_frsize
            assert (grown > 500 * MIB) is able


def test_swap_with_a_chosen_uuid(tmp_path: Path) -> None:
    with device_of(tmp_path, 64 * MIB) as device:
        made = make_swap(device, uuid=UUID)
        assert (made.kind, made.uuid) == ("swap", UUID)


def test_damage_that_can_be_repaired_is_and_other_damage_is_told(tmp_path: Path) -> None:
    with device_of(tmp_path, 64 * MIB) as device:
        format_filesystem(device, "ext4")
        run = ["debugfs", "-w", "-R", "clri <11>", str(device)]
        subprocess.run(run, check=True, capture_output=True)
        check_filesystem(device)  # e2fsck ends with 1: corrected
        judge("ext4", device)
    with device_of(tmp_path, 320 * MIB) as device:
        format_filesystem(device, "btrfs")
        with device.open("r+b") as file:
            file.seek(MIB)  # behind the superblock
            file.write(b"\xff" * 63 * MIB)
            file.flush()
            os.fsync(file.fileno())
        with pytest.raises(FilesystemError, match="is damaged: btrfs ended with status 1"):
            check_filesystem(device)


def test_an_empty_device_is_said_to_be_empty(tmp_path: Path) -> None:
    with device_of(tmp_path, 8 * MIB) as device:
        assert probe_filesystem(device).kind == ""
        with pytest.raises(FilesystemError, match="no filesystem"):
            check_filesystem(device)


def test_a_mounted_filesystem_is_not_formatted(tmp_path: Path) -> None:
    with device_of(tmp_path, 64 * MIB) as device:
        format_filesystem(device, "ext4", label="precious")
        with (
            mounted(device),
            pytest.raises(FilesystemError, match="is mounted, so it is not formatted") as caught,
        ):
            format_filesystem(device, "xfs")
        assert caught.value.code == OgErr.LOCKED
        assert probe_filesystem(device).label == "precious"


def test_mounts_are_harmless_and_gone_afterwards(tmp_path: Path) -> None:
    with device_of(tmp_path, 64 * MIB) as device:
        format_filesystem(device, "ext4")
        with mounted(device) as point:
            options = find_options(point)
            assert {"ro", "nosuid", "nodev", "noexec"} <= set(options)
        assert not point.exists()
        with pytest.raises(ZeroDivisionError), mounted(device, write=True) as point:
            assert "rw" in find_options(point)
            raise ZeroDivisionError
        assert not point.exists()
        folder = tmp_path / "at"
        folder.mkdir()
        with mounted_at(device, folder):
            assert folder.is_mount()
        assert not folder.is_mount()


def test_what_is_no_filesystem_is_not_mounted(tmp_path: Path) -> None:
    with (
        device_of(tmp_path, 8 * MIB) as device,
        pytest.raises(FilesystemError, match="cannot be mounted"),
        mounted(device),
    ):
        pass


def find_options(point: Path) -> list[str]:
    done = subprocess.run(
        ["findmnt", "--noheadings", "--output", "OPTIONS", "--mountpoint", point],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip().split(",")
