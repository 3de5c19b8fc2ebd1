# SPDX-License-Identifier: GPL-3.0-or-later
"""Old commands that translate partition types; they look at no disk."""

from __future__ import annotations

from collections.abc import Sequence

from oglib.disk.model import TableKind
from oglib.disk.type_codes import code_of_type, type_of_code
from oglib.errors import UsageError
from oglib.shim.command import Command

_VOLUMES = {"10000": TableKind.LVM, "10010": TableKind.ZPOOL}
_MSDOS_DIGITS = 2
_POOL = {"ZVOL": "ZPOOL"}  # the old engine had two words for it


def table_named(word: str) -> TableKind:
    """``MSDOS``, ``GPT``, ``LVM`` or ``ZPOOL``; anything else is OG_ERR_FORMAT."""
    known = [kind for kind in TableKind if kind is not TableKind.NONE]
    for kind in known:
        if word.lower() == kind:
            return kind
    raise UsageError(
        f"{word!r} is not a kind of partition table.",
        hint=f"Known: {' '.join(kind.upper() for kind in known)}.",
    )


def _id_to_type(words: Sequence[str]) -> str:
    code = words[0]
    if len(words) == 2:
        return type_of_code(code, table_named(words[1]))
    digits = code.lower().removeprefix("0x")
    if len(digits) > _MSDOS_DIGITS:
        digits = digits.removeprefix("00")  # an msdos id filled up to four digits
    short = len(digits) <= _MSDOS_DIGITS
    return type_of_code(code, _VOLUMES.get(code, TableKind.MSDOS if short else TableKind.GPT))


def _type_to_id(words: Sequence[str]) -> str:
    table = words[1].upper() if len(words) == 2 else ""
    try:
        # scripts hand on what ogGetPartitionTableType printed, of a blank disk UNKNOWN
        return code_of_type(words[0], table_named(_POOL.get(table, table) or "MSDOS"))
    except UsageError:
        return ""


COMMANDS = {
    command.name: command
    for command in (
        Command(
            "ogIdToType",
            "ID [MSDOS|GPT|LVM|ZPOOL]",
            "prints the name of a partition type by its code, UNKNOWN when it has none",
            _id_to_type,
            1,
            2,
            "ogIdToType 83 → LINUX",
            better="8E00 is LINUX-LVM; the old engine called it UNKNOWN.",
        ),
        Command(
            "ogTypeToId",
            "TYPE [MSDOS|GPT|LVM|ZPOOL]",
            "prints the code of a partition type (of MSDOS unless said), nothing when unknown",
            _type_to_id,
            1,
            2,
            "ogTypeToId LINUX GPT → 8300",
            better="More types have a code: BTRFS, F2FS, DATA, WIN-DYNAMIC, COMPAQDIAG, MBR, "
            "BIOS-BOOT; upper and lower case are one. Of FAT32 and HFAT32 it is b and 1b, and "
            "what is written is the one for LBA (c, 1c).",
        ),
    )
}
