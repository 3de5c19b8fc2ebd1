# SPDX-License-Identifier: GPL-3.0-or-later
"""The short codes of OpenGnsys for partition types: ``83`` on msdos, ``8300`` on gpt.

Owns the translation between these codes (of gpt: sgdisk's, four digits) and the raw ids of
``types``, and nothing else. Codes are written as the old engine wrote them: MBR ids in lower case
without leading zero, gpt codes in capitals.
"""

from __future__ import annotations

from oglib.disk import types
from oglib.disk.model import Partition, TableKind
from oglib.errors import OgErr, UsageError
from oglib.filesystem.kinds import KINDS

CACHE_CODE = "CA00"  # nobody's code but OpenGnsys': a Linux partition that is the cache
_NO_CODE = "FFFF"  # what sgdisk says of a GUID that it does not know
_VOLUMES = {TableKind.LVM: ("10000", "LVM-LV"), TableKind.ZPOOL: ("10010", "ZFS-VOL")}
_EMPTY = ("0", "EMPTY")

# sgdisk -L, as far as types of types.py and what is met beside them go
_GUID_OF_CODE = {
    "0700": "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7",
    "0C01": "e3c9e316-0b5c-4db8-817d-f92df00215ae",
    "2700": "de94bba4-06d1-4d40-a16a-bfd50179d6ac",
    "7F00": "fe3a2a5d-4f32-41a7-b725-accc3285a309",
    "7F01": "3cb8e202-3b7e-47dd-8a3c-7ff2a13cfcec",
    "7F02": "2e0a753d-9e48-43b0-8337-b15192cb1b5e",
    "8200": "0657fd6d-a4ab-43c4-84e5-0933c84b4f4f",
    "8300": "0fc63daf-8483-4772-8e79-3d69d8477de4",
    "8301": "8da63339-0007-60c0-c436-083ac8230908",
    "8302": "933ac7e1-2eb4-4f13-b844-0e14e2aef915",
    "8304": "4f68bce3-e8cd-4db1-96e7-fbcaf984b709",
    "8306": "3b8f8425-20e0-4f3b-907f-1a25a76f98e8",
    "8309": "ca7d7ccb-63ed-4c53-861c-1742536059cc",
    "8310": "4d21b016-b534-45c2-a9fb-5c16e091fd2d",
    "8314": "8484680c-9521-48c6-9c11-b0720656f69e",
    "8E00": "e6d6d379-f507-44c2-a23c-238f2a3df928",
    "A500": "516e7cb4-6ecf-11d6-8ff8-00022d09712b",
    "A501": "83bd6b9d-7f41-11dc-be0b-001560b84f0f",
    "A502": "516e7cb5-6ecf-11d6-8ff8-00022d09712b",
    "A503": "516e7cb6-6ecf-11d6-8ff8-00022d09712b",
    "AB00": "426f6f74-0000-11aa-aa11-00306543ecac",
    "AF00": "48465300-0000-11aa-aa11-00306543ecac",
    "AF01": "52414944-0000-11aa-aa11-00306543ecac",
    "AF0A": "7c3457ef-0000-11aa-aa11-00306543ecac",
    "BE00": "6a82cb45-1dd2-11b2-99a6-080020736631",
    "BF00": "6a85cf4d-1dd2-11b2-99a6-080020736631",
    "BF01": "6a898cc3-1dd2-11b2-99a6-080020736631",
    "BF02": "6a87c46f-1dd2-11b2-99a6-080020736631",
    "BF03": "6a8b642b-1dd2-11b2-99a6-080020736631",
    "BF04": "6a8ef2e9-1dd2-11b2-99a6-080020736631",
    "BF05": "6a90ba39-1dd2-11b2-99a6-080020736631",
    "EA00": "bc13c2ff-59e6-4262-a352-b275fd6f7172",
    "EF00": "c12a7328-f81f-11d2-ba4b-00a0c93ec93b",
    "EF01": "024dee41-33e7-11d3-9d69-0008c781f39f",
    "EF02": "21686148-6449-6e6f-744e-656564454649",
    "FD00": "a19d880f-05fc-4d3b-a006-743f0f84911e",
}
_CODE_OF_GUID = {guid: code for code, guid in _GUID_OF_CODE.items()}

