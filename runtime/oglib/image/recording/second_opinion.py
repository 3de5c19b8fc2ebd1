# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a bitmap of used blocks has all that the filesystem's own tables call used.

partclone is not believed alone: a block that it leaves out is lost, and everything that is
verified afterwards agrees. What its bitmap lacks is added; where only a number can be compared
and it has fewer blocks, or where the filesystem's tables cannot be read, the capture is refused.
Works on the file that holds header and bitmap; writes nothing else.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, BinaryIO

from oglib.errors import ImageError, OgErr
from oglib.filesystem.kind import Family, Kind
from oglib.filesystem.kinds import HEAD_BYTES, kind_of
from oglib.filesystem.sizes import size_in
from oglib.filesystem.structures.pieces import ALL, Least, Piece
from oglib.filesystem.used import Unreadable, used_pieces
from oglib.image.format.partclone import (
    BITMAP_BITS,
    CHECKSUM_NONE,
    CRC_BYTES,
    HEADER_BYTES,
    Header,
    check_counts,
    crc32,
)
from oglib.image.writing.target import Target

_STEP_BYTES = 1 << 20
_STEP_BLOCKS = 8 * _STEP_BYTES
# Bits that are spread over smaller blocks are taken in stretches whose integers are cheap.
_FEW = 4096
_RAW_HINT = "--raw takes all its blocks."
Judge = Callable[[BinaryIO, Header], Header]


