# SPDX-License-Identifier: GPL-3.0-or-later
"""What is fixed on a disk, what moves along and what grows, when it gets another size; pure.

Fixed, so never larger or smaller: ESP, Windows' reserved and recovery partitions, BIOS boot,
extended boot, swap, a maker's hidden ones. Swap, what is empty, and on a GPT Windows' recovery move
along: they are found by UUID, and by PARTUUID, which stay. Nothing else moves, for boot loaders and
Windows remember places, and least of all a partition whose content the image does not hold.
"""

from __future__ import annotations

import re

from oglib.disk import types
from oglib.disk.model import TableKind
from oglib.disk.starts import BIOS_BOOT, ESP
from oglib.filesystem.kind import Grow
from oglib.filesystem.kinds import kind_in_image, kind_probed
from oglib.image.format.disk_manifest import Content, DiskPart

_MOVABLE = (Content.SWAP, Content.EMPTY, Content.EXTENDED)
_SWAP = ("LINUX-SWAP", "FREEBSD-SWAP", "SOLARIS-SWAP")
_FIXED = {
    ESP, BIOS_BOOT, "WIN-RESERV", *_SWAP, "MBR", "COMPAQDIAG", "LINUX-RESERV",
    "HNTFS", "HFAT12", "HFAT16", "HFAT32", "HFS-BOOT", "FREEBSD-BOOT", "SOLARIS-BOOT",
    "CHROMEOS-KRN", "CHROMEOS-RESERV",
}  # fmt: skip
RECOVERY = "recovery"
_FIXED_IDS = {
    "de94bba4-06d1-4d40-a16a-bfd50179d6ac": RECOVERY,  # Windows'
    "27": RECOVERY,
    "bc13c2ff-59e6-4262-a352-b275fd6f7172": "extended boot",
    "d3bfe2de-3daf-11df-ba40-e3a556d89593": "Intel's rapid start",
    "84": "hibernation",
    "de": "Dell's utilities",
}
# Of a GPT: the firmware or the maker needs it; and of Windows' data partitions: hidden.
_REQUIRED, _HIDDEN = 1 << 0, 1 << 62
# Makers give their partitions the type of data, and names.
_RECOVERY_NAME = re.compile(r"recovery|winre|push.?button|pbr image", re.IGNORECASE)
_OTHER_NAME = re.compile(r"reserved|diagnos|\bdiags\b|\boem\b|dellsupport", re.IGNORECASE)


def fixed_as(part: DiskPart, table: TableKind) -> str:
    """Why a partition is never made larger or smaller, in a word or two; "" where it may be."""
    kind = types.mnemonic(part.type_id, table, name=part.name)
    if part.type_id in _FIXED_IDS:
        return _FIXED_IDS[part.type_id]
    if kind in _FIXED:
        return kind
    names = f"{part.name}\n{part.label}"
    if _RECOVERY_NAME.search(names):
        return RECOVERY
    if part.attributes & _REQUIRED or (kind == "WINDOWS" and part.attributes & _HIDDEN):
        return "the maker's"
    found = _OTHER_NAME.search(names)
    return found[0].lower() if found else ""


def moves_along(part: DiskPart, table: TableKind) -> bool:
    """Whether a partition may start elsewhere when one before it gets another size.

    An msdos table has no PARTUUIDs that stay: there Windows finds its recovery by its place.
    """
    if not part.is_image:
        return part.content in _MOVABLE
    fixed = fixed_as(part, table)
    return fixed in _SWAP or (fixed == RECOVERY and table is TableKind.GPT)


def can_grow(part: DiskPart) -> bool:
    """Whether the filesystem of a partition can fill a larger one."""
    row = kind_in_image(part.filesystem) or kind_probed(part.filesystem)
    return row is not None and row.grow is not Grow.NEVER