# What the old engine took for a type besides the names of the table, and those of filesystems.
_GPT_ALSO = dict.fromkeys(("HNTFS", "HFAT12", "HFAT16", "HFAT32"), "WINDOWS")
_OF_FILESYSTEMS = {
    word: kind.types[0]
    for kind in KINDS.values()
    if kind.types
    for word in (kind.mnemonic, *kind.old_names)
}
# Where several ids have one name, the old engine's choice. What is written is the one for LBA
# (``types``), which every system since Windows 95 takes; both are read as the same type.
_OLD_MSDOS = {"FAT32": "b", "HFAT32": "1b", "GPT": "ee"}


def code_of(part: Partition, table: TableKind) -> str:
    """The code of a partition as found."""
    if table in _VOLUMES:
        return _VOLUMES[table][0]
    if table is TableKind.MSDOS:
        return part.type_id.lstrip("0") or _EMPTY[0]
    if part.type == types.CACHE:
        return CACHE_CODE
    return _CODE_OF_GUID.get(part.type_id, _NO_CODE)


def type_of_code(code: str, table: TableKind) -> str:
    """The mnemonic of a code; UNKNOWN where it has none."""
    if table in _VOLUMES:
        own, name = _VOLUMES[table]
        return name if code == own else types.UNKNOWN
    short = code.lower().removeprefix("0x")
    if not short.strip("0"):
        return _EMPTY[1]
    if table is TableKind.MSDOS:
        return types.mnemonic(types.normalise_id(short.lstrip("0")), table)
    wanted = short.upper().zfill(4)
    if wanted == CACHE_CODE:
        return types.CACHE
    return types.mnemonic(_GUID_OF_CODE.get(wanted, ""), table)


def code_of_type(mnemonic: str, table: TableKind) -> str:
    """The code that a mnemonic, or the filesystem to be on it, has; empty where there is none."""
    name = mnemonic.upper()
    if table in _VOLUMES:
        own, known = _VOLUMES[table]
        return own if name == known else ""
    if name == _EMPTY[1]:
        return _EMPTY[0]
    if table is TableKind.MSDOS and name in _OLD_MSDOS:
        return _OLD_MSDOS[name]
    try:
        name = canonical(name, table)
    except UsageError:
        return ""
    if name == types.CACHE and table is TableKind.GPT:
        return CACHE_CODE
    raw = types.raw_id(name, table)
    return raw.lstrip("0") if table is TableKind.MSDOS else _CODE_OF_GUID[raw]


def canonical(asked: str, table: TableKind) -> str:
    """As ``types.canonical``, and it takes the names of filesystems too."""
    name = asked.strip().upper()
    name = _OF_FILESYSTEMS.get(name, name)
    return types.canonical(_GPT_ALSO.get(name, name) if table is TableKind.GPT else name, table)


def raw_of_code(code: str, table: TableKind) -> str:
    """The raw id to write for a code in hexadecimal digits.

    Raises OUTOFLIMIT for what is no such code, PARTITION for a gpt code without a GUID.
    """
    digits = 2 if table is TableKind.MSDOS else 4
    short = code.lower().removeprefix("0x")
    if not short or len(short) > digits or set(short) - set("0123456789abcdef"):
        raise UsageError(
            f"{code!r} is not a type id of a {table} table.",
            hint=f"Write at most {digits} hexadecimal digits.",
            code=OgErr.OUTOFLIMIT,
        )
    if not int(short, 16):
        raise UsageError(
            f"{code!r} is the type of an empty entry, not of a partition.", code=OgErr.PARTITION
        )
    if table is TableKind.MSDOS:
        return types.normalise_id(short)
    wanted = short.upper().zfill(digits)
    guid = _GUID_OF_CODE["8300"] if wanted == CACHE_CODE else _GUID_OF_CODE.get(wanted)
    if guid is None:
        raise UsageError(
            f"No partition type of a gpt table has the code {wanted}.",
            hint=f"Known: {' '.join([*_GUID_OF_CODE, CACHE_CODE])}.",
            code=OgErr.PARTITION,
        )
    return guid
