# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of filesystems: names, exact commands, limits."""

from __future__ import annotations

from pathlib import Path

import pytest

from oglib.errors import FilesystemError
from oglib.filesystem.apply import make_argv
from oglib.filesystem.kinds import KINDS, USUAL_FOR_TYPE, kind_of
from oglib.filesystem.probe import FilesystemInfo, parse_export

UUID = "11111111-1111-4111-8111-111111111111"


@pytest.mark.parametrize(
    ("kind", "argv"),
    [
        ("ext4", ["mkfs.ext4", "-q", "-F", "-L", "data", "-U", UUID, "/dev/x"]),
        ("xfs", ["mkfs.xfs", "-q", "-f", "-L", "data", "-m", f"uuid={UUID}", "/dev/x"]),
        ("swap", ["mkswap", "--force", "-L", "data", "-U", UUID, "/dev/x"]),
        ("btrfs", ["mkfs.btrfs", "-q", "-f", "-L", "data", "-U", UUID, "/dev/x"]),
    ],
)
def test_commands(kind: str, argv: list[str]) -> None:
    assert make_argv(kind_of(kind), Path("/dev/x"), label="data", uuid=UUID) == argv


def test_fat_has_capitals_and_a_volume_number() -> None:
    assert make_argv(kind_of("fat32"), Path("/dev/x"), label="efi", uuid="1234-ABCD") == [
        "mkfs.vfat",
        "-F",
        "32",
        "-n",
        "EFI",
        "-i",
        "1234ABCD",
        "/dev/x",
    ]


def test_a_label_that_is_too_long_is_refused_in_bytes() -> None:
    with pytest.raises(FilesystemError, match="17 bytes, at most 16"):
        make_argv(kind_of("ext4"), Path("/dev/x"), label="a" * 15 + "é")


def test_an_ntfs_serial_number_cannot_be_chosen() -> None:
    with pytest.raises(FilesystemError, match="cannot be chosen"):
        make_argv(kind_of("ntfs"), Path("/dev/x"), uuid="01D9ABCDEF012345")


@pytest.mark.parametrize(
    ("name", "kind"),
    [("vfat", "fat32"), ("EXT4", "ext4"), ("FAT16", "fat16"), ("LINUX-SWAP", "swap")],
)
def test_other_names(name: str, kind: str) -> None:
    assert kind_of(name).name == kind


def test_an_unknown_kind_is_refused_with_the_known_ones() -> None:
    with pytest.raises(FilesystemError, match=r"zfs.*btrfs"):
        kind_of("zfs")


def test_every_usual_filesystem_is_known() -> None:
    assert set(USUAL_FOR_TYPE.values()) <= set(KINDS)


def test_blkids_answer() -> None:
    assert parse_export(
        'DEVNAME=/dev/loop0\nLABEL=my\\ \\"disk\\"\nUUID=abc\nBLOCK_SIZE=4096\nTYPE=ext4\n'
    ) == FilesystemInfo("ext4", 'my "disk"', "abc", 4096)
