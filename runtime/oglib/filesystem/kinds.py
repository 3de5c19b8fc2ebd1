# SPDX-License-Identifier: GPL-3.0-or-later
"""One row per filesystem: every name, tool, limit and place on the disk that is known of it.

The one owner of these facts: whoever needs one asks a row, and no other file has a table by names
of filesystems. A new filesystem is a row here; code of its own it has only where its own tables
are read (``used``, ``superblock``, ``state``), and those know it by its ``family``. A kind
without ``make`` is only recognised. Pure: imports nothing but the form of a row, so ``disk`` may
read it too.
"""

# long: it is a table, and whoever adds a row looks at the others

from __future__ import annotations

from oglib.errors import FilesystemError, OgErr
from oglib.filesystem.kind import (
    ERRORS,
    FAILED,
    NOT_CLEAN,
    REPLAY,
    SURFACE,
    Family,
    Grow,
    Kind,
    LabelIn,
    Left,
    Mark,
    Shrink,
    Trouble,
)
from oglib.wording.nearest import meant

_KIB, _MIB, _TIB = 1024, 1024**2, 1024**4
_SECTOR = 512
# Types of partition that may hold a row's content; the first is the one that is set.
_LINUX = ("LINUX", "LINUX-RESERV", "CACHE")
_WINDOWS = ("NTFS", "WINDOWS", "HNTFS", "WIN-RESERV")
_FATS = ("FAT32", "FAT16", "FAT12", "EFI", "WINDOWS", "HFAT32", "HFAT16", "HFAT12", "COMPAQDIAG")


def _ext(name: str) -> Kind:
    return Kind(
        name=name,
        mnemonic=name.upper(),
        family=Family.EXT,
        words=("EXTFS", f"{name}fs".upper()),
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
        marks=(Mark(0x438, b"\x53\xef"),),
        superblocks=(1024,),
        types=_LINUX,
        mount_type=name,
        read_only="ro" if name == "ext2" else "ro,noload",  # its journal stays as it is
        driver="" if name == "ext4" else "ext4",
        linux_root=True,
        old_names=(name.upper().replace("EXT", "EXTFS"),),
    )


