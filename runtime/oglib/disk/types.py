# SPDX-License-Identifier: GPL-3.0-or-later
"""Partition types: OpenGnsys' mnemonics, the raw MBR ids and GPT GUIDs behind them.

Owns the translation in both directions and nothing else. Raw ids are lower case: two hex
digits (MBR) or a GUID (GPT). A GPT cache is a Linux partition *named* CACHE, since no
partitioning tool gives the cache a GUID of its own.
"""

from __future__ import annotations

from oglib.disk.model import TableKind
from oglib.errors import UsageError
from oglib.wording.nearest import meant

CACHE = "CACHE"
EMPTY = "EMPTY"  # a number, and room on the disk, that stay free; never in a table
EXTENDED = "EXTENDED"
UNKNOWN = "UNKNOWN"

# The first id of a row is the one written; the others are read as the same type.
_MBR: dict[str, tuple[str, ...]] = {
    "FAT12": ("01",),
    "EXTENDED": ("05", "0f"),
    "FAT16": ("06", "0e"),
    "NTFS": ("07",),
    "FAT32": ("0c", "0b"),
    "HFAT12": ("11",),
    "COMPAQDIAG": ("12",),
    "HFAT16": ("16", "1e"),
    "HNTFS": ("17",),
    "HFAT32": ("1c", "1b"),
    "WIN-DYNAMIC": ("42",),
    "LINUX-SWAP": ("82",),
    "LINUX": ("83",),
    "LINUX-LVM": ("8e",),
    "FREEBSD": ("a5",),
    "OPENBSD": ("a6",),
    "HFS": ("af",),
    "SOLARIS-BOOT": ("be",),
    "SOLARIS": ("bf",),
    "CACHE": ("ca", "a7"),
    "DATA": ("da",),
    "GPT": ("ee",),
    "EFI": ("ef",),
    "VMFS": ("fb",),
    "LINUX-RAID": ("fd",),
}

_LINUX_GUID = "0fc63daf-8483-4772-8e79-3d69d8477de4"

_GPT: dict[str, tuple[str, ...]] = {
    "WINDOWS": ("ebd0a0a2-b9e5-4433-87c0-68b6b72699c7",),
    "WIN-RESERV": ("e3c9e316-0b5c-4db8-817d-f92df00215ae",),
    "CHROMEOS-KRN": ("fe3a2a5d-4f32-41a7-b725-accc3285a309",),
    "CHROMEOS": ("3cb8e202-3b7e-47dd-8a3c-7ff2a13cfcec",),
    "CHROMEOS-RESERV": ("2e0a753d-9e48-43b0-8337-b15192cb1b5e",),
    "LINUX-SWAP": ("0657fd6d-a4ab-43c4-84e5-0933c84b4f4f",),
    # besides "Linux filesystem": the x86-64 root, /usr, /home, /srv, /var and extended boot types
    # of the Discoverable Partitions Specification, which hold ordinary Linux filesystems
    "LINUX": (
        _LINUX_GUID,
        "4f68bce3-e8cd-4db1-96e7-fbcaf984b709",
        "8484680c-9521-48c6-9c11-b0720656f69e",
        "933ac7e1-2eb4-4f13-b844-0e14e2aef915",
        "3b8f8425-20e0-4f3b-907f-1a25a76f98e8",
        "4d21b016-b534-45c2-a9fb-5c16e091fd2d",
        "bc13c2ff-59e6-4262-a352-b275fd6f7172",
    ),
    "LINUX-RESERV": ("8da63339-0007-60c0-c436-083ac8230908",),
    "LINUX-LVM": ("e6d6d379-f507-44c2-a23c-238f2a3df928",),
    "FREEBSD-DISK": ("516e7cb4-6ecf-11d6-8ff8-00022d09712b",),
    "FREEBSD-BOOT": ("83bd6b9d-7f41-11dc-be0b-001560b84f0f",),
    "FREEBSD-SWAP": ("516e7cb5-6ecf-11d6-8ff8-00022d09712b",),
    "FREEBSD": ("516e7cb6-6ecf-11d6-8ff8-00022d09712b",),
    "HFS-BOOT": ("426f6f74-0000-11aa-aa11-00306543ecac",),
    "HFS": ("48465300-0000-11aa-aa11-00306543ecac",),
    "HFS-RAID": ("52414944-0000-11aa-aa11-00306543ecac",),
    "SOLARIS-BOOT": ("6a82cb45-1dd2-11b2-99a6-080020736631",),
    "SOLARIS": (
        "6a85cf4d-1dd2-11b2-99a6-080020736631",
        "6a898cc3-1dd2-11b2-99a6-080020736631",
        "6a8ef2e9-1dd2-11b2-99a6-080020736631",
        "6a90ba39-1dd2-11b2-99a6-080020736631",
    ),
    "SOLARIS-SWAP": ("6a87c46f-1dd2-11b2-99a6-080020736631",),
    "SOLARIS-DISK": ("6a8b642b-1dd2-11b2-99a6-080020736631",),
    "EFI": ("c12a7328-f81f-11d2-ba4b-00a0c93ec93b",),
    "MBR": ("024dee41-33e7-11d3-9d69-0008c781f39f",),
    "BIOS-BOOT": ("21686148-6449-6e6f-744e-656564454649",),
    "LINUX-RAID": ("a19d880f-05fc-4d3b-a006-743f0f84911e",),
}

