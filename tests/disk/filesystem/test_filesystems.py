# SPDX-License-Identifier: GPL-3.0-or-later
"""Every filesystem whose tools are here, on a loop device, judged by its own checker.

A kind whose tools this machine has not is skipped with that reason; ogLive has them all, but
those of HFS+, which Debian has no longer.
"""

from __future__ import annotations

import os
import struct
import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from disk.filesystem.devices import CHECKERS, MIB, device_of, judge, need_tools
from oglib.errors import FilesystemError, OgErr, OgError
from oglib.filesystem.check import check_filesystem
from oglib.filesystem.kinds import KINDS
from oglib.filesystem.make import format_filesystem, make_swap
from oglib.filesystem.mount import mounted
from oglib.filesystem.probe import probe_filesystem
from oglib.filesystem.sizes import filesystem_bytes
from oglib.filesystem.state import state_of

UUID = "0e1c6a1b-4f6c-4a0f-9e0e-2b9a3d8e7f11"
SMALL = {"fat12": 8 * MIB, "fat16": 64 * MIB, "jfs": 64 * MIB, "reiserfs": 64 * MIB}
# what these tools lose of the last clusters and groups
LEFT_OVER = 8 * MIB


@pytest.mark.parametrize("sector", [512, 4096])
@pytest.mark.parametrize("kind", [*sorted(CHECKERS), "nilfs2", "swap"])
def test_made_checked_and_recognised(tmp_path: Path, kind: str, sector: int) -> None:
    need_tools(kind)
    size = SMALL.get(kind, 304 * MIB)
    with device_of(tmp_path, size, sector) as device:
        chosen = "1234-ABCD" if KINDS[kind].mount_type == "vfat" else UUID
        uuid = chosen if KINDS[kind].uuid_option else ""
        made = format_filesystem(device, kind, label="Data", uuid=uuid)
        assert made == probe_filesystem(device)
        assert (made.name, made.mnemonic) == (kind, KINDS[kind].mnemonic)
        assert made.label == ("DATA" if KINDS[kind].upper_label else "Data")
        assert not uuid or made.uuid == uuid
        assert state_of(device) == ()
        told = filesystem_bytes(device, made)
        assert told == 0 or size - LEFT_OVER <= told <= size
        if kind in CHECKERS:
            judge(kind, device)
            assert not check_filesystem(device).repaired
            judge(kind, device)
        else:
            with pytest.raises(FilesystemError, match="cannot be checked"):
                check_filesystem(device)


def test_one_signature_remains(tmp_path: Path) -> None:
    with device_of(tmp_path, 304 * MIB) as device:
        for kind in ("btrfs", "ext4", "fat32", "xfs", "ntfs", "swap", "f2fs", "exfat"):
            format_filesystem(device, kind)
            listed = subprocess.run(
                ["wipefs", "--noheadings", "--output", "TYPE", device],
                capture_output=True,
                text=True,
                check=True,
            )
            probed = probe_filesystem(device).kind
            # exFAT and FAT boot sectors look like partition tables, too
            assert set(listed.stdout.split()) - {"dos"} == {probed}


@pytest.mark.parametrize("kind", ["ext2", "ext4", "xfs", "fat32", "ntfs", "nilfs2"])
def test_a_device_that_is_too_small_is_refused_before_anything_is_lost(
    tmp_path: Path, kind: str
) -> None:
    size = KINDS[kind].least_bytes - 4096
    image = tmp_path / "small.img"
    image.touch()
    os.truncate(image, size)
    mark = b"precious"
    with image.open("r+b") as file:
        file.write(mark)
    with pytest.raises(FilesystemError, match=f"less than {kind} can be") as caught:
        format_filesystem(image, kind)
    assert caught.value.code == OgErr.OUTOFLIMIT
    assert image.read_bytes()[:8] == mark