def _fat(width: int, least_bytes: int, most_bytes: int) -> Kind:
    own = f"FAT{width}"
    at, flags = (82, 65) if width == 32 else (54, 37)
    return Kind(
        name=f"fat{width}",
        mnemonic=own,
        family=Family.FAT,
        make=("mkfs.vfat", "-F", str(width)),
        label_option="-n",
        label_most=11,
        uuid_option="-i",
        least_bytes=least_bytes,
        most_bytes=most_bytes,
        partclone="partclone.fat",
        check=("fsck.vfat", "-a", "-w"),
        check_repaired=(1,),
        marks=(Mark(at, own.encode().ljust(8)),),
        left=(
            Left(flags, "<B", 1, 0),
            Left(flags, "<B", 2, 0, FAILED, remedy=SURFACE),
        ),
        types=(own, *(one for one in _FATS if one != own)),
        mount_type="vfat",
        # dosfstools 4.2 take no byte above 127 (their report 191); and Linux and Windows would
        # read it in different code pages
        label_in=LabelIn.ASCII,
        label_never='*?.,;:/\\|+=<>[]"',
        upper_label=True,
    )


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        _ext("ext2"),
        _ext("ext3"),
        _ext("ext4"),
        Kind(
            name="xfs",
            mnemonic="XFS",
            family=Family.XFS,
            make=("mkfs.xfs", "-q", "-f"),
            label_most=12,
            uuid_option="-m uuid=",
            least_bytes=300 * _MIB,
            partclone="partclone.xfs",
            # -e: tell by status 4 that something was repaired
            check=("xfs_repair", "-e"),
            check_repaired=(4,),
            grow=Grow.XFS,
            marks=(Mark(0, b"XFSB"),),
            types=_LINUX,
            mount_type="xfs",
            read_only="ro,norecovery",
            linux_root=True,
        ),
        Kind(
            name="btrfs",
            mnemonic="BTRFS",
            family=Family.BTRFS,
            make=("mkfs.btrfs", "-q", "-f"),
            label_most=255,
            uuid_option="-U",
            least_bytes=114_294_784,
            partclone="partclone.btrfs",
            # its --repair may destroy what could still be read: looking only
            check=("btrfs", "check", "--readonly"),
            grow=Grow.BTRFS,
            shrink=Shrink.BTRFS,
            marks=(Mark(0x10040, b"_BHRfS_M"),),
            superblocks=(64 * _KIB,),
            left=(
                Left(
                    0x10088,
                    "<Q",
                    -1,
                    1,
                    "it is one device of a btrfs with several",
                    Trouble.SPREAD,
                    "Remove the others in its own system (`btrfs device remove`).",
                ),
                Left(
                    0x10060,
                    "<Q",
                    -1,
                    0,
                    f"{NOT_CLEAN} (its log is not empty)",
                    Trouble.JOURNAL,
                    "Mounting it for writing replays the log.",
                ),
            ),
            types=_LINUX,
            mount_type="btrfs",
            read_only="ro,rescue=nologreplay",
            linux_root=True,
        ),
        Kind(
            name="f2fs",
            mnemonic="F2FS",
            family=Family.F2FS,
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
            marks=(Mark(0x400, b"\x10\x20\xf5\xf2"),),
            superblocks=(1024, 4096 + 1024),
            types=_LINUX,
            mount_type="f2fs",
            read_only="ro,norecovery",
            linux_root=True,
        ),
        _fat(12, 64 * _KIB, 255 * _MIB),
        _fat(16, 8208 * _KIB, 4095 * _MIB),
        _fat(32, 34 * _MIB, 16 * _TIB),
        Kind(
            name="exfat",
            mnemonic="EXFAT",
            family=Family.EXFAT,
            make=("mkfs.exfat",),
            label_most=11,
            label_in=LabelIn.UTF16,
            least_bytes=4 * _MIB,
            partclone="partclone.exfat",
            check=("fsck.exfat", "-y"),
            check_repaired=(1, 2),
            marks=(Mark(3, b"EXFAT   "),),
            left=(
                Left(106, "<H", 2, 0),
                Left(106, "<H", 4, 0, FAILED, remedy=SURFACE),
            ),
            types=_WINDOWS,
            mount_type="exfat",
        ),
        Kind(
            name="ntfs",
            mnemonic="NTFS",
            family=Family.NTFS,
            make=("mkfs.ntfs", "--quick", "--force"),
            label_most=128,
            label_in=LabelIn.UTF16,
            least_bytes=1025 * _KIB,
            most_bytes=256 * _TIB,
            partclone="partclone.ntfs",
            check=("ntfsfix",),
            grow=Grow.NTFS,
            shrink=Shrink.NTFS,
            marks=(Mark(3, b"NTFS    "),),
            spare_boot_sector=True,
            types=_WINDOWS,
            mount_type="ntfs-3g",
        ),
        Kind(
            name="swap",
            mnemonic="LINUX-SWAP",
            family=Family.SWAP,
            probed=("swsuspend",),
            words=("SWAP",),
            make=("mkswap", "--force"),
            label_most=16,
            uuid_option="-U",
            least_bytes=40 * _KIB,
            marks=(Mark(0xFF6, b"SWAPSPACE2"),),
            types=("LINUX-SWAP",),
            holder="the memory of a hibernated system",  # swap itself is made anew
            old_names=("SWAP",),
        ),
        Kind(
            # made and checked by hfsprogs, which Debian has no longer: then NOTEXEC names the tool
            name="hfsplus",
            mnemonic="HFSPLUS",
            family=Family.HFSPLUS,
            words=("HFS Plus",),
            make=("mkfs.hfsplus",),
            label_option="-v",
            label_most=255,
            label_in=LabelIn.UTF16,
            partclone="partclone.hfsplus",
            check=("fsck.hfsplus", "-f", "-y"),
            marks=(Mark(0x400, b"H+"), Mark(0x400, b"HX")),
            superblocks=(1024,),
            left=(
                Left(0x404, ">I", 0x800, 0, ERRORS),
                Left(0x404, ">I", 0x100, 0x100, remedy=REPLAY),
            ),
            types=("HFS",),
            mount_type="hfsplus",
            old_names=("HFS+",),
        ),
        Kind(
            name="jfs",
            mnemonic="JFS",
            family=Family.JFS,
            make=("mkfs.jfs", "-q"),
            label_most=16,
            least_bytes=16 * _MIB,
            check=("jfs_fsck", "-f", "-p"),
            check_repaired=(1, 2),
            grow=Grow.JFS,
            marks=(Mark(0x8000, b"JFS1"),),
            superblocks=(32 * _KIB,),
            left=(Left(0x8028, "<I", -1, 0),),
            types=_LINUX,
            mount_type="jfs",
            linux_root=True,
        ),
        Kind(
            name="nilfs2",
            mnemonic="NILFS2",
            family=Family.NILFS2,
            words=("NILFS",),
            make=("mkfs.nilfs2", "-q", "-f"),
            label_most=80,
            least_bytes=134_221_824,
            grow=Grow.NILFS2,
            # revision 2.0 and the magic number behind it: two bytes alone tell little
            marks=(Mark(0x400, b"\x02\0\0\0\0\0\x34\x34"),),
            superblocks=(1024,),
            left=(
                Left(0x474, "<H", 2, 0, ERRORS),
                Left(0x474, "<H", 1, 1),
            ),
            types=_LINUX,
            mount_type="nilfs2",
            read_only="ro,norecovery",
            linux_root=True,
        ),
        Kind(
            # Linux 6.12 is the last kernel that knows it
            name="reiserfs",
            mnemonic="REISERFS",
            family=Family.REISERFS,
            make=("mkfs.reiserfs", "-q", "-f", "-f"),
            label_option="-l",
            label_most=16,
            uuid_option="-u",
            least_bytes=33 * _MIB,
            most_bytes=16 * _TIB,
            # looking only: its repairs end with "corrected" whether there was anything or not
            check=("reiserfsck", "--check", "-y", "-q"),
            grow=Grow.REISERFS,
            marks=(Mark(0x10034, b"ReIsEr"),),
            superblocks=(64 * _KIB,),
            left=(
                Left(0x1003E, "<H", -1, 0, ERRORS),
                Left(0x10032, "<H", -1, 1, remedy=REPLAY),
            ),
            types=_LINUX,
            mount_type="reiserfs",
            linux_root=True,
        ),
        Kind("reiser4", "REISER4", types=_LINUX),
        Kind("hfs", "HFS", types=("HFS",)),
        Kind("apfs", "APFS"),
        Kind("ufs", "UFS"),
        Kind("vmfs", "VMFS", probed=("VMFS", "VMFS_volume_member")),
        Kind("zfs", "ZFS", probed=("zfs_member",), holder="a member of a ZFS pool"),
        Kind("iso9660", "ISO9660"),
        Kind(
            name="lvm",
            mnemonic="LINUX-LVM",
            family=Family.LVM,
            probed=("LVM2_member", "LVM1_member"),
            words=("LVM",),
            marks=(Mark(0x218, b"LVM2 001"),),
            superblocks=(512,),
            types=("LINUX-LVM",),
            holder="a physical volume of LVM",
        ),
        Kind(
            name="raid",
            mnemonic="LINUX-RAID",
            probed=(
                "linux_raid_member",
                "ddf_raid_member",
                "isw_raid_member",
                "nvidia_raid_member",
            ),
            types=("LINUX-RAID",),
            holder="a member of a RAID",
        ),
        Kind(
            name="luks",
            mnemonic="LUKS",
            probed=("crypto_LUKS",),
            marks=(Mark(0, b"LUKS\xba\xbe"),),
            holder="encrypted (LUKS)",
            encrypted=True,
        ),
        Kind(
            name="bitlocker",
            mnemonic="BITLOCKER",
            probed=("BitLocker",),
            marks=(Mark(3, b"-FVE-FS-"),),
            holder="encrypted (BitLocker)",
            encrypted=True,
        ),
    )
}

