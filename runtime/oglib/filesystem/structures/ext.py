# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads from an ext2, ext3 or ext4 which blocks are used: the bitmaps of its groups.

Never writes. Layouts after the kernel's documentation ("ext4 Data Structures and Algorithms").
The bytes are hostile input: what makes no sense is ``Unreadable``.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from oglib.filesystem.structures.ntfs import ReadAt, Unreadable
from oglib.filesystem.structures.pieces import ALL, Piece

__all__ = ["Traits", "Unreadable", "pieces", "traits"]

_SPARSE_SUPER2 = 0x200  # compatible
_META_BG, _WIDE = 0x10, 0x80  # incompatible
_SPARSE_SUPER, _GROUP_CHECKSUMS, _BIGALLOC, _CHECKSUMS = 0x1, 0x10, 0x200, 0x400  # read-only
_BLOCK_UNINIT = 2


@dataclass(frozen=True, slots=True)
class _Super:
    block: int
    blocks: int
    first: int
    group_blocks: int
    cluster_blocks: int
    table_blocks: int
    descriptor: int
    compatible: int
    incompatible: int
    read_only: int
    kept_blocks: int
    first_meta: int
    backups: tuple[int, int]

    @property
    def groups(self) -> int:
        return -(-(self.blocks - self.first) // self.group_blocks)

    @property
    def per_block(self) -> int:
        return self.block // self.descriptor

    def has_super(self, group: int) -> bool:
        if group == 0:
            return True
        if self.compatible & _SPARSE_SUPER2:
            return group in self.backups
        if not self.read_only & _SPARSE_SUPER or group == 1:
            return True
        return any(_is_power(group, base) for base in (3, 5, 7))

    def is_meta(self, group: int) -> bool:
        """Whether the descriptors of this group are not in the one table behind the superblock."""
        return bool(self.incompatible & _META_BG and group // self.per_block >= self.first_meta)


@dataclass(frozen=True, slots=True)
class _Group:
    bitmap: int
    inode_bitmap: int
    inodes: int
    flags: int


@dataclass(frozen=True, slots=True)
class Traits:
    """What a program that reads it must know.

    ``clusters``: blocks are given out several at a time (bigalloc). ``check_due``: it was mounted
    so often that its periodic check is due, which says nothing about its state.
    """

    clusters: bool = False
    check_due: bool = False


def traits(read_at: ReadAt) -> Traits:
    """Of what is no ext: none."""
    head = read_at(1024, 1024)
    if len(head) < 1024 or head[56:58] != b"\x53\xef":
        return Traits()
    mounts, most = struct.unpack_from("<Hh", head, 52)
    read_only = struct.unpack_from("<I", head, 100)[0]
    return Traits(bool(read_only & _BIGALLOC), check_due=0 < most <= mounts)


def pieces(read_at: ReadAt) -> Iterator[Piece]:
    """What is used, a group at a time; raises Unreadable, whatever the bytes are."""
    try:
        top = _super(read_at)
        if top.first:
            yield Piece(0, top.block, top.first, ALL)
        for number, group in enumerate(_groups(read_at, top)):
            yield from _used_in(read_at, top, number, group)
    except (struct.error, IndexError, OverflowError) as error:
        raise Unreadable from error


def _super(read_at: ReadAt) -> _Super:
    head = read_at(1024, 1024)
    if head[56:58] != b"\x53\xef":
        raise Unreadable
    blocks, first, shift, cluster_shift, group, _, inodes = struct.unpack_from(
        "<I12xIIIIII", head, 4
    )
    compatible, incompatible, read_only = struct.unpack_from("<III", head, 92)
    kept, wide, first_meta = struct.unpack_from("<H46xH4xI", head, 206)
    inode = struct.unpack_from("<H", head, 88)[0] if struct.unpack_from("<I", head, 76)[0] else 128
    if incompatible & _WIDE:
        blocks |= struct.unpack_from("<I", head, 336)[0] << 32
    if shift > 6 or cluster_shift > 30 or not 0 < inode <= 65536:
        raise Unreadable
    block = 1024 << shift
    top = _Super(
        block, blocks, first, group,
        1 << (cluster_shift - shift) if read_only & _BIGALLOC and cluster_shift > shift else 1,
        -(-inodes * inode // block), wide if incompatible & _WIDE and wide > 32 else 32,
        compatible, incompatible, read_only, kept, first_meta,
        struct.unpack_from("<II", head, 588),
    )  # fmt: skip
    sound = (
        first <= 1 and first < blocks < 1 << 48
        and 0 < group <= 8 * block * top.cluster_blocks and not group % (8 * top.cluster_blocks)
        and top.descriptor <= block and not top.descriptor & (top.descriptor - 1)
        and top.groups < 1 << 28
    )  # fmt: skip
    if not sound:
        raise Unreadable
    return top


def _groups(read_at: ReadAt, top: _Super) -> Iterator[_Group]:
    # with blocks of 1 KiB and clusters the superblock is in block 1 though counting begins at 0
    table = (top.first or int(top.block == 1024)) + 1
    for start in range(0, top.groups, top.per_block):
        at = table + start // top.per_block
        if top.is_meta(start):
            at = top.first + start * top.group_blocks + top.has_super(start)
        packed = read_at(at * top.block, top.block)
        for number in range(min(top.per_block, top.groups - start)):
            row = packed[number * top.descriptor :][: top.descriptor]
            low = struct.unpack_from("<III6xH", row)
            high = struct.unpack_from("<III", row, 32) if top.descriptor >= 64 else (0, 0, 0)
            bitmap, inode_bitmap, inodes = (
                one | up << 32 for one, up in zip(low[:3], high, strict=True)
            )
            yield _Group(bitmap, inode_bitmap, inodes, low[3])


def _used_in(read_at: ReadAt, top: _Super, number: int, group: _Group) -> Iterator[Piece]:
    first = top.first + number * top.group_blocks
    blocks = min(top.group_blocks, top.blocks - first)
    for at, count in (
        (group.bitmap, 1), (group.inode_bitmap, 1), (group.inodes, top.table_blocks)
    ):  # fmt: skip
        if not 0 < at <= at + count <= top.blocks:
            raise Unreadable
        yield Piece(at * top.block, top.block, count, ALL)
    if top.read_only & (_GROUP_CHECKSUMS | _CHECKSUMS) and group.flags & _BLOCK_UNINIT:
        # never written: only what every group begins with is used
        if kept := min(blocks, _kept(top, number)):
            yield Piece(first * top.block, top.block, kept, ALL)
        return
    clusters = -(-blocks // top.cluster_blocks)
    packed = read_at(group.bitmap * top.block, -(-clusters // 8))
    if len(packed) != -(-clusters // 8):
        raise Unreadable
    bits = int.from_bytes(packed, "little") & ((1 << clusters) - 1)
    tail = clusters * top.cluster_blocks - blocks
    if tail and bits >> (clusters - 1):  # the last cluster is cut off by the filesystem's end
        bits &= (1 << (clusters - 1)) - 1
        whole = (clusters - 1) * top.cluster_blocks
        yield Piece((first + whole) * top.block, top.block, blocks - whole, ALL)
        clusters -= 1
    if bits:
        yield Piece(first * top.block, top.block * top.cluster_blocks, clusters, bits)


def _kept(top: _Super, group: int) -> int:
    """The superblock's copy and the descriptors at the beginning of a group, in blocks."""
    own = int(top.has_super(group))
    if not top.is_meta(group):
        table = -(-top.groups // top.per_block)
        if top.incompatible & _META_BG:
            table = min(table, top.first_meta)
        return own + table + top.kept_blocks if own else 0
    return own + int(group % top.per_block in (0, 1, top.per_block - 1))


def _is_power(number: int, base: int) -> bool:
    while number % base == 0:
        number //= base
    return number == 1
