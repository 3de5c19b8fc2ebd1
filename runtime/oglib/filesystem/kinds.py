# SPDX-License-Identifier: GPL-3.0-or-later
"""One row per filesystem: its tools, their arguments and statuses, its limits.

Owns what is known about kinds; starts nothing. ``name`` is our word for a kind; ``probed`` are
blkid's words for it where they differ. A kind without ``make`` is only recognised here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from oglib.errors import FilesystemError, OgErr
from oglib.nearest import meant

_KIB, _MIB, _TIB = 1024, 1024**2, 1024**4


class Grow(StrEnum):
    """How a filesystem fills a larger partition."""

    EXT = "resize2fs, unmounted"
    XFS = "xfs_growfs, mounted"
    BTRFS = "btrfs filesystem resize, mounted"
    NTFS = "ntfsresize, unmounted"
    F2FS = "resize.f2fs, unmounted"
    JFS = "mount -o remount,resize"
    NILFS2 = "nilfs-resize, mounted"
    REISERFS = "resize_reiserfs, unmounted"
    NEVER = "not possible"


class LabelIn(StrEnum):
    """What the length of a label is counted in: how the filesystem keeps it."""

    ASCII = "characters"
    UTF8 = "bytes"
    UTF16 = "UTF-16 characters"

    def length(self, label: str) -> int:
        if self is LabelIn.ASCII:
            return len(label)
        return len(label.encode()) if self is LabelIn.UTF8 else len(label.encode("utf-16-le")) // 2


class Shrink(StrEnum):
    """How a filesystem is made smaller."""

    EXT = "resize2fs, unmounted"
    BTRFS = "btrfs filesystem resize, mounted"
    NTFS = "ntfsresize, unmounted"
    NEVER = "not possible"


@dataclass(frozen=True, slots=True)
class Kind:
    """The facts of one filesystem kind.

    ``make`` is the command without options; label and UUID follow ``label_option`` and
    ``uuid_option``; a label has at most ``label_most`` of what ``label_in`` counts, and no
    character of ``label_never``. ``least_bytes`` and ``most_bytes`` bound what ``make`` accepts
    (0: no bound known). ``check`` repairs what is safe; it ends with ``check_sound``, or with one
    of ``check_repaired`` after it corrected something. ``partclone`` is the program that captures
    the kind (empty: none does). ``mnemonic`` is OpenGnsys' word.
    """

    name: str
    mnemonic: str
    probed: tuple[str, ...] = ()
    make: tuple[str, ...] = ()
    label_option: str = "-L"
    label_most: int = 0
    label_in: LabelIn = LabelIn.UTF8
    label_never: str = ""
    uuid_option: str = ""
    least_bytes: int = 0
    most_bytes: int = 0
    partclone: str = ""
    check: tuple[str, ...] = ()
    check_sound: tuple[int, ...] = (0,)
    check_repaired: tuple[int, ...] = ()
    grow: Grow = Grow.NEVER
    shrink: Shrink = Shrink.NEVER
    mount_type: str = ""
    upper_label: bool = False
    old_names: tuple[str, ...] = ()


def _ext(name: str) -> Kind:
    return Kind(
        name=name,
        mnemonic=name.upper(),
        make=(f"mkfs.{name}", "-q", "-F"),
        label_most=16,
        uuid_option="-U",
        # a journal needs room of its own
        least_bytes=_MIB if name == "ext2" else 8 * _MIB,
        most_bytes=0 if name == "ext4" else 16 * _TIB,
        partclone="partclone.extfs",
        check=("e2fsck", "-f", "-y"),
        # 2: corrected and "reboot", which is meant for a root filesystem in use; this one is not
        check_repaired=(1, 2),
        grow=Grow.EXT,
        shrink=Shrink.EXT,
        mount_type=name,
        old_names=(name.upper().replace("EXT", "EXTFS"),),
    )


def _fat(width: int, least_bytes: int, most_bytes: int) -> Kind:
    return Kind(
        name=f"fat{width}",
        mnemonic=f"FAT{width}",
        make=("mkfs.vfat", "-F", str(width)),
        label_option="-n",
        label_most=11,
        uuid_option="-i",
        least_bytes=least_bytes,
        most_bytes=most_bytes,
        partclone="partclone.fat",
        check=("fsck.vfat", "-a", "-w"),
        check_repaired=(1,),
        mount_type="vfat",
        # dosfstools 4.2 take no byte above 127 (their report 191); and Linux and Windows would
        # read it in different code pages
        label_in=LabelIn.ASCII,
        label_never='*?.,;:/\\|+=<>[]"',
        upper_label=True,
    )


def _recognised(name: str, mnemonic: str, *probed: str) -> Kind:
    return Kind(name=name, mnemonic=mnemonic, probed=probed)


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        _ext("ext2"),
        _ext("ext3"),
        _ext("ext4"),
        Kind(
            name="xfs",
            mnemonic="XFS",
            make=("mkfs.xfs", "-q", "-f"),
            label_most=12,
            uuid_option="-m uuid=",
            least_bytes=300 * _MIB,
            partclone="partclone.xfs",
            # -e: tell by status 4 that something was repaired
            check=("xfs_repair", "-e"),
            check_repaired=(4,),
            grow=Grow.XFS,
            mount_type="xfs",
        ),
        Kind(
            name="btrfs",
            mnemonic="BTRFS",
            make=("mkfs.btrfs", "-q", "-f"),
            label_most=255,
            uuid_option="-U",
            least_bytes=114_294_784,
            partclone="partclone.btrfs",
            # its --repair may destroy what could still be read: looking only
            check=("btrfs", "check", "--readonly"),
            grow=Grow.BTRFS,
            shrink=Shrink.BTRFS,
            mount_type="btrfs",
        ),
        Kind(
            name="f2fs",
            mnemonic="F2FS",
            make=("mkfs.f2fs", "-q", "-f"),
            label_option="-l",
            label_most=512,
            uuid_option="-U",
            least_bytes=52 * _MIB,
            most_bytes=16 * _TIB,
            partclone="partclone.f2fs",
            check=("fsck.f2fs", "-f", "-y"),
            check_repaired=(1,),
            grow=Grow.F2FS,
            mount_type="f2fs",
        ),
        _fat(12, 64 * _KIB, 255 * _MIB),
        _fat(16, 8208 * _KIB, 4095 * _MIB),
        _fat(32, 34 * _MIB, 16 * _TIB),
        Kind(
            name="exfat",
            mnemonic="EXFAT",
            make=("mkfs.exfat",),
            label_most=11,
            label_in=LabelIn.UTF16,
            least_bytes=4 * _MIB,
            partclone="partclone.exfat",
            check=("fsck.exfat", "-y"),
            check_repaired=(1, 2),
            mount_type="exfat",
        ),
        Kind(
            name="ntfs",
            mnemonic="NTFS",
            make=("mkfs.ntfs", "--quick", "--force"),
            label_most=128,
            label_in=LabelIn.UTF16,
            least_bytes=1025 * _KIB,
            most_bytes=256 * _TIB,
            partclone="partclone.ntfs",
            check=("ntfsfix",),
            grow=Grow.NTFS,
            shrink=Shrink.NTFS,
            mount_type="ntfs-3g",
        ),
        Kind(
            name="swap",
            mnemonic="LINUX-SWAP",
            probed=("swsuspend",),
            make=("mkswap", "--force"),
            label_most=16,
            uuid_option="-U",
            least_bytes=40 * _KIB,
            old_names=("SWAP",),
        ),
        Kind(
            # made and checked by hfsprogs, which Debian has no longer: then NOTEXEC names the tool
            name="hfsplus",
            mnemonic="HFSPLUS",
            make=("mkfs.hfsplus",),
            label_option="-v",
            label_most=255,
            label_in=LabelIn.UTF16,
            partclone="partclone.hfsplus",
            check=("fsck.hfsplus", "-f", "-y"),
            mount_type="hfsplus",
            old_names=("HFS+",),
        ),
        Kind(
            name="jfs",
            mnemonic="JFS",
            make=("mkfs.jfs", "-q"),
            label_most=16,
            least_bytes=16 * _MIB,
            check=("jfs_fsck", "-f", "-p"),
            check_repaired=(1, 2),
            grow=Grow.JFS,
            mount_type="jfs",
        ),
        Kind(
            name="nilfs2",
            mnemonic="NILFS2",
            make=("mkfs.nilfs2", "-q", "-f"),
            label_most=80,
            least_bytes=134_221_824,
            grow=Grow.NILFS2,
            mount_type="nilfs2",
        ),
        Kind(
            # Linux 6.12 is the last kernel that knows it
            name="reiserfs",
            mnemonic="REISERFS",
            make=("mkfs.reiserfs", "-q", "-f", "-f"),
            label_option="-l",
            label_most=16,
            uuid_option="-u",
            least_bytes=33 * _MIB,
            most_bytes=16 * _TIB,
            # looking only: its repairs end with "corrected" whether there was anything or not
            check=("reiserfsck", "--check", "-y", "-q"),
            grow=Grow.REISERFS,
            mount_type="reiserfs",
        ),
        _recognised("reiser4", "REISER4"),
        _recognised("hfs", "HFS"),
        _recognised("apfs", "APFS"),
        _recognised("ufs", "UFS"),
        _recognised("vmfs", "VMFS", "VMFS", "VMFS_volume_member"),
        _recognised("zfs", "ZFS", "zfs_member"),
        _recognised("iso9660", "ISO9660"),
        _recognised("lvm", "LINUX-LVM", "LVM2_member", "LVM1_member"),
        _recognised(
            "raid",
            "LINUX-RAID",
            *("linux_raid_member", "ddf_raid_member", "isw_raid_member", "nvidia_raid_member"),
        ),
        _recognised("luks", "LUKS", "crypto_LUKS"),
        _recognised("bitlocker", "BITLOCKER", "BitLocker"),
    )
}

_BY_PROBED = {word: kind for kind in KINDS.values() for word in (kind.name, *kind.probed)}
_BY_WORD = {
    word.lower(): kind
    for kind in KINDS.values()
    for word in (kind.name, kind.mnemonic, *kind.probed, *kind.old_names)
}

# The filesystem that belongs on a partition type unless something else is asked for.
USUAL_FOR_TYPE = {
    "EFI": "fat32",
    "FAT12": "fat12",
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
    found = KINDS["fat32"] if name == "vfat" else _BY_WORD.get(name.lower())
    if found is None:
        can = ", ".join(kind.name for kind in KINDS.values() if kind.make)
        raise FilesystemError(
            f"{name!r} is not a filesystem that can be handled here.",
            hint=f"{meant(name, _BY_WORD)}Known: {can}.",
            code=OgErr.PARTITION,
        )
    return found


def kind_probed(type_word: str, version: str = "") -> Kind | None:
    """The row of what blkid found; of FAT its VERSION tells the width. None: not in our table."""
    if type_word == "vfat":
        return KINDS.get(version.lower(), KINDS["fat32"])
    return _BY_PROBED.get(type_word)


def mnemonic_of(type_word: str, version: str = "") -> str:
    """OpenGnsys' word for what blkid found; blkid's own in capitals where we have no row."""
    kind = kind_probed(type_word, version)
    return kind.mnemonic if kind else type_word.upper()
