# SPDX-License-Identifier: GPL-3.0-or-later
"""One row per filesystem: its tools, their arguments and statuses, its limits.

Owns what is known about kinds; starts nothing. ``name`` is blkid's TYPE, except that the FAT
widths are kinds of their own when a filesystem is made (blkid calls all of them vfat).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from oglib.errors import FilesystemError

_E2FSCK_REPAIRED = (0, 1)  # 1: errors were corrected
_FAT_LABEL_BYTES = 11
_EXT_LABEL_BYTES = 16


class Grow(StrEnum):
    """How a filesystem fills a larger partition."""

    EXT = "resize2fs, unmounted"
    XFS = "xfs_growfs, mounted"
    BTRFS = "btrfs filesystem resize, mounted"
    NTFS = "ntfsresize, unmounted"
    F2FS = "resize.f2fs, unmounted"
    NEVER = "not possible"


@dataclass(frozen=True, slots=True)
class Kind:
    """The facts of one filesystem kind.

    ``make`` is the command without options; label and UUID follow ``label_option`` and
    ``uuid_option``. ``partclone`` is the program that captures it (empty: none does). ``check``
    repairs what is safe and accepts ``check_accept``.
    """

    name: str
    make: tuple[str, ...]
    label_option: str = "-L"
    label_bytes: int = 0
    uuid_option: str = ""
    partclone: str = ""
    check: tuple[str, ...] = ()
    check_accept: tuple[int, ...] = (0,)
    grow: Grow = Grow.NEVER
    mount_type: str = ""
    upper_label: bool = False
    old_names: tuple[str, ...] = ()


def _ext(name: str) -> Kind:
    return Kind(
        name=name,
        make=(f"mkfs.{name}", "-q", "-F"),
        label_bytes=_EXT_LABEL_BYTES,
        uuid_option="-U",
        partclone="partclone.extfs",
        check=("e2fsck", "-f", "-y"),
        check_accept=_E2FSCK_REPAIRED,
        grow=Grow.EXT,
        mount_type=name,
        old_names=(name.upper(), name.upper().replace("EXT", "EXTFS")),
    )


def _fat(name: str, width: int) -> Kind:
    return Kind(
        name=name,
        make=("mkfs.vfat", "-F", str(width)),
        label_option="-n",
        label_bytes=_FAT_LABEL_BYTES,
        uuid_option="-i",
        partclone="partclone.fat",
        check=("fsck.vfat", "-a", "-w"),
        check_accept=(0, 1),
        mount_type="vfat",
        upper_label=True,
        old_names=(f"FAT{width}",),
    )


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        _ext("ext2"),
        _ext("ext3"),
        _ext("ext4"),
        Kind(
            name="xfs",
            make=("mkfs.xfs", "-q", "-f"),
            label_bytes=12,
            uuid_option="-m uuid=",
            partclone="partclone.xfs",
            check=("xfs_repair",),
            grow=Grow.XFS,
            mount_type="xfs",
            old_names=("XFS",),
        ),
        Kind(
            name="btrfs",
            make=("mkfs.btrfs", "-q", "-f"),
            label_bytes=255,
            uuid_option="-U",
            partclone="partclone.btrfs",
            check=("btrfs", "check", "--readonly"),
            grow=Grow.BTRFS,
            mount_type="btrfs",
            old_names=("BTRFS",),
        ),
        _fat("fat16", 16),
        _fat("fat32", 32),
        Kind(
            name="ntfs",
            make=("mkfs.ntfs", "--quick", "--force"),
            label_bytes=128,
            partclone="partclone.ntfs",
            check=("ntfsfix",),
            grow=Grow.NTFS,
            mount_type="ntfs-3g",
            old_names=("NTFS",),
        ),
        Kind(
            name="exfat",
            make=("mkfs.exfat",),
            label_bytes=11,
            partclone="partclone.exfat",
            check=("fsck.exfat", "-y"),
            check_accept=(0, 1),
            mount_type="exfat",
            old_names=("EXFAT",),
        ),
        Kind(
            name="f2fs",
            make=("mkfs.f2fs", "-q", "-f"),
            label_option="-l",
            label_bytes=512,
            uuid_option="-U",
            partclone="partclone.f2fs",
            check=("fsck.f2fs", "-a"),
            grow=Grow.F2FS,
            mount_type="f2fs",
            old_names=("F2FS",),
        ),
        Kind(
            name="swap",
            make=("mkswap", "--force"),
            label_bytes=_EXT_LABEL_BYTES,
            uuid_option="-U",
            old_names=("LINUX-SWAP", "SWAP"),
        ),
    )
}

# What blkid says where one word covers several of our kinds.
_PROBED = {"vfat": "fat32"}

# The filesystem that belongs on a partition type unless something else is asked for.
USUAL_FOR_TYPE = {
    "EFI": "fat32",
    "FAT16": "fat16",
    "FAT32": "fat32",
    "NTFS": "ntfs",
    "WINDOWS": "ntfs",
    "LINUX": "ext4",
    "CACHE": "ext4",
    "LINUX-SWAP": "swap",
}


def kind_of(name: str) -> Kind:
    """The row of a kind, by our name, blkid's, or OpenGnsys'."""
    found = KINDS.get(_PROBED.get(name, name))
    for kind in KINDS.values():
        if found is None and name in kind.old_names:
            found = kind
    if found is None:
        raise FilesystemError(
            f"{name!r} is not a filesystem that can be handled here.",
            hint=f"Known: {', '.join(KINDS)}.",
        )
    return found
