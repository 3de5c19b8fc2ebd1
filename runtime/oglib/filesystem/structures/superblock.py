# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a filesystem says that it is, in its superblock or boot sector; one reader per family.

Judges bytes that may be hostile; opens nothing.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from oglib.filesystem.kind import Family, Kind

_SWAP_PAGE_BYTES = 4096
_MOST_SHIFT = 20  # of a block size given as a power of two: a MiB
_INCOMPAT_64BIT = 0x80  # of ext
_F2FS_DEVICES_AT = 0x400 + 2201
_LVM_LABEL_AT = 0x200


def said_bytes(kind: Kind, head: bytes) -> int:
    """Where its last block ends, in bytes from ``head`` (``HEAD_BYTES``, or less) on.

    0 where it does not say so, where ``head`` is cut off before, and where nobody here reads it.
    A spare boot sector behind the last block is not counted.
    """
    judge = _READERS.get(kind.family)
    try:
        return judge(head) if judge else 0
    except (struct.error, IndexError):
        return 0


def spare_bytes(kind: Kind, head: bytes) -> int:
    """How long the spare boot sector is that lies behind the last block; 0 where there is none."""
    if not kind.spare_boot_sector or len(head) < _SECTOR_SIZE.size + _SECTOR_SIZE_AT:
        return 0
    return int(_SECTOR_SIZE.unpack_from(head, _SECTOR_SIZE_AT)[0])


_SECTOR_SIZE, _SECTOR_SIZE_AT = struct.Struct("<H"), 11  # of every boot sector with a BPB


def _ntfs(head: bytes) -> int:
    (sector,) = _SECTOR_SIZE.unpack_from(head, _SECTOR_SIZE_AT)
    (count,) = struct.unpack_from("<Q", head, 40)
    return int(sector * count)


def _fat(head: bytes) -> int:
    (sector,) = _SECTOR_SIZE.unpack_from(head, _SECTOR_SIZE_AT)
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


def _nilfs2(head: bytes) -> int:
    """Of the device, as it was when the superblock was written."""
    (size,) = struct.unpack_from("<Q", head, 0x420)
    return int(size)


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


_READERS: dict[Family, Callable[[bytes], int]] = {
    Family.EXT: _ext,
    Family.XFS: _xfs,
    Family.BTRFS: _btrfs,
    Family.F2FS: _f2fs,
    Family.FAT: _fat,
    Family.EXFAT: _exfat,
    Family.NTFS: _ntfs,
    Family.HFSPLUS: _hfs_plus,
    Family.JFS: _jfs,
    Family.NILFS2: _nilfs2,
    Family.REISERFS: _reiserfs,
    Family.SWAP: _swap,
    Family.LVM: _lvm,
}
