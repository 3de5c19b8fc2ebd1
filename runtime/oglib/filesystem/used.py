# SPDX-License-Identifier: GPL-3.0-or-later
"""What a filesystem's own tables say is used: one reader per family captured by its blocks.

The second opinion about what another program found. Reads only; the bytes are hostile input.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

from oglib.filesystem.kind import Family
from oglib.filesystem.kinds import KINDS
from oglib.filesystem.structures import btrfs, ext, f2fs, ntfs, xfs
from oglib.filesystem.structures.fat import exfat_pieces, fat_pieces
from oglib.filesystem.structures.ntfs import ReadAt, Unreadable
from oglib.filesystem.structures.pieces import Least, Piece

__all__ = ["Unreadable", "used_pieces"]

_NTFS_BITMAP = 6
_PIECE_BYTES = 64 * 1024
# HFS+ counts from the highest bit of a byte
_TURNED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def used_pieces(name: str, read_at: ReadAt) -> Iterator[Piece | Least]:
    """What the filesystem of this kind (our word) says is used.

    Raises ``Unreadable`` where its tables make no sense, and where nobody here reads them.
    """
    kind = KINDS.get(name)
    reader = _READERS.get(kind.family) if kind else None
    if reader is None:
        raise Unreadable
    yield from reader(read_at)


def _ntfs(read_at: ReadAt) -> Iterator[Piece]:
    """The file $Bitmap, one bit a cluster."""
    try:
        volume = ntfs.open_volume(read_at)
        data = ntfs.attribute_of(volume, _NTFS_BITMAP, ntfs.DATA)
        end = -(-volume.clusters // 8)
        if any(first < 0 for first, _ in data.runs):
            raise Unreadable  # a hole says nothing, and may be as long as anybody likes
        for at in range(0, end, _PIECE_BYTES):
            packed = ntfs.read_stream(volume, data.runs, at, min(_PIECE_BYTES, end - at))
            count = min(8 * len(packed), volume.clusters - 8 * at)
            bits = int.from_bytes(packed, "little") & ((1 << count) - 1)
            if bits:
                yield Piece(8 * at * volume.cluster, volume.cluster, count, bits)
    except (struct.error, IndexError, OverflowError) as error:
        raise Unreadable from error


def _hfsplus(read_at: ReadAt) -> Iterator[Piece]:
    """The allocation file, as far as its first eight extents hold all of it."""
    try:
        head = read_at(1024, 512)
        block, blocks = struct.unpack_from(">II", head, 40)
        extents = struct.unpack_from(">16I", head, 128)
    except struct.error as error:
        raise Unreadable from error
    if head[:2] not in (b"H+", b"HX") or not 512 <= block <= 1 << 24 or block & (block - 1):
        raise Unreadable
    at = 0
    for first, count in zip(extents[::2], extents[1::2], strict=True):
        for start in range(first * block, (first + count) * block, _PIECE_BYTES):
            left = min(_PIECE_BYTES, (first + count) * block - start, -(-(blocks - at) // 8))
            if left <= 0:
                return
            packed = read_at(start, left)
            if len(packed) != left:
                raise Unreadable
            number = min(8 * left, blocks - at)
            bits = int.from_bytes(packed.translate(_TURNED), "little") & ((1 << number) - 1)
            if bits:
                yield Piece(at * block, block, number, bits)
            at += number
    if at < blocks:
        raise Unreadable


_READERS: dict[Family, Callable[[ReadAt], Iterator[Piece | Least]]] = {
    Family.EXT: ext.pieces,
    Family.XFS: xfs.pieces,
    Family.BTRFS: btrfs.pieces,
    Family.F2FS: f2fs.pieces,
    Family.FAT: fat_pieces,
    Family.EXFAT: exfat_pieces,
    Family.NTFS: _ntfs,
    Family.HFSPLUS: _hfsplus,
}