@dataclass(slots=True)
class Opinion:
    """The filesystem's own tables, asked about a bitmap; ``added`` blocks it did not have."""

    source: Target
    filesystem: str
    added: int = 0

    def completed(self, prefix: BinaryIO, header: Header) -> Header:
        """Add to the bitmap in ``prefix`` what is used; the header as it is then, written too.

        Raises ``ImageError`` where the tables cannot be read, or say what cannot be added.
        """
        self.added = self._lacking(prefix, header, add=True)
        if not self.added:
            return header
        # added where partclone had the bit already: never counted
        whole = replace(header, used_blocks=header.used_blocks + self.added)
        prefix.seek(0)
        prefix.write(whole.to_bytes())
        prefix.flush()
        return whole

    def refuse_lacking(self, prefix: BinaryIO, header: Header) -> None:
        """Raise ``ImageError`` when the bitmap lacks a block: for a stream that others write."""
        lacking = self._lacking(prefix, header, add=False)
        if lacking:
            raise ImageError(
                f"{_said_by(header)} leaves out {lacking} blocks of {self.source.path} that its "
                f"{self.filesystem} calls used: they would be lost.",
                hint=f"In our own format (without --format) they are taken too. Or {_RAW_HINT}",
                code=OgErr.FILESYS,
            )

    def _lacking(self, prefix: BinaryIO, header: Header, *, add: bool) -> int:
        size = header.prefix_bytes
        name = kind_of(self.filesystem).name
        found = 0
        with mmap.mmap(prefix.fileno(), size) as room:
            blocks = _Blocks(room, header)
            try:
                for piece in used_pieces(name, self._read):
                    if isinstance(piece, Least):
                        self._compare(blocks, piece, header)
                    else:
                        found += self._in_piece(blocks, piece, add=add)
            except Unreadable:
                raise ImageError(
                    f"{self.source.path} is not captured: which blocks are used cannot be read "
                    f"from its {self.filesystem}, and {_said_by(header)} alone is not believed.",
                    hint=f"Check it with `og fs check`. Or {_RAW_HINT}",
                    code=OgErr.FILESYS,
                ) from None
            if found and add:
                blocks.seal()
        return found

    def _read(self, offset: int, length: int) -> bytes:
        """Short behind the end, as the readers of tables know it; a bad sector is an error."""
        return self.source.read(offset, max(0, min(length, self.source.size_bytes - offset)))

    def _in_piece(self, blocks: _Blocks, piece: Piece, *, add: bool) -> int:
        end = piece.start + piece.unit * (
            piece.units if piece.bits == ALL else piece.bits.bit_length()
        )
        if end > blocks.total * blocks.size:
            raise ImageError(
                f"{self.source.path} is not captured: its {self.filesystem} uses blocks behind "
                f"byte {blocks.total * blocks.size}, where the bitmap ends.",
                hint=f"Check it with `og fs check`. Or {_RAW_HINT}",
                code=OgErr.FILESYS,
            )
        return blocks.take(piece, add=add)

    def _compare(self, blocks: _Blocks, least: Least, header: Header) -> None:
        used = blocks.used(least.start // blocks.size, least.end // blocks.size)
        wanted = -(-least.units * least.unit // blocks.size)
        if used < wanted:
            raise ImageError(
                f"{self.source.path} is not captured: its {self.filesystem} counts {wanted} used "
                f"blocks, {_said_by(header)} finds {used}; the others would be lost.",
                hint=f"Check it with `og fs check`. Or {_RAW_HINT}",
                code=OgErr.FILESYS,
            )


def own_head(source: Target, filesystem: str, folder: Path) -> IO[bytes]:
    """Header and bitmap made from the filesystem's tables alone.

    For what partclone cannot read. A file, to be closed; at its beginning.
    """
    head = source.read(0, min(HEAD_BYTES, source.size_bytes))
    kind = kind_of(filesystem)
    block = _block_bytes(kind, head)
    size = size_in(kind.name, head)
    total = size // block if block else 0
    check_counts(source.size_bytes, total, 0, block)
    header = Header("oglive", kind.image_word, size, total, 0, block, CHECKSUM_NONE, BITMAP_BITS)
    file = TemporaryFile(dir=folder)  # noqa: SIM115 - the caller's
    try:
        file.write(header.to_bytes())
        os.ftruncate(file.fileno(), header.prefix_bytes)
        file.flush()
        Opinion(source, filesystem).completed(file, header)
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return file


def _block_bytes(kind: Kind, head: bytes) -> int:
    if kind.family is Family.EXT:
        return 1024 << min(6, int.from_bytes(head[1024 + 24 : 1024 + 28], "little"))
    raise ImageError(
        f"The blocks of {kind.name} are found by partclone only.", code=OgErr.PARTITION
    )


def _said_by(header: Header) -> str:
    return "our own map" if header.writer == "oglive" else f"partclone {header.writer}"


class _Blocks:
    """The bits behind a header, in memory that is the file."""

    def __init__(self, room: mmap.mmap, header: Header) -> None:
        self._room = room
        self.size = header.block_size
        self.total = header.total_blocks
        self._touched = 0

    def take(self, piece: Piece, *, add: bool) -> int:
        """How many used blocks of the piece have no bit; they get one where that is wanted."""
        if piece.bits == ALL:
            first = piece.start // self.size
            end = -(-(piece.start + piece.units * piece.unit) // self.size)
            return self._all(first, end, add=add)
        if piece.unit == self.size and not piece.start % self.size:
            return self._some(piece.start // self.size, piece.units, piece.bits, add=add)
        found, bits, at = 0, piece.bits, 0
        while bits:
            few = bits & ((1 << _FEW) - 1)
            bits >>= _FEW
            for start, length in _runs(few):
                begin = piece.start + (at + start) * piece.unit
                end = -(-(begin + length * piece.unit) // self.size)
                found += self._all(begin // self.size, end, add=add)
            at += _FEW
        return found

    def _all(self, first: int, end: int, *, add: bool) -> int:
        found = 0
        while first < end:
            count = min(end - first, _STEP_BLOCKS)
            found += self._some(first, count, (1 << count) - 1, add=add)
            first += count
        return found

    def _some(self, first: int, count: int, bits: int, *, add: bool) -> int:
        start = HEADER_BYTES + first // 8
        end = HEADER_BYTES + (first + count + 7) // 8
        before = int.from_bytes(self._room[start:end], "little")
        self._touched += end - start
        if self._touched >= _STEP_BYTES:
            # Pages already seen must not count as this process's memory.
            self._room.madvise(mmap.MADV_DONTNEED)
            self._touched = 0
        lacking = (bits << first % 8) & ~before
        if lacking and add:
            self._room[start:end] = (before | lacking).to_bytes(end - start, "little")
        return lacking.bit_count()

    def used(self, first: int, end: int) -> int:
        """How many blocks of these have a bit."""
        found = 0
        while first < end:
            count = min(end - first, _STEP_BLOCKS)
            start = HEADER_BYTES + first // 8
            packed = self._room[start : HEADER_BYTES + (first + count + 7) // 8]
            bits = int.from_bytes(packed, "little") >> first % 8
            found += (bits & ((1 << count) - 1)).bit_count()
            first += count
        return found

    def seal(self) -> None:
        """The CRC of the bits as they are now."""
        end, crc = HEADER_BYTES + (self.total + 7) // 8, 0xFFFFFFFF
        for at in range(HEADER_BYTES, end, _STEP_BYTES):
            crc = crc32(self._room[at : min(at + _STEP_BYTES, end)], crc)
        self._room[end : end + CRC_BYTES] = crc.to_bytes(CRC_BYTES, "little")


def _runs(bits: int) -> list[tuple[int, int]]:
    """The set bits as (first, count)."""
    runs, at = [], 0
    while bits:
        gap = (bits & -bits).bit_length() - 1
        bits >>= gap
        length = (~bits & (bits + 1)).bit_length() - 1
        runs.append((at + gap, length))
        bits >>= length
        at += gap + length
    return runs
