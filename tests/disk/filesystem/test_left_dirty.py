# SPDX-License-Identifier: GPL-3.0-or-later
"""How a filesystem was left: the rug pulled from under it, and marks as a driver leaves them.

The rug is pulled by copying the device's file while it is mounted: what the driver had not yet
written is not in the copy, as after a power cut.
"""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from disk.filesystem.devices import MIB, device_of, need_driver, need_tools
from oglib.errors import FilesystemError
from oglib.filesystem.check import check_filesystem
from oglib.filesystem.kind import Trouble
from oglib.filesystem.kinds import KINDS
from oglib.filesystem.state import state_of
from oglib.image.recording.device_capture import check_source

SIZES = {"ext4": 64, "xfs": 304, "btrfs": 128, "f2fs": 64, "reiserfs": 64, "nilfs2": 136}


def formatted(path: Path, kind: str, *options: str) -> Path:
    need_tools(kind)
    path.touch()
    os.truncate(path, SIZES.get(kind, 40) * MIB)
    subprocess.run([*KINDS[kind].make, *options, path], check=True, capture_output=True)
    return path


@contextmanager
def mounted(path: Path, point: Path) -> Iterator[Path]:
    point.mkdir(exist_ok=True)
    subprocess.run(["mount", "-o", "loop", path, point], check=True)
    try:
        yield point
    finally:
        subprocess.run(["umount", point], check=True)


def write_durably(folder: Path, number: int) -> None:
    for at in range(number):
        with (folder / f"f{at}").open("wb") as file:
            file.write(b"x" * 3000)
            os.fsync(file.fileno())


@pytest.mark.parametrize(
    ("kind", "word"), [("ext4", "journal"), ("xfs", "log is not"), ("btrfs", "log is not")]
)
def test_the_rug_is_pulled(tmp_path: Path, kind: str, word: str) -> None:
    need_driver(kind)
    image, copy = formatted(tmp_path / "fs", kind), tmp_path / "copy"
    for _ in range(3):
        with mounted(image, tmp_path / "mnt") as point:
            for _ in range(10):
                write_durably(point, 40)
                subprocess.run(["sync", "--file-system", image], check=True)
                shutil.copy(image, copy)
                if state_of(copy):
                    break  # btrfs may commit all of it just then, and that is clean
        (state,) = state_of(copy)
        assert state.trouble is Trouble.JOURNAL
        assert word in state.text
        with pytest.raises(FilesystemError, match="not unmounted cleanly") as caught:
            check_source(copy, kind, raw=False, dirty=False)
        assert "--dirty" in caught.value.hint
        assert check_source(copy, kind, raw=False, dirty=True) == KINDS[kind].partclone
        assert state_of(image) == ()


def test_a_check_replays_the_log_of_an_xfs(tmp_path: Path) -> None:
    need_driver("xfs")
    image, copy = formatted(tmp_path / "source", "xfs"), tmp_path / "fs.img"
    with mounted(image, tmp_path / "mnt") as point:
        write_durably(point, 40)
        subprocess.run(["sync", "--file-system", image], check=True)
        shutil.copy(image, copy)
    with device_of(tmp_path, copy.stat().st_size) as device:
        assert [state.trouble for state in state_of(device)] == [Trouble.JOURNAL]
        check_filesystem(device)
        assert state_of(device) == ()
        assert check_source(device, "xfs", raw=False, dirty=False)
    with mounted(copy, tmp_path / "mnt") as point:
        assert len(list(point.iterdir())) == 40


def patched(path: Path, offset: int, change: Callable[[bytes], bytes], size: int) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        old = file.read(size)
        file.seek(offset)
        file.write(change(old))