_BY_PROBED = {word: kind for kind in KINDS.values() for word in (kind.name, *kind.probed)}
_BY_WORD = {
    word.lower(): kind
    for kind in KINDS.values()
    for word in (kind.name, kind.mnemonic, *kind.probed, *kind.old_names)
}
_BY_MOUNT_TYPE = {kind.mount_type: kind for kind in KINDS.values() if kind.mount_type}
_BLKIDS_FAT = "vfat"  # of any width


def _unspaced(word: str) -> str:
    return "".join(word.split()).lower()


# Of kinds that share a word the last one answers: an image says EXTFS of ext2 to ext4.
_BY_IMAGE_WORD = {
    _unspaced(word): kind for kind in KINDS.values() for word in (*kind.words, kind.image_word)
} | {_unspaced(kind.mnemonic): kind for kind in KINDS.values()}


def _rank(kind: Kind) -> tuple[int, int, int, int]:
    """In which order marks are judged, for one head may carry several.

    What is encrypted keeps the boot sector's form of what it encrypts; other holders are judged
    last, for filesystems leave the room where their headers were to others. Between: who lies
    first, then the longest mark.
    """
    mark = kind.marks[0]
    holds = -1 if kind.encrypted else int(bool(kind.holder))
    return holds, kind.superblocks[0], -len(mark.magic), -mark.at


