# SPDX-License-Identifier: GPL-3.0-or-later
"""The bitmap of an image in any of its spellings, spooled to an unnamed file as one of bits.

Memory does not grow with the partition: pieces go through, and what is read later is mapped.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from oglib.errors import ImageError, OgErr, OgError
from oglib.image.format.bitmap import Bitmap
from oglib.image.format.partclone import CRC_BYTES, crc32
from oglib.image.reading.formats.reader import Reader

_PIECE_BYTES = 1 << 20
_VALUES = b"\0\1"
_DIGITS = bytes.maketrans(_VALUES, b"01")
_MAGIC = b"BiTmAgIc"


def spooled(
    bitmap_pieces: Iterable[bytes], total_blocks: int, used_blocks: int | None,
    scratch: Path | None, *, crc: Callable[[], bytes] | None = None,
) -> Bitmap:  # fmt: skip
    """The bitmap whose bytes are ``bitmap_pieces``; close it when done.

    ``crc`` reads, behind the pieces, what the image says of them; None where it says nothing.
    Raises ``ImageError`` where CRC or number of used blocks (None: not known) are wrong.
    """
    try:
        with tempfile.TemporaryFile(dir=scratch) as file:
            found = 0xFFFFFFFF
            for piece in bitmap_pieces:
                file.write(piece)
                found = crc32(piece, found)
            file.write(crc() if crc else found.to_bytes(CRC_BYTES, "little"))
            file.flush()
            bitmap = Bitmap(file, 0, total_blocks)
    except OSError as error:
        raise OgError(
            f"The image's bitmap of {(total_blocks + 7) // 8} bytes cannot be put aside: "
            f"{error.strerror}.",
            hint="Make room in the temporary folder.",
            code=OgErr.NOTWRITE,
        ) from error
    try:
        bitmap.check(count_used(bitmap) if used_blocks is None else used_blocks)
    except BaseException:
        bitmap.close()
        raise
    return bitmap


def count_used(bitmap: Bitmap) -> int:
    """How many blocks are used."""
    return sum(
        bitmap.used(first, _PIECE_BYTES) for first in range(0, bitmap.total_blocks, _PIECE_BYTES)
    )


def bits(reader: Reader, total_blocks: int) -> Iterator[bytes]:
    """A bitmap of bits as it stands in the image."""
    yield from pieces(reader.take_bytes, (total_blocks + 7) // 8)


def all_used(total_blocks: int) -> Iterator[bytes]:
    """The bitmap of an image that has none: every block is there."""
    whole, rest = divmod(total_blocks, 8)
    for start in range(0, whole, _PIECE_BYTES):
        yield b"\xff" * min(_PIECE_BYTES, whole - start)
    if rest:
        yield bytes(((1 << rest) - 1,))


def from_bytes(reader: Reader, total_blocks: int) -> Iterator[bytes]:
    """A bitmap of one byte for each block and partclone's mark behind it, as bits."""
    for piece in pieces(reader.take_bytes, total_blocks):
        if piece.translate(None, _VALUES):
            raise ImageError("The partclone bitmap is damaged: it has bytes other than 0 and 1.")
        # The first block is the lowest bit, and the last digit is the lowest too.
        value = int(piece[::-1].translate(_DIGITS), 2)
        yield value.to_bytes((len(piece) + 7) // 8, "little")
    if reader.take_bytes(len(_MAGIC)) != _MAGIC:
        raise ImageError("The partclone bitmap is damaged: the mark behind it is missing.")


def pieces(take: Callable[[int], bytes], count: int) -> Iterator[bytes]:
    """``count`` bytes that ``take`` gives, a megabyte at a time."""
    for start in range(0, count, _PIECE_BYTES):
        yield take(min(_PIECE_BYTES, count - start))