@pytest.mark.parametrize("flag", [0x1, 0x8, 0x10])
def test_an_f2fs_whose_last_checkpoint_is_of_no_unmount(tmp_path: Path, flag: int) -> None:
    image = formatted(tmp_path / "fs", "f2fs")
    assert state_of(image) == ()

    def without(block: bytes) -> bytes:
        end = struct.unpack_from("<I", block, 164)[0]
        flags = struct.unpack_from("<I", block, 132)[0] ^ flag
        changed = block[:132] + struct.pack("<I", flags) + block[136:end]
        crc = zlib.crc32(changed, 0xF2F52010 ^ 0xFFFFFFFF) ^ 0xFFFFFFFF
        return changed + struct.pack("<I", crc) + block[end + 4 :]

    first = struct.unpack("<I", image.read_bytes()[1024 + 76 : 1024 + 80])[0]
    blocks = struct.unpack("<I", image.read_bytes()[first * 4096 + 136 :][:4])[0]
    for at in (first, first + blocks - 1):
        patched(image, at * 4096, without, 4096)
    (state,) = state_of(image)
    assert state.trouble is (Trouble.JOURNAL if flag == 1 else Trouble.DIRTY)
    # one that was not written to its end does not count: the one before it does
    patched(image, (first + blocks - 1) * 4096, lambda block: bytes(8) + block[8:], 4096)
    assert state_of(image) == ()
    patched(image, (first + 512) * 4096, lambda block: block[:8] + bytes(8) + block[16:], 4096)
    assert "cannot be read" in state_of(image)[0].text


@pytest.mark.parametrize(
    ("kind", "offset", "before", "after"),
    [
        ("reiserfs", 65536 + 50, 1, 2),
        ("reiserfs", 65536 + 62, 0, 1),
        ("nilfs2", 1024 + 116, 1, 0),
        ("nilfs2", 1024 + 116, 1, 3),
        ("jfs", 32768 + 40, 0, 1),
        ("exfat", 106, 0, 2),
        ("exfat", 106, 0, 4),
        ("fat32", 65, 0, 1),
        ("fat16", 37, 0, 1),
        ("fat12", 37, 0, 1),
    ],
)
def test_the_mark_of_a_driver(
    tmp_path: Path, kind: str, offset: int, before: int, after: int
) -> None:
    if kind == "fat12":
        SIZES[kind] = 8
    image = formatted(tmp_path / "fs", kind)
    assert state_of(image) == ()

    def marked(old: bytes) -> bytes:
        assert old == struct.pack("<B", before)
        return struct.pack("<B", after)

    patched(image, offset, marked, 1)
    assert [state.trouble for state in state_of(image)] == [Trouble.DIRTY]


@pytest.mark.parametrize(("kind", "width"), [("fat16", 2), ("fat32", 4)])
@pytest.mark.parametrize("bit", [1, 2], ids=["clean", "sound"])
def test_the_marks_that_windows_keeps_in_a_fat(
    tmp_path: Path, kind: str, width: int, bit: int
) -> None:
    image = formatted(tmp_path / "fs", kind)
    sector, reserved = struct.unpack_from("<HxH", image.read_bytes()[:512], 11)
    top = (8 * width if width == 2 else 28) - bit

    def cleared(entry: bytes) -> bytes:
        return (int.from_bytes(entry, "little") & ~(1 << top)).to_bytes(width, "little")

    patched(image, sector * reserved + width, cleared, width)
    assert [state.trouble for state in state_of(image)] == [Trouble.DIRTY]
    image.rename(tmp_path / "fs.img")
    with device_of(tmp_path, 40 * MIB) as device:
        check_filesystem(device)
        # what a disk failed to keep, no checker of files finds: Windows reads all of the disk
        assert bool(state_of(device)) is (bit == 2)


@pytest.mark.parametrize("kind", ["ext4", "xfs"])
def test_a_journal_on_another_device_is_named(tmp_path: Path, kind: str) -> None:
    log = tmp_path / "log"
    log.touch()
    os.truncate(log, 64 * MIB)
    if kind == "ext4":
        subprocess.run(["mke2fs", "-q", "-F", "-O", "journal_dev", "-b", "1024", log], check=True)
        device = subprocess.run(
            ["losetup", "--find", "--show", log], check=True, capture_output=True, text=True
        ).stdout.strip()
        try:
            image = formatted(tmp_path / "fs", kind, "-b", "1024", "-J", f"device={device}")
        finally:
            subprocess.run(["losetup", "--detach", device], check=True)
        assert [state.trouble for state in state_of(log)] == [Trouble.SPREAD]
    else:
        image = formatted(tmp_path / "fs", kind, "-l", f"logdev={log},size=64m")
    (state,) = state_of(image)
    assert state.trouble is Trouble.SPREAD
    for dirty in (False, True):
        with pytest.raises(FilesystemError, match="on another device") as caught:
            check_source(image, kind, raw=False, dirty=dirty)
        assert "--raw" in caught.value.hint
