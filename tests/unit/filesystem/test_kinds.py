# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of filesystems: names, exact commands, limits."""

from __future__ import annotations

from pathlib import Path

import pytest

from oglib.errors import FilesystemError, OgErr
from oglib.filesystem.kind import Grow, Kind, LabelIn, Shrink
from oglib.filesystem.kinds import KINDS, USUAL_FOR_TYPE, kind_of
from oglib.filesystem.make import make_argv
from oglib.filesystem.probe import FilesystemInfo, parse_udev

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


@pytest.mark.parametrize("label", ["CACHE", "cache"])
def test_the_label_of_the_cache_is_for_the_cache(label: str) -> None:
    with pytest.raises(FilesystemError, match="kept for the cache") as caught:
        make_argv(kind_of("ext4"), Path("/dev/x"), label=label)
    assert caught.value.code == OgErr.FORMAT
    assert "CACHE" in make_argv(kind_of("ext4"), Path("/dev/x"), label="CACHE", cache=True)


def test_a_label_is_one_line_of_text() -> None:
    with pytest.raises(FilesystemError, match="cannot be printed"):
        make_argv(kind_of("ext4"), Path("/dev/x"), label="two\nlines")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("vfat", "fat32"),
        ("EXT4", "ext4"),
        ("FAT16", "fat16"),
        ("LINUX-SWAP", "swap"),
        ("SWAP", "swap"),
        ("HFS+", "hfsplus"),
        ("LVM2_member", "lvm"),
        ("crypto_LUKS", "luks"),
        ("REISERFS", "reiserfs"),
        ("EXTFS4", "ext4"),
    ],
)
def test_other_names(name: str, kind: str) -> None:
    assert kind_of(name).name == kind


def test_an_unknown_kind_is_refused_with_the_known_ones() -> None:
    with pytest.raises(FilesystemError, match=r"bcachefs.*btrfs") as caught:
        kind_of("bcachefs")
    assert caught.value.code == OgErr.PARTITION


def test_what_is_only_recognised_is_not_made() -> None:
    with pytest.raises(FilesystemError, match="zfs is recognised here, but not made") as caught:
        make_argv(kind_of("zfs"), Path("/dev/x"))
    assert caught.value.code == OgErr.PARTITION


# OpenGnsys' words (reference, 2.6) for what blkid says
@pytest.mark.parametrize(
    ("type_word", "version", "mnemonic"),
    [
        ("ext2", "1.0", "EXT2"),
        ("ext4", "1.0", "EXT4"),
        ("vfat", "FAT12", "FAT12"),
        ("vfat", "FAT16", "FAT16"),
        ("vfat", "FAT32", "FAT32"),
        ("ntfs", "", "NTFS"),
        ("exfat", "1.0", "EXFAT"),
        ("swap", "1", "LINUX-SWAP"),
        ("swsuspend", "s1suspend", "LINUX-SWAP"),
        ("LVM2_member", "LVM2 001", "LINUX-LVM"),
        ("linux_raid_member", "1.2", "LINUX-RAID"),
        ("hfs", "", "HFS"),
        ("hfsplus", "", "HFSPLUS"),
        ("reiserfs", "3.6", "REISERFS"),
        ("reiser4", "", "REISER4"),
        ("jfs", "", "JFS"),
        ("nilfs2", "2", "NILFS2"),
        ("f2fs", "1.15", "F2FS"),
        ("zfs_member", "5000", "ZFS"),
        ("VMFS", "5", "VMFS"),
        ("ufs", "2", "UFS"),
        ("crypto_LUKS", "2", "LUKS"),
        ("BitLocker", "2", "BITLOCKER"),
        ("bcachefs", "", "BCACHEFS"),
        ("", "", ""),
    ],
)
def test_mnemonics(type_word: str, version: str, mnemonic: str) -> None:
    assert FilesystemInfo(type_word, version=version).mnemonic == mnemonic


def test_every_usual_filesystem_is_known() -> None:
    assert all(KINDS[name].make for name in USUAL_FOR_TYPE.values())


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_row_is_whole(kind: Kind) -> None:
    assert not kind.make or kind.label_most
    assert not kind.check or kind.make
    assert kind.shrink is Shrink.NEVER or kind.grow is not Grow.NEVER, "no way back"
    assert kind.grow is Grow.NEVER or kind.check or kind.name == "nilfs2"
    assert not set(kind.check_sound) & set(kind.check_repaired)


def test_e2fsck_may_repair_and_ask_for_a_reboot() -> None:
    assert kind_of("ext4").check_repaired == (1, 2)


def test_blkids_answer() -> None:
    assert parse_udev(
        "ID_FS_LABEL=my__disk_\nID_FS_LABEL_ENC=my\\x20\\x22disk\\x22\nID_FS_UUID_ENC=abc\n"
        "ID_FS_BLOCK_SIZE=4096\nID_FS_TYPE=ext4\n"
    ) == FilesystemInfo("ext4", 'my "disk"', "abc", 4096)


@pytest.mark.parametrize(
    ("raw", "kind", "label"),
    [
        ("Se\u00f1al", "ext4", "Se\u00f1al"),
        (r"a\xf1o\x20nuevo", "ext4", "a\u00f1o nuevo"),
        (r"A\xa5O", "vfat", "A\u00d1O"),
        (r"a\x5cx41", "ext4", r"a\x41"),
        ("a=b", "ntfs", "a=b"),
    ],
)
def test_labels_of_any_age(raw: str, kind: str, label: str) -> None:
    assert parse_udev(f"ID_FS_LABEL_ENC={raw}\nID_FS_TYPE={kind}\n").label == label


def test_how_a_label_is_counted() -> None:
    assert LabelIn.UTF8.length("\u00f1\U0001f600") == 6
    assert LabelIn.UTF16.length("\u00f1\U0001f600") == 3
    assert LabelIn.ASCII.length("abc") == 3
