# SPDX-License-Identifier: GPL-3.0-or-later
"""How long raw content says that it is, told by its first bytes.

A superblock or boot sector (``filesystem.superblock``) or a partition table names the place where
its content ends; a copy that ends before was cut off. Judges bytes that may be hostile; opens
nothing.
"""

from __future__ import annotations

from oglib.disk.tables import gpt, mbr
from oglib.filesystem.kinds import kind_in_image
from oglib.filesystem.structures import superblock
from oglib.image.reading.formats.content import Content

_MBR_UNIT_BYTES = 512  # no table of this kind says more; on larger sectors it is less than there is


def said_bytes(head: bytes, content: Content) -> int:
    """Where what begins with ``head`` ends, in bytes, or before that; 0: it does not say.

    ``head`` is ``HEAD_BYTES`` long, less when there is no more; ``content`` is what it is.
    """
    if content.table == "gpt":
        return _gpt(head, content.sector_size)
    if content.table == "dos":
        return _dos(head)
    kind = kind_in_image(content.filesystem)
    # without the spare boot sector of NTFS, which a restore makes anew
    return superblock.said_bytes(kind, head) if kind else 0


def _gpt(head: bytes, sector: int) -> int:
    """The second copy lies in the last sector; a header that is damaged is not believed."""
    other = gpt.other_of(head[sector : 2 * sector])
    return (other + 1) * sector if other else 0


def _dos(head: bytes) -> int:
    ends = (
        row.start + row.length
        for row in mbr.rows(head)
        if row.used and row.kind != mbr.PROTECTIVE  # which says 0xffffffff for "all of it"
    )
    return max(ends, default=0) * _MBR_UNIT_BYTES
