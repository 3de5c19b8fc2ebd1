# SPDX-License-Identifier: GPL-3.0-or-later
"""A raw copy says how long it is: one that was cut off is refused before anything is written."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import zstandard

from disk.shim.images import MIB, tool
from oglib.errors import ImageError
from oglib.filesystem.kinds import HEAD_BYTES
from oglib.image.reading.formats.content import content_of
from oglib.image.reading.formats.detect import describe, open_stream
from oglib.image.reading.formats.length import said_bytes
from oglib.image.reading.source import FileSource
from oglib.image.writing.restore import restore
from quiet import QUIET

SIZE = 320 * MIB
# What makes each, and by how much it falls short of its partition at most: FAT keeps whole
# tracks, NTFS does not count its spare boot sector.
MADE: dict[str, tuple[list[str], int]] = {
    "ext4": (["mkfs.ext4", "-q", "-F"], 0),
    "ext2, 1 KiB blocks": (["mkfs.ext2", "-q", "-F", "-b1024"], 0),
    "ext4, no 64bit": (["mkfs.ext4", "-q", "-F", "-O^64bit"], 0),
    "xfs": (["mkfs.xfs", "-q", "-f"], 0),
    "btrfs": (["mkfs.btrfs", "-q", "-f"], 0),
    "f2fs": (["mkfs.f2fs", "-q", "-f"], 0),
    "fat32": (["mkfs.vfat", "-F32"], 64 << 10),
    "fat16": (["mkfs.vfat", "-F16"], 64 << 10),
    "ntfs": (["mkntfs", "-q", "-F", "-Q"], 512),
    "exfat": (["mkfs.exfat"], 0),
    "jfs": (["mkfs.jfs", "-q"], 0),
    "reiserfs": (["mkfs.reiserfs", "-qff"], 0),
    "swap": (["mkswap"], 0),
    "gpt": (["sgdisk", "-n1:2048:+10M"], 0),
}


def made(kind: str, path: Path, size: int = SIZE) -> int:
    """A sparse copy of a partition or disk; how far it may fall short of its size."""
    argv, short = MADE[kind]
    if shutil.which(argv[0]) is None:
        pytest.skip(f"{argv[0]} is not installed")
    with path.open("wb") as file:
        file.truncate(size)
    subprocess.run([*argv, str(path)], check=True, capture_output=True)
    return short


def says(path: Path) -> int:
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    return said_bytes(head, content_of(head))


@pytest.mark.parametrize("kind", MADE)
def test_what_is_made_says_its_length_and_a_cut_copy_is_refused(tmp_path: Path, kind: str) -> None:
    copy = tmp_path / "copy"
    short = made(kind, copy)
    said = says(copy)
    assert SIZE - short <= said <= SIZE
    with closing(open_stream(FileSource(copy), "copy")) as image:
        assert image.info.required_bytes == SIZE
    os.truncate(copy, said - 512)
    told = describe(FileSource(copy), "copy")
    assert "cut off" in told.damage
    assert str(said) in told.damage
    source = FileSource(copy)
    with closing(source), pytest.raises(ImageError, match="cut off"):
        open_stream(source, "copy")


def test_a_dos_table_and_its_logical_partitions_say_a_length(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    with copy.open("wb") as file:
        file.truncate(64 * MIB)
    tool("sfdisk", "-q", "--no-tell-kernel", copy, stdin="label: dos\n2048,20480\n,,5\n,20480\n")
    assert says(copy) == 64 * MIB
    tool("sfdisk", "-q", "--no-tell-kernel", "--delete", copy, "2")
    assert says(copy) == (2048 + 20480) * 512
    os.truncate(copy, says(copy))  # free space behind the last one need not be in the copy
    with closing(open_stream(FileSource(copy), "copy")) as image:
        assert image.info.tool == "disk"


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda data: gzip.compress(data, 1),
    "zstd": zstandard.ZstdCompressor(1).compress,
    "zstd in several frames": lambda data: b"".join(
        zstandard.ZstdCompressor(1).compress(data[at : at + MIB]) for at in range(0, len(data), MIB)
    ),
}


@pytest.mark.parametrize("pack", PACKED)
def test_a_compressed_copy_that_ends_early_leaves_the_target_alone(
    tmp_path: Path, pack: str
) -> None:
    whole = tmp_path / "copy"
    made("ext4", whole, 16 * MIB)
    data = whole.read_bytes()
    packed = tmp_path / "copy.packed"
    target = tmp_path / "target"
    before = os.urandom(4096) * (16 * MIB // 4096)
    packed.write_bytes(PACKED[pack](data))
    target.write_bytes(before)
    with closing(open_stream(FileSource(packed), "copy")) as image:
        assert restore(image, target, progress=QUIET).verified == "read-back"
    assert target.read_bytes() == data
    packed.write_bytes(PACKED[pack](data[: 9 * MIB]))
    target.write_bytes(before)
    with (
        closing(open_stream(FileSource(packed), "copy")) as image,
        pytest.raises(ImageError, match=f"ends at byte {9 * MIB}, but"),
    ):
        restore(image, target, progress=QUIET)
    assert target.read_bytes() == before
    told = describe(FileSource(packed), "copy")
    assert "cut off" in told.damage
    json.dumps(told.as_dict())


def test_a_volume_that_lost_its_followers_is_refused(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    made("xfs", copy)
    os.truncate(copy, 100 * MIB)
    first = copy.rename(tmp_path / "copy.aa")
    assert "with all its volumes" in describe(FileSource(first), "copy").damage
