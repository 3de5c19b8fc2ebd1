# SPDX-License-Identifier: GPL-3.0-or-later
"""How long raw content says that it is, told by its first bytes: the one owner of that question.

A superblock, a boot sector or a partition table names the place where its content ends; a copy
that ends before was cut off. Judges bytes that may be hostile; opens nothing.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from oglib.disk import gpt, mbr
from oglib.image.formats.content import Content

_MBR_UNIT_BYTES = 512  # no table of this kind says more; on larger sectors it is less than there is
_SWAP_PAGE_BYTES = 4096
_MOST_SHIFT = 20  # of a block size given as a power of two: a MiB
_INCOMPAT_64BIT = 0x80  # of ext
_F2FS_DEVICES_AT = 0x400 + 2201
_LVM_LABEL_AT = 0x200


def said_bytes(head: bytes, content: Content) -> int:
    """Where what begins with ``head`` ends, in bytes, or before that; 0: it does not say.

    ``head`` is ``HEAD_BYTES`` long, less when there is no more; ``content`` is what it is.
    """
    if content.table == "gpt":
        return _gpt(head, content.sector_size)
    if content.table == "dos":
        return _dos(head)
    judge = _BY_FILESYSTEM.get(content.filesystem)
    try:
        return judge(head) if judge else 0
    except (struct.error, IndexError):
        return 0  # it ends within its own superblock; that of a filesystem is never read so


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


def _ntfs(head: bytes) -> int:
    """Without the spare boot sector behind it, which a restore makes anew."""
    (sector,) = struct.unpack_from("<H", head, 11)
    (count,) = struct.unpack_from("<Q", head, 40)
    return int(sector * count)


def _fat(head: bytes) -> int:
    (sector,) = struct.unpack_from("<H", head, 11)
    (few,) = struct.unpack_from("<H", head, 19)
    (many,) = struct.unpack_from("<I", head, 32)
    return int(sector * (few or many))


def _exfat(head: bytes) -> int:
    (count,) = struct.unpack_from("<Q", head, 72)
    return _shifted(count, head[108])


def _ext(head: bytes) -> int:
    (low,) = struct.unpack_from("<I", head, 0x404)
    (shift,) = struct.unpack_from("<I", head, 0x418)
    (incompatible,) = struct.unpack_from("<I", head, 0x460)
    high = struct.unpack_from("<I", head, 0x550)[0] if incompatible & _INCOMPAT_64BIT else 0
    return _shifted(high << 32 | low, shift + 10)


def _xfs(head: bytes) -> int:
    block, count = struct.unpack_from(">IQ", head, 4)
    return int(block * count)


def _btrfs(head: bytes) -> int:
    """Of the device itself: the filesystem's own size is that of all its devices together."""
    (size,) = struct.unpack_from("<Q", head, 0x100D1)
    return int(size)


def _f2fs(head: bytes) -> int:
    (shift,) = struct.unpack_from("<I", head, 0x410)
    (count,) = struct.unpack_from("<Q", head, 0x424)
    if head[_F2FS_DEVICES_AT : _F2FS_DEVICES_AT + 1].strip(b"\0"):
        return 0  # the blocks are those of several devices
    return _shifted(count, shift)


def _hfs_plus(head: bytes) -> int:
    block, count = struct.unpack_from(">II", head, 0x428)
    return int(block * count)


def _reiserfs(head: bytes) -> int:
    (count,) = struct.unpack_from("<I", head, 0x10000)
    (block,) = struct.unpack_from("<H", head, 0x1002C)
    return int(block * count)


def _jfs(head: bytes) -> int:
    """Behind what is counted in the disk's blocks come the room of its check and its log."""
    at = 0x8000
    size, block = struct.unpack_from("<QI", head, at + 8)
    (disk_block,) = struct.unpack_from("<I", head, at + 24)
    ends = [size * disk_block]
    for extent in (at + 72, at + 80):
        length, high, low = (
            int.from_bytes(head[extent : extent + 3], "little"),
            head[extent + 3],
            int.from_bytes(head[extent + 4 : extent + 8], "little"),
        )
        ends.append(((high << 32 | low) + length) * block)
    return int(max(ends))


def _lvm(head: bytes) -> int:
    """A physical volume names the size of its device behind its UUID."""
    (offset,) = struct.unpack_from("<I", head, _LVM_LABEL_AT + 20)
    (size,) = struct.unpack_from("<Q", head, _LVM_LABEL_AT + offset + 32)
    return int(size)


def _swap(head: bytes) -> int:
    (last,) = struct.unpack_from("<I", head, 0x404)
    return int(last + 1) * _SWAP_PAGE_BYTES


def _shifted(count: int, shift: int) -> int:
    return count << shift if shift <= _MOST_SHIFT else 0


_BY_FILESYSTEM: dict[str, Callable[[bytes], int]] = {
    "NTFS": _ntfs,
    "EXFAT": _exfat,
    "FAT32": _fat,
    "FAT16": _fat,
    "FAT12": _fat,
    "XFS": _xfs,
    "EXTFS": _ext,
    "F2FS": _f2fs,
    "HFS Plus": _hfs_plus,
    "BTRFS": _btrfs,
    "REISERFS": _reiserfs,
    "JFS": _jfs,
    "LVM": _lvm,
    "SWAP": _swap,
}