@pytest.mark.parametrize(
    ("kind", "sector"),
    [
        (kind.name, sector)
        for kind in KINDS.values()
        for sector in (512, 4096)
        # a FAT of clusters of 4096 bytes needs more of them than fit
        if kind.least_bytes and (sector == 512 or kind.name not in ("fat16", "fat32"))
    ],
)
def test_the_least_size_is_enough(tmp_path: Path, kind: str, sector: int) -> None:
    need_tools(kind)
    with device_of(tmp_path, -(-KINDS[kind].least_bytes // 4096) * 4096, sector) as device:
        assert format_filesystem(device, kind).name == kind


def test_more_than_a_fat12_can_be_is_refused(tmp_path: Path) -> None:
    with (
        device_of(tmp_path, 300 * MIB) as device,
        pytest.raises(FilesystemError, match="more than fat12 can be"),
    ):
        format_filesystem(device, "fat12")


@pytest.mark.parametrize(
    ("call", "tool"),
    [(lambda device: format_filesystem(device, "jfs"), "mkfs.jfs"), (check_filesystem, "e2fsck")],
)
def test_the_tool_that_is_missing_is_named(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    call: Callable[[Path], object],
    tool: str,
) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for there in ("blkid", "wipefs"):
        (tools / there).symlink_to(f"/usr/sbin/{there}")
    with device_of(tmp_path, 64 * MIB) as device:
        format_filesystem(device, "ext4")
        with monkeypatch.context() as patched:
            patched.setenv("PATH", str(tools))
            with pytest.raises(OgError, match=f"The program {tool} is not") as caught:
                call(device)
        assert caught.value.code == OgErr.NOTEXEC
        assert probe_filesystem(device).kind == "ext4"  # looked for before anything was wiped


def test_a_tool_that_fails_is_told(tmp_path: Path) -> None:
    with (
        device_of(tmp_path, 64 * MIB) as device,
        pytest.raises(
            FilesystemError, match=r"could not be formatted as fat16: mkfs\.vfat"
        ) as caught,
    ):
        format_filesystem(device, "fat16", uuid="WXYZ-ABCD")
    assert caught.value.code == OgErr.PARTITION


def test_swap_with_a_chosen_uuid(tmp_path: Path) -> None:
    with device_of(tmp_path, 64 * MIB) as device:
        made = make_swap(device, uuid=UUID)
        assert (made.kind, made.uuid) == ("swap", UUID)


def damage(device: Path, offset: int, data: bytes) -> None:
    with device.open("r+b") as file:
        file.seek(offset)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def test_damage_that_can_be_repaired_is(tmp_path: Path) -> None:
    with device_of(tmp_path, 64 * MIB) as device:
        format_filesystem(device, "ext4")
        clear = ["debugfs", "-w", "-R", "clri <11>", str(device)]
        subprocess.run(clear, check=True, capture_output=True)
        checked = check_filesystem(device)  # e2fsck ends with 1: corrected
        assert checked.repaired
        assert "e2fsck" in checked.said
        judge("ext4", device)


def test_a_fat_that_differs_from_its_copy_is_repaired(tmp_path: Path) -> None:
    with device_of(tmp_path, 64 * MIB) as device:
        format_filesystem(device, "fat32")
        damage(device, 32 * 512 + 64, b"\x55\x55")
        with pytest.raises(AssertionError):
            judge("fat32", device)
        assert check_filesystem(device).repaired
        judge("fat32", device)


def test_a_damaged_f2fs_is_repaired(tmp_path: Path) -> None:
    with device_of(tmp_path, 60 * MIB) as device:
        format_filesystem(device, "f2fs")
        damage(device, 5 * 2 * MIB, b"\x5a" * 4096 * 3)  # the table of nodes
        with pytest.raises(AssertionError):
            judge("f2fs", device)
        assert check_filesystem(device).repaired
        judge("f2fs", device)


def test_damage_that_cannot_be_repaired_is_told(tmp_path: Path) -> None:
    with device_of(tmp_path, 304 * MIB) as device:
        format_filesystem(device, "btrfs")
        damage(device, MIB, b"\xff" * 63 * MIB)  # behind the superblock
        with pytest.raises(
            FilesystemError, match="is damaged: btrfs ended with status 1"
        ) as caught:
            check_filesystem(device)
        assert caught.value.code == OgErr.FILESYS


def test_an_xfs_log_is_replayed_and_not_thrown_away(tmp_path: Path) -> None:
    with device_of(tmp_path, 304 * MIB) as device:
        format_filesystem(device, "xfs")
        with mounted(device, write=True) as point:
            (point / "file").write_text("kept")
            os.sync()
            # -l: log what happened; then stop as a power cut does
            shut = ["xfs_io", "-x", "-c", "shutdown -f", str(point)]
            subprocess.run(shut, check=True, capture_output=True)
        judge_dirty = subprocess.run(["xfs_repair", device], capture_output=True, check=False)
        assert judge_dirty.returncode == 2
        check_filesystem(device)
        judge("xfs", device)
        with mounted(device, kind="xfs") as point:
            assert (point / "file").read_text() == "kept"


def test_an_empty_device_is_said_to_be_empty(tmp_path: Path) -> None:
    with device_of(tmp_path, 8 * MIB) as device:
        assert probe_filesystem(device).kind == ""
        assert probe_filesystem(device).mnemonic == ""
        with pytest.raises(FilesystemError, match="no filesystem"):
            check_filesystem(device)


def test_a_mounted_filesystem_is_left_alone(tmp_path: Path) -> None:
    with device_of(tmp_path, 304 * MIB) as device:
        format_filesystem(device, "ext4", label="precious")
        with mounted(device):
            with pytest.raises(FilesystemError, match=r"is mounted at .* not formatted") as caught:
                format_filesystem(device, "xfs")
            assert caught.value.code == OgErr.DONTFORMAT
            with pytest.raises(FilesystemError, match=r"is mounted at .* not checked") as caught:
                check_filesystem(device)
            assert caught.value.code == OgErr.LOCKED
        assert probe_filesystem(device).label == "precious"


def test_what_somebody_holds_is_not_formatted_and_not_called_lost(tmp_path: Path) -> None:
    with device_of(tmp_path, 64 * MIB) as device:
        format_filesystem(device, "ext4", label="precious")
        holder = os.open(device, os.O_RDWR | os.O_EXCL)  # as LVM and RAID hold their members
        try:
            with pytest.raises(FilesystemError, match="was not formatted") as caught:
                format_filesystem(device, "ext4")
        finally:
            os.close(holder)
        assert caught.value.code == OgErr.DONTFORMAT
        assert "gone" not in caught.value.hint
        assert probe_filesystem(device).label == "precious"


def test_swap_in_use_is_not_formatted(tmp_path: Path) -> None:
    with device_of(tmp_path, 64 * MIB) as device:
        make_swap(device)
        if subprocess.run(["swapon", device], capture_output=True, check=False).returncode:
            pytest.skip("this kernel does not swap")
        try:
            with pytest.raises(FilesystemError, match="swap space in use") as caught:
                format_filesystem(device, "ext4")
        finally:
            subprocess.run(["swapoff", device], check=True)
        assert caught.value.code == OgErr.DONTFORMAT


@pytest.mark.parametrize("version", ["luks1", "luks2"])
def test_an_encrypted_partition_is_named(tmp_path: Path, version: str) -> None:
    with device_of(tmp_path, 64 * MIB) as device:
        done = subprocess.run(
            [
                *("cryptsetup", "luksFormat", "-q", "--type", version),
                *("--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000", device, "-"),
            ],
            input=b"secret",
            capture_output=True,
            check=False,
        )
        if done.returncode:
            pytest.skip(f"cryptsetup cannot do it here: {done.stderr.decode().strip()}")
        assert probe_filesystem(device).mnemonic == "LUKS"
        (state,) = state_of(device)
        assert f"LUKS version {version[-1]}" in state.text
        with pytest.raises(FilesystemError, match="encrypted with LUKS"), mounted(device):
            pass


def test_a_kind_that_is_only_recognised_cannot_be_checked(tmp_path: Path) -> None:
    with device_of(tmp_path, 8 * MIB) as device:
        # the label of an LVM physical volume: the checksum covers what is behind it
        behind = struct.pack("<I8s32s", 32, b"LVM2 001", b"u" * 32).ljust(512 - 20, b"\0")
        checksum = zlib.crc32(behind, 0xF597A6CF ^ 0xFFFFFFFF) ^ 0xFFFFFFFF
        damage(device, 512, struct.pack("<8sQI", b"LABELONE", 1, checksum) + behind)
        found = probe_filesystem(device)
        assert (found.kind, found.name, found.mnemonic) == ("LVM2_member", "lvm", "LINUX-LVM")
        with pytest.raises(FilesystemError, match=r"lvm .* cannot be checked"):
            check_filesystem(device)


def test_what_cannot_be_read_is_not_empty(tmp_path: Path) -> None:
    """blkid says nothing of the one as of the other, and ends with the same status."""
    with pytest.raises(FilesystemError, match="No such file"):
        probe_filesystem(tmp_path / "gone")
    empty = tmp_path / "empty"
    empty.write_bytes(bytes(MIB))
    assert probe_filesystem(empty).kind == ""