# A type asked for under the name of the other table, or by what will be on it.
_ASKED_AS: dict[TableKind, dict[str, str]] = {
    TableKind.MSDOS: {"WINDOWS": "NTFS", "ESP": "EFI", "SWAP": "LINUX-SWAP"},
    TableKind.GPT: {
        "NTFS": "WINDOWS",
        "FAT12": "WINDOWS",
        "FAT16": "WINDOWS",
        "FAT32": "WINDOWS",
        "DATA": "WINDOWS",
        "ESP": "EFI",
        "SWAP": "LINUX-SWAP",
    },
}

# The same content under the other kind of table, where the names differ. On a gpt, Windows' data
# partitions are all of one type; what is in them tells it for an msdos table.
_CONVERTED: dict[TableKind, dict[str, str]] = {
    TableKind.MSDOS: {"WINDOWS": "NTFS", "WIN-RESERV": "HNTFS"},
    TableKind.GPT: {
        "HNTFS": "WIN-RESERV",
        "HFAT12": "WIN-RESERV",
        "HFAT16": "WIN-RESERV",
        "HFAT32": "WIN-RESERV",
    },
}

# OpenGnsys hides a partition from Windows by its type.
HIDDEN = {
    "NTFS": "HNTFS",
    "FAT12": "HFAT12",
    "FAT16": "HFAT16",
    "FAT32": "HFAT32",
    "WINDOWS": "WIN-RESERV",
}

_MBR_NAMES = {raw: name for name, ids in _MBR.items() for raw in ids}
_GPT_NAMES = {raw: name for name, ids in _GPT.items() for raw in ids}


def names(table: TableKind) -> tuple[str, ...]:
    """The mnemonics a partition of this table can be given."""
    if table is TableKind.MSDOS:
        return tuple(sorted(name for name in _MBR if name != "GPT"))
    return tuple(sorted([*_GPT, CACHE]))


def canonical(asked: str, table: TableKind) -> str:
    """The mnemonic that ``asked`` means on this table; raises UsageError for an unknown one."""
    name = asked.strip().upper()
    name = _ASKED_AS.get(table, {}).get(name, name)
    if name not in names(table):
        raise UsageError(
            f"{asked!r} is not a partition type of a {table} table.",
            hint=f"{meant(name, names(table))}Known types: {', '.join(names(table))}.",
        )
    return name


def converted(kind: str, table: TableKind, *, filesystem: str = "") -> str:
    """The mnemonic on ``table`` of a type of the other kind of table; empty when there is none."""
    if table is TableKind.MSDOS and kind == "WINDOWS" and filesystem == "vfat":
        return "FAT32"
    kind = _CONVERTED.get(table, {}).get(kind, kind)
    kind = _ASKED_AS.get(table, {}).get(kind, kind)
    return kind if table in _ASKED_AS and kind in names(table) and kind != EXTENDED else ""


def raw_id(mnemonic: str, table: TableKind) -> str:
    """The MBR id or GPT GUID to write for a canonical mnemonic."""
    if table is TableKind.MSDOS:
        return _MBR[mnemonic][0]
    return _LINUX_GUID if mnemonic == CACHE else _GPT[mnemonic][0]


def normalise_id(raw: str) -> str:
    """A raw id as lsblk (``0x83``) or sfdisk (``83``, GUID in capitals) print it, in our form."""
    low = raw.strip().lower().removeprefix("0x")
    return low if "-" in low else low.zfill(2)


def mnemonic(raw: str, table: TableKind, *, name: str = "") -> str:
    """The mnemonic of a raw id in our form; ``name`` is the GPT partition name."""
    if table is TableKind.MSDOS:
        return _MBR_NAMES.get(raw, UNKNOWN)
    if raw == _LINUX_GUID and name == CACHE:
        return CACHE
    return _GPT_NAMES.get(raw, UNKNOWN)