_MARKED = sorted((kind for kind in KINDS.values() if kind.marks), key=_rank)
# A boot sector begins with a jump, so its mark stands behind that.
_BOOT_SECTORS = tuple(kind for kind in _MARKED if 0 < kind.marks[0].at < _SECTOR)
SUPERBLOCKS = tuple(sorted({at for kind in KINDS.values() for at in kind.superblocks}))
# As much of a filesystem's beginning as its mark and its size can be read from.
HEAD_BYTES = SUPERBLOCKS[-1] + 4 * _KIB

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
    found = KINDS["fat32"] if name == _BLKIDS_FAT else _BY_WORD.get(name.lower())
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
    if type_word == _BLKIDS_FAT:
        return KINDS.get(version.lower(), KINDS["fat32"])
    return _BY_PROBED.get(type_word)


def mnemonic_of(type_word: str, version: str = "") -> str:
    """OpenGnsys' word for what blkid found; blkid's own in capitals where we have no row."""
    kind = kind_probed(type_word, version)
    return kind.mnemonic if kind else type_word.upper()


def family_probed(type_word: str) -> Family:
    """To which family belongs what blkid found; OTHER where we have no row."""
    kind = kind_probed(type_word)
    return kind.family if kind else Family.OTHER


def kind_in_image(word: str) -> Kind | None:
    """The row of what an image, or the tool that made it, calls ``word``; None: not in our table.

    Of words that several kinds share the row of the newest.
    """
    return KINDS["fat32"] if word.lower() == _BLKIDS_FAT else _BY_IMAGE_WORD.get(_unspaced(word))


def kind_marked(head: bytes) -> Kind | None:
    """The row of what begins with ``head`` (``HEAD_BYTES``, or less), by its mark."""
    return next((kind for kind in _MARKED if kind.is_in(head)), None)


def kind_of_boot_sector(first_sector: bytes) -> Kind | None:
    """The row of the filesystem whose boot sector this is."""
    return next((kind for kind in _BOOT_SECTORS if kind.is_in(first_sector)), None)


def kind_mounted_as(mount_type: str) -> Kind | None:
    """A row that is mounted by this type for mount."""
    return _BY_MOUNT_TYPE.get(mount_type)
